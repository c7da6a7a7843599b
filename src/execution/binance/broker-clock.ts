import type { Clock } from "../../core/env.ts";

/** A fresh answer is asked for when the last is this old, wall ms: clocks drift by some ms in that time. */
const STALE_AFTER_MS = 600_000;

/**
 * The venue's clock for timestamps: its answer to GET /api/v3/time, moved along by our monotonic clock. The wall clock of
 * this machine, which may be wrong or jump, plays no part. Never ahead of the venue's (the answer is older than its arrival), so
 * the rule against timestamps of the future is met; behind it by at most the answer's way.
 */
export class BrokerClock {
  readonly #clock: Clock;
  #toldMs: number | null = null;
  #toldAtMs = 0;
  #speed = 1;
  #distrusted = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Exchange ms per wall ms: 1, unless a simulated venue says otherwise of itself. */
  get speed(): number {
    return this.#speed;
  }

  /** Null before the first answer. */
  nowMs(): number | null {
    if (this.#toldMs === null) return null;
    return Math.floor(this.#toldMs + (this.#clock.monotonicMs() - this.#toldAtMs) * this.#speed);
  }

  /** Whether the venue should be asked (again). */
  get stale(): boolean {
    return this.#toldMs === null || this.#distrusted || this.#clock.monotonicMs() - this.#toldAtMs > STALE_AFTER_MS;
  }

  /** The venue's answer has just arrived. */
  told(timeMs: number, speed: number): void {
    this.#toldMs = timeMs;
    this.#toldAtMs = this.#clock.monotonicMs();
    this.#distrusted = false;
    this.#speed = speed > 0 && speed <= 1e6 ? speed : 1;
  }

  /** The venue says that our time is wrong. */
  distrust(): void {
    this.#distrusted = true;
  }
}
