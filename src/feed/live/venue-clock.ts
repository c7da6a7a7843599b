import type { Clock } from "../../core/env.ts";

/**
 * The venue's clock as far as it is known: the newest time a message told, moved along by our monotonic clock at the
 * venue's speed while it is heard. A message is never newer than the venue's clock, so `now` is never ahead of it, as long
 * as that clock runs on; where it turns out to have stood still, `told` sets it back. What must not depend on that (which
 * klines are final, how far a minute was quiet) rests on `proven` or on a fresh answer instead.
 */
export class VenueClock {
  readonly #clock: Clock;
  #base: number | null = null;
  #baseAt = 0;
  #speed = 1;
  #running = false;
  /** The newest time the venue itself told in this stretch of listening. */
  #proven: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get speed(): number {
    return this.#speed;
  }

  /** Null before the first message. */
  now(): number | null {
    if (this.#base === null) return null;
    return this.#running ? this.#base + (this.#clock.monotonicMs() - this.#baseAt) * this.#speed : this.#base;
  }

  /** What the venue's clock certainly has reached, nothing guessed; null where nothing was told since `hold`. */
  get proven(): number | null {
    return this.#proven;
  }

  /** Whether the venue's clock is being followed. */
  get running(): boolean {
    return this.#running;
  }

  /** A message of this time has arrived. */
  note(timeMs: number): void {
    if (this.#proven === null || timeMs > this.#proven) this.#proven = timeMs;
    const now = this.now();
    if (now !== null && timeMs <= now) return;
    this.#base = timeMs;
    this.#baseAt = this.#clock.monotonicMs();
  }

  /**
   * The venue answered with its own clock, having been asked at `askedAtMs` (monotonic), and with its speed. The real time was
   * at most `precisionMs` later than told.
   */
  told(timeMs: number, askedAtMs: number, speed: number, precisionMs = 0): void {
    if (this.#proven === null || timeMs > this.#proven) this.#proven = timeMs;
    const now = this.now();
    const at = this.#clock.monotonicMs();
    const atAsking = now === null ? null : now - (this.#running ? (at - askedAtMs) * this.#speed : 0);
    // When we asked, its clock cannot have been past its answer; if ours was, ours had run ahead.
    const ahead = atAsking !== null && atAsking > timeMs + precisionMs;
    if (now === null || ahead || timeMs > now) {
      this.#base = timeMs;
      this.#baseAt = at;
    } else {
      this.#base = now;
      this.#baseAt = at;
    }
    this.#speed = speed;
    this.#running = true;
  }

  /** Nothing is heard: the clock stands until the venue tells the time again. */
  hold(): void {
    this.#base = this.now();
    this.#running = false;
    this.#proven = null;
  }
}
