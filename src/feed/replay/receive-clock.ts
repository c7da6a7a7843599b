import type { Clock } from "../../core/env.ts";

/** How often (monotonic) the wall clock is looked at. */
const LOOK_MS = 1000;
/** Wall time is told in whole ms; smaller differences are that, and slow adjustments. */
const TOLERANCE_MS = 5;
/** A wall clock set back by more than this is not followed: a replay is paced by these times. */
const MAX_BACK_MS = 1000;

/**
 * Receive times in ns since the epoch: the wall clock's, carried on by the monotonic one, so that they never go back. Followed
 * are a wall clock set forward, and one set back by at most a second (times then stand still until it has caught up).
 */
export class ReceiveClock {
  readonly #clock: Clock;
  #wallMs: number;
  #atMs: number;
  #lookedAtMs: number;
  #lastNs = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wallMs = clock.nowMs();
    this.#atMs = clock.monotonicMs();
    this.#lookedAtMs = this.#atMs;
  }

  nowNs(): bigint {
    const atMs = this.#clock.monotonicMs();
    if (atMs - this.#lookedAtMs >= LOOK_MS) this.#look(atMs);
    const ns = BigInt(Math.trunc(this.#wallMs)) * 1_000_000n + BigInt(Math.round((atMs - this.#atMs) * 1e6));
    if (ns > this.#lastNs) this.#lastNs = ns;
    return this.#lastNs;
  }

  #look(atMs: number): void {
    this.#lookedAtMs = atMs;
    const wallMs = this.#clock.nowMs();
    const aheadMs = wallMs - (this.#wallMs + atMs - this.#atMs);
    if (Math.abs(aheadMs) <= TOLERANCE_MS || aheadMs < -MAX_BACK_MS) return;
    this.#wallMs = wallMs;
    this.#atMs = atMs;
  }
}
