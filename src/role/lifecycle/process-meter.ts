import type { Clock, Timers } from "../../core/env.ts";

const LAG_PERIOD_MS = 100;
const LAG_SAMPLES = 100;

/**
 * This process's own figures for telemetry: CPU (percent of one core since the last look), resident memory, and how late the
 * event loop runs (the newest 100 samples, 10 s).
 */
export class ProcessMeter implements Disposable {
  readonly #clock: Clock;
  readonly #ticker: { cancel(): void };
  readonly #lagsMs: number[] = [];
  #expectedMs: number;
  #cpu = process.cpuUsage();
  #cpuAtMs: number;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#cpuAtMs = clock.monotonicMs();
    this.#expectedMs = this.#cpuAtMs + LAG_PERIOD_MS;
    this.#ticker = timers.every(LAG_PERIOD_MS, () => this.#sample());
  }

  /** By dotted name, as MetricsBody carries them. */
  values(): Record<string, number> {
    const now = this.#clock.monotonicMs();
    const spent = process.cpuUsage(this.#cpu);
    const elapsedMs = Math.max(1, now - this.#cpuAtMs);
    this.#cpu = process.cpuUsage();
    this.#cpuAtMs = now;
    const lags = [...this.#lagsMs].sort((a, b) => a - b);
    return {
      "process.cpu.percent": Math.round(((spent.user + spent.system) / 10 / elapsedMs) * 10) / 10,
      "process.rss.bytes": process.memoryUsage.rss(),
      "loop.lag.p50.ms": percentile(lags, 0.5),
      "loop.lag.p99.ms": percentile(lags, 0.99),
    };
  }

  [Symbol.dispose](): void {
    this.#ticker.cancel();
  }

  #sample(): void {
    const now = this.#clock.monotonicMs();
    this.#lagsMs.push(Math.max(0, now - this.#expectedMs));
    if (this.#lagsMs.length > LAG_SAMPLES) this.#lagsMs.shift();
    this.#expectedMs = now + LAG_PERIOD_MS;
  }
}

/** The value at a rank of a sorted list, rounded to 0.01; 0 for an empty one. */
export function percentile(sorted: readonly number[], rank: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * rank))] ?? 0;
  return Math.round(value * 100) / 100;
}
