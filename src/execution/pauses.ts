import type { Timer, Timers } from "../core/env.ts";
import { FabricError } from "../core/errors.ts";

/** Pauses between tries that can all be ended at once. */
export class Pauses {
  readonly #timers: Timers;
  readonly #waiting = new Map<Timer, () => void>();
  #closed = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Resolves after `delayMs`. Rejects with FabricError "try-again" where they were closed, or are meanwhile. */
  async wait(delayMs: number): Promise<void> {
    if (!this.#closed) {
      await new Promise<void>((resolve) => {
        const timer = this.#timers.after(delayMs, () => {
          this.#waiting.delete(timer);
          resolve();
        });
        this.#waiting.set(timer, resolve);
      });
    }
    if (this.#closed) throw new FabricError("try-again", "Stopped while waiting");
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    for (const [timer, resolve] of this.#waiting) {
      timer.cancel();
      resolve();
    }
    this.#waiting.clear();
  }
}
