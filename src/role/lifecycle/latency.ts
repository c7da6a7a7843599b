import { percentile } from "./process-meter.ts";

const SAMPLES = 1024;

/** The newest 1,024 samples of a duration in ms (older ones are overwritten), told as p50, p99 and the most. */
export class LatencyRing {
  readonly #samples = new Float64Array(SAMPLES);
  #count = 0;

  add(ms: number): void {
    this.#samples[this.#count++ % SAMPLES] = ms;
  }

  /** Empty where there is no sample yet. */
  values(name: string): Record<string, number> {
    if (this.#count === 0) return {};
    const sorted = [...this.#samples.subarray(0, Math.min(this.#count, SAMPLES))].sort((a, b) => a - b);
    return {
      [`${name}.p50.ms`]: percentile(sorted, 0.5),
      [`${name}.p99.ms`]: percentile(sorted, 0.99),
      [`${name}.max.ms`]: percentile(sorted, 1),
    };
  }
}
