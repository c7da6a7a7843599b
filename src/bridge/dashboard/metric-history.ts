import { type MetricsEvent, STALE_AFTER_MS } from "../contract.ts";

/** What is drawn of a node: the newest points, one a snapshot. */
export const HISTORY_POINTS = 300;
const MAX_NODES = 256;

export const FIGURES = ["cpu", "memory", "lag", "messages"] as const;
export type Figure = (typeof FIGURES)[number];

export interface NodeHistory {
  /** Seconds on the bridge's clock. */
  readonly times: number[];
  readonly values: Readonly<Record<Figure, (number | null)[]>>;
}

/** A counter's growth per second between two snapshots of one life; null where it cannot be told. */
export function rateOf(metrics: MetricsEvent, earlier: MetricsEvent | null, name: string): number | null {
  const [value, before] = [metrics.values[name], earlier?.values[name]];
  if (value === undefined || before === undefined || !earlier) return null;
  const seconds = (metrics.sentAt - earlier.sentAt) / 1000;
  return seconds > 0 && value >= before ? (value - before) / seconds : null;
}

/** Sent and received a second, added up; null where neither is told. */
export function messageRate(metrics: MetricsEvent, earlier: MetricsEvent | null): number | null {
  const rates = ["publish.sent.total", "socket.received.total"].map((name) => rateOf(metrics, earlier, name));
  const known = rates.filter((rate) => rate !== null);
  return known.length === 0 ? null : known.reduce((sum, rate) => sum + rate, 0);
}

/** CPU and memory of all nodes that are heard: what a silent one used last is used no more, or not known. `now` as `receivedAt`. */
export function loadOf(
  all: readonly MetricsEvent[],
  now: number,
): { readonly cpuPercent: number; readonly bytes: number } {
  const heard = all.filter((metrics) => now - metrics.receivedAt <= STALE_AFTER_MS);
  const sum = (name: string) => heard.reduce((total, { values }) => total + (values[name] ?? 0), 0);
  return { cpuPercent: sum("process.cpu.percent"), bytes: sum("process.rss.bytes") };
}

/** The last minutes of each node's figures, for small graphs. Bounded: 300 points a node, 256 nodes (the longest-silent leaves). */
export class MetricHistory {
  readonly #nodes = new Map<string, NodeHistory>();

  get(node: string): NodeHistory | null {
    return this.#nodes.get(node) ?? null;
  }

  add(metrics: MetricsEvent, earlier: MetricsEvent | null): void {
    const { node, receivedAt, values } = metrics;
    const history = this.#nodes.get(node) ?? { times: [], values: { cpu: [], memory: [], lag: [], messages: [] } };
    this.#nodes.delete(node);
    this.#nodes.set(node, history);
    if (this.#nodes.size > MAX_NODES) {
      const [oldest] = this.#nodes.keys();
      if (oldest !== undefined) this.#nodes.delete(oldest);
    }
    const atSeconds = receivedAt / 1000;
    // The same snapshot again after a reconnect.
    if (atSeconds <= (history.times.at(-1) ?? -Infinity)) return;
    push(history.times, atSeconds);
    push(history.values.cpu, values["process.cpu.percent"] ?? null);
    push(history.values.memory, values["process.rss.bytes"] ?? null);
    push(history.values.lag, values["loop.lag.p99.ms"] ?? null);
    push(history.values.messages, messageRate(metrics, earlier));
  }
}

function push<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > HISTORY_POINTS) list.shift();
}
