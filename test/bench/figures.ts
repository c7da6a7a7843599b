import { readFileSync } from "node:fs";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import type { MetricsBody } from "../../src/core/wire.ts";
import { dataFolder } from "../../src/role/lifecycle/data-folder.ts";

/** The value at a rank (0 to 1) of a list in any order; NaN for an empty one. */
export function rank(values: readonly number[], at: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

/** `p50 1.23  p90 …  p99 …  max …` of values in ms. */
export function ranks(values: readonly number[]): string {
  const parts = [0.5, 0.9, 0.99, 1] as const;
  return parts.map((at) => `${at === 1 ? "max" : `p${at * 100}`} ${rank(values, at).toFixed(2)}`.padEnd(12)).join("");
}

/** CPU seconds that a process has used so far, all its threads. Linux. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

const CLOCK_TICKS_PER_SECOND = 100;

export interface MetricsHeard extends AsyncDisposable {
  /** The newest values of each node. */
  readonly newest: ReadonlyMap<string, MetricsBody["values"]>;
}

/** Hears the metrics of a data folder's nodes. */
export async function hearMetrics(data: string, nodes: readonly string[]): Promise<MetricsHeard> {
  const newest = new Map<string, MetricsBody["values"]>();
  const folder = dataFolder(data);
  const subscriber = await ZmqSubscriber.open(
    {
      endpoints: { connect: nodes.map((node) => folder.ipcEndpoint(node)) },
      filters: [{ topic: "telemetry.metrics" }],
      onMessage: ({ body }) => {
        const metrics = JSON.parse(body) as MetricsBody;
        newest.set(metrics.node, metrics.values);
      },
    },
    {
      backend: zmqBackend,
      clock: platform.clock,
      log: { debug() {}, info() {}, warn: console.error, error: console.error },
    },
  );
  return { newest, [Symbol.asyncDispose]: () => subscriber.close() };
}
