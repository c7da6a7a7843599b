import type { Clock, Timer, Timers } from "../../core/env.ts";

/** Pauses shorter than this (wall) are not worth a timer. */
const MIN_PAUSE_MS = 2;
/** A jump between two lines by more than this, either way, is not waited for. */
const MAX_JUMP_MS = 24 * 3_600_000;

/** Lets a replay's lines come in the rhythm of their times. */
export class ReplayPace {
  readonly #speed: number | "max";
  readonly #clock: Clock;
  readonly #timers: Timers;
  #pause: { readonly timer: Timer; readonly resolve: () => void } | null = null;
  #origin: { readonly timeMs: number; readonly at: number } | null = null;
  #lastMs = 0;

  /** `speed`: recorded ms per wall ms. */
  constructor(speed: number | "max", { clock, timers }: { readonly clock: Clock; readonly timers: Timers }) {
    this.#speed = speed;
    this.#clock = clock;
    this.#timers = timers;
  }

  get isPaced(): boolean {
    return this.#speed !== "max";
  }

  /** The next time is the first again: between two files nothing is waited for. */
  restart(): void {
    this.#origin = null;
  }

  /** Until it is `timeMs`; null where that is now, and where there is no pace. */
  until(timeMs: number | null): Promise<void> | null {
    if (timeMs === null || this.#speed === "max") return null;
    const now = this.#clock.monotonicMs();
    if (this.#origin === null || Math.abs(timeMs - this.#lastMs) > MAX_JUMP_MS) this.#origin = { timeMs, at: now };
    this.#lastMs = timeMs;
    const delayMs = this.#origin.at + (timeMs - this.#origin.timeMs) / this.#speed - now;
    return delayMs < MIN_PAUSE_MS ? null : this.sleep(delayMs);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#timers.after(delayMs, resolve);
      this.#pause = { timer, resolve };
    });
  }

  /** Ends a sleep that is under way. */
  wake(): void {
    this.#pause?.timer.cancel();
    this.#pause?.resolve();
  }
}
