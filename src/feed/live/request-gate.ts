import type { Clock, Timers } from "../../core/env.ts";

/** Longest wait for a place (wall ms); whoever would wait longer is turned away at once. */
const MAX_WAIT_MS = 10_000;
/** The longest ban that a venue names (Binance's, three days); a longer one is asked about then. */
const MAX_PAUSE_MS = 3 * 24 * 3_600_000;

/** Spaces requests evenly, first come first served but for urgent ones, and lets none through while the venue wants silence. */
export class RequestGate {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #spacingMs: number;
  #speed = 1;
  readonly #waiting: (() => void)[] = [];
  #nextAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(requestsPerSecond: number, deps: { readonly clock: Clock; readonly timers: Timers }) {
    this.#spacingMs = 1000 / requestsPerSecond;
    this.#clock = deps.clock;
    this.#timers = deps.timers;
  }

  /** Exchange ms per wall ms: a simulated venue that is quick takes requests as quickly. */
  follow(speed: number): void {
    this.#speed = Math.max(1, speed);
  }

  /** From now on silence for this long (wall ms), at most three days; a longer one that is under way stays. */
  pause(ms: number): void {
    const until = this.#clock.monotonicMs() + Math.min(MAX_PAUSE_MS, Math.max(0, ms));
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }

  /**
   * Waits for this request's place, at most 10 s and what urgent ones take; null, or why it may not be sent. An urgent one goes
   * before all that wait: there are few.
   */
  async enter(isUrgent = false): Promise<string | null> {
    const now = this.#clock.monotonicMs();
    const silent = this.#silence(now);
    if (silent !== null) return silent;
    if (this.#waiting.length === 0 && now >= this.#nextAt) {
      this.#nextAt = now + this.#spacingMs;
      return null;
    }
    if (!isUrgent && this.#nextAt - now + this.#waiting.length * this.#spacingMs > MAX_WAIT_MS)
      return `more of our own requests wait than ${MAX_WAIT_MS / 1000} s have room for`;
    await new Promise<void>((resolve) => {
      if (isUrgent) this.#waiting.unshift(resolve);
      else this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#wake(now);
    });
    return this.#silence(this.#clock.monotonicMs());
  }

  /** One place is given at a time, for as long as somebody waits. */
  #wake(now: number): void {
    this.#timers.after(Math.max(0, this.#nextAt - now), () => {
      const at = this.#clock.monotonicMs();
      this.#nextAt = at + this.#spacingMs / this.#speed;
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#wake(at);
    });
  }

  #silence(now: number): string | null {
    if (now >= this.#pausedUntil) return null;
    return `we keep to its rate limit for ${Math.ceil((this.#pausedUntil - now) / 1000)} s more`;
  }
}
