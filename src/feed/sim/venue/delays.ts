import type { Timer, Timers } from "../../../core/env.ts";

/** Waits that an end of the whole cuts short. */
export class Delays {
  readonly #timers: Timers;
  readonly #pending = new Map<Timer, () => void>();
  #over = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Resolves after so many wall ms, or at once after `end`. */
  wait(ms: number): Promise<void> {
    if (this.#over) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#timers.after(ms, () => {
        this.#pending.delete(timer);
        resolve();
      });
      this.#pending.set(timer, resolve);
    });
  }

  /** Every wait is over, now and from now on. */
  end(): void {
    this.#over = true;
    for (const [timer, resolve] of this.#pending) {
      timer.cancel();
      resolve();
    }
    this.#pending.clear();
  }
}
