import type { Clock, Timers } from "../core/env.ts";

/** Longest stretch of deliveries without a turn of the event loop, ms. */
const LONGEST_RUN_MS = 20;

/**
 * Keeps the event loop turning while many candles are handed to a slow consumer: promises alone would starve timers, signals and
 * sockets for as long as there is something to deliver.
 */
export class Breather {
  readonly #clock: Clock;
  readonly #timers: Timers;
  #turnedMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /** The loop has just turned. */
  turned(): void {
    this.#turnedMs = this.#clock.monotonicMs();
  }

  /** Resolves after a turn of the loop; null where none is due yet. */
  breath(): Promise<void> | null {
    if (this.#clock.monotonicMs() - this.#turnedMs < LONGEST_RUN_MS) return null;
    return new Promise((resolve) => {
      this.#timers.after(0, () => {
        this.turned();
        resolve();
      });
    });
  }
}
