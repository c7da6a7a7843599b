import { readFileSync } from "node:fs";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../../src/bus/zmq-subscriber.ts";
import type { MetricsBody } from "../../../src/core/wire.ts";
import { dataFolder } from "../../../src/role/lifecycle/data-folder.ts";
import { cpuSeconds, rank } from "../../bench/figures.ts";

const PAGE_BYTES = 4096;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** One process under watch. */
interface Watched {
  readonly name: string;
  readonly pid: number;
  readonly startCpuSeconds: number;
  /** Once a second. */
  readonly rssBytes: number[];
  /** How late its event loop ran, as it tells itself once a second of the ten seconds before: median and worst, ms. */
  readonly lagP50: number[];
  readonly lagP99: number[];
}

export interface ProcessFigures {
  readonly name: string;
  /** Resident MB once a second. */
  readonly rssMb: readonly number[];
  /** The medians of the first and last window after the warm-up, and the growth between them in percent. */
  readonly firstMb: number;
  readonly lastMb: number;
  readonly growthPercent: number;
  readonly lagP50Ms: number;
  readonly lagP99Ms: number;
  readonly lagWorstMs: number;
  readonly cpuPercent: number;
}

/** Watches processes by the kernel's figures and by what they tell of themselves in telemetry. */
export class Gauges implements AsyncDisposable {
  readonly newest = new Map<string, MetricsBody>();
  readonly #watched: readonly Watched[];
  readonly #subscriber: ZmqSubscriber;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #startedMs = performance.now();

  private constructor(watched: readonly Watched[], subscriber: ZmqSubscriber, newest: Map<string, MetricsBody>) {
    this.#watched = watched;
    this.#subscriber = subscriber;
    this.newest = newest;
    this.#timer = setInterval(() => this.#sample(), 1000);
  }

  static async open(data: string, pids: ReadonlyMap<string, number>): Promise<Gauges> {
    const newest = new Map<string, MetricsBody>();
    const subscriber = await ZmqSubscriber.open(
      {
        endpoints: { connect: [...pids.keys()].map((name) => dataFolder(data).ipcEndpoint(name)) },
        filters: [{ topic: "telemetry.metrics" }],
        onMessage: ({ body }) => {
          const metrics = JSON.parse(body) as MetricsBody;
          newest.set(metrics.node, metrics);
        },
      },
      { backend: zmqBackend, clock: platform.clock, log: silent },
    );
    const watched = [...pids].map(([name, pid]) => {
      return { name, pid, startCpuSeconds: cpuSeconds(pid), rssBytes: [], lagP50: [], lagP99: [] };
    });
    return new Gauges(watched, subscriber, newest);
  }

  value(node: string, name: string): number {
    return this.newest.get(node)?.values[name] ?? 0;
  }

  /** `warmSeconds` are left out of the growth; each window is this many seconds long. */
  figures(warmSeconds: number, windowSeconds: number): readonly ProcessFigures[] {
    const elapsedSeconds = (performance.now() - this.#startedMs) / 1000;
    return this.#watched.map(({ name, pid, startCpuSeconds, rssBytes, lagP50, lagP99 }) => {
      const rssMb = rssBytes.map((bytes) => bytes / 1024 / 1024);
      const firstMb = rank(rssMb.slice(warmSeconds, warmSeconds + windowSeconds), 0.5);
      const lastMb = rank(rssMb.slice(-windowSeconds), 0.5);
      return {
        name,
        rssMb,
        firstMb,
        lastMb,
        growthPercent: (100 * (lastMb - firstMb)) / firstMb,
        lagP50Ms: rank(lagP50.slice(warmSeconds), 0.5),
        lagP99Ms: rank(lagP99.slice(warmSeconds), 0.5),
        lagWorstMs: Math.max(0, ...lagP99.slice(warmSeconds)),
        cpuPercent: (100 * (cpuSeconds(pid) - startCpuSeconds)) / elapsedSeconds,
      };
    });
  }

  /** Stops sampling; figures stand. */
  freeze(): void {
    clearInterval(this.#timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.freeze();
    await this.#subscriber.close();
  }

  #sample(): void {
    for (const { name, pid, rssBytes, lagP50, lagP99 } of this.#watched) {
      rssBytes.push(residentBytes(pid));
      lagP50.push(this.value(name, "loop.lag.p50.ms"));
      lagP99.push(this.value(name, "loop.lag.p99.ms"));
    }
  }
}

function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
}
