import type { Hono } from "hono";
import { platform } from "#platform";
import { createApp } from "../../src/bridge/app.ts";
import type { CandleReader, DashboardAssets } from "../../src/bridge/contract.ts";
import type { Gate } from "../../src/bridge/gate.ts";
import { HUB_TIMES, type HubLimits, type HubTimes } from "../../src/bridge/sse-limits.ts";
import { TelemetryHub } from "../../src/bridge/telemetry-hub.ts";
import type { StoreLimits } from "../../src/bridge/telemetry-store.ts";
import type { Clock, Log, Server, Timer, Timers } from "../../src/core/env.ts";

/** A clock and timers that only `advance` moves: due timers run in order. */
export class ManualTime implements Clock, Timers {
  #ms = 1_000_000;
  #timers = new Set<{ dueMs: number; periodMs: number | null; run: () => void }>();
  /** Added to wall time only, as an operator setting the system clock would. */
  wallShiftMs = 0;

  nowMs(): number {
    return 1_735_689_600_000 + this.#ms + this.wallShiftMs;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add({ dueMs: this.#ms + delayMs, periodMs: null, run });
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add({ dueMs: this.#ms + periodMs, periodMs, run });
  }

  advance(ms: number): void {
    const end = this.#ms + ms;
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.dueMs <= end).sort((a, b) => a.dueMs - b.dueMs);
      if (!next) break;
      this.#ms = next.dueMs;
      if (next.periodMs === null) this.#timers.delete(next);
      else next.dueMs += next.periodMs;
      next.run();
    }
    this.#ms = end;
  }

  #add(timer: { dueMs: number; periodMs: number | null; run: () => void }): Timer {
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }
}

/** Keeps what was logged. */
export class LogBook implements Log {
  readonly lines: string[] = [];
  debug = (message: string) => this.#add("debug", message);
  info = (message: string) => this.#add("info", message);
  warn = (message: string) => this.#add("warn", message);
  error = (message: string) => this.#add("error", message);

  #add(level: string, message: string): void {
    this.lines.push(`${level} ${message}`);
  }
}

export const NO_ASSETS: DashboardAssets = { get: () => null };
export const NO_CANDLES: CandleReader = { bars: async () => null, gaps: async () => null };

export interface Fixture {
  readonly hub: TelemetryHub;
  readonly app: Hono;
  readonly log: LogBook;
}

export interface FixtureOptions {
  readonly time?: ManualTime;
  readonly epoch?: string;
  readonly candles?: CandleReader;
  readonly assets?: DashboardAssets;
  readonly storeLimits?: StoreLimits;
  readonly hubLimits?: HubLimits;
  readonly hubTimes?: Partial<HubTimes>;
  readonly gate?: Gate;
}

/** A hub and its app, on real time unless given another. */
export function bridgeFixture(options: FixtureOptions = {}): Fixture {
  const clock = options.time ?? platform.clock;
  const timers = options.time ?? platform.timers;
  const log = new LogBook();
  const hub = new TelemetryHub({
    clock,
    timers,
    log,
    epoch: options.epoch ?? "testlife",
    version: "0.1.0",
    ...(options.storeLimits ? { storeLimits: options.storeLimits } : {}),
    ...(options.hubLimits ? { hubLimits: options.hubLimits } : {}),
    hubTimes: { ...HUB_TIMES, ...options.hubTimes },
  });
  const app = createApp({
    telemetry: hub,
    candles: options.candles ?? NO_CANDLES,
    clock,
    timers,
    log,
    assets: options.assets ?? NO_ASSETS,
    version: "0.1.0",
    ...(options.gate ? { gate: options.gate } : {}),
  });
  return { hub, app, log };
}

/** Listens on a free port of 127.0.0.1. */
export function listen(app: Hono, port = 0): Server & { readonly url: string } {
  const server = platform.serve({
    host: "127.0.0.1",
    port,
    fetch: (request, peer) => app.fetch(request, { peer }),
    unreadBytes: 128 * 1024,
  });
  return { host: server.host, port: server.port, stop: () => server.stop(), url: `http://127.0.0.1:${server.port}` };
}
