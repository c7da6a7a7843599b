/** How many nodes the events are spread over: each has one key of latest-wins. */
const NODES = 10;

const FIGURES = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`latency.stage${i}.p99`, i * 1.25]));

/** Wall time in µs, the same for all processes of this machine to within their clocks' first reading. */
export function nowUs(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** The n-th message of a steady flow: some 450 bytes of metrics that carry the time they were made. */
export function metricsMessage(n: number): { readonly topic: string; readonly body: string } {
  return {
    topic: "telemetry.metrics",
    body: JSON.stringify({
      v: 1,
      node: `runner-${n % NODES}`,
      epoch: "bench",
      seq: n,
      sentAt: Date.now(),
      role: "runner",
      values: { ...FIGURES, [MADE_AT]: nowUs() },
      rails: [],
    }),
  };
}

const MANY_FIGURES = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`histogram.bucket${i}.count`, i]));

/** Some 60 KB of metrics of one more node: a few of these fill what the kernel takes for a client that does not read. */
export function largeMessage(n: number): { readonly topic: string; readonly body: string } {
  const envelope = { v: 1, node: "large", epoch: "bench", seq: n, sentAt: Date.now() };
  return {
    topic: "telemetry.metrics",
    body: JSON.stringify({ ...envelope, role: "runner", values: MANY_FIGURES, rails: [] }),
  };
}

/** The value that says when a message was made. */
export const MADE_AT = "made.at.us";
