import type { Clock } from "../../core/env.ts";
import { MINUTE_MS } from "../../core/time.ts";

/** Requests under way at once, and those that may wait for a place; one more is not sent. */
const MAX_UNDER_WAY = 16;
const MAX_WAITING = 1000;
/** Binance allows a weight of 6,000 a minute for an address; above this much only orders go out for the rest of the minute. */
const WEIGHT_LIMIT = 5000;

/** Why nothing may be sent now, and for how long. */
export interface Closed {
  readonly reason: string;
  readonly retryAfterMs: number;
}

/** Monotonic ms. */
interface Shut {
  readonly untilMs: number;
  readonly reason: string;
}

const OPEN: Shut = { untilMs: Number.NEGATIVE_INFINITY, reason: "" };

/** The one door to the venue: bounds what is under way, and keeps shut for as long as the venue's limits ask. */
export class RequestGate {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #shut: Shut = OPEN;
  #savingWeight: Shut = OPEN;
  #usedWeight = 0;
  #held = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The weight used in this minute, as the venue told last. */
  get usedWeight(): number {
    return this.#usedWeight;
  }

  /** Requests not sent because of a limit. */
  get held(): number {
    return this.#held;
  }

  /** Null where a request may go out now. */
  closed(isOrder: boolean): Closed | null {
    const nowMs = this.#clock.monotonicMs();
    const shut = [this.#shut, ...(isOrder ? [] : [this.#savingWeight])].find(({ untilMs }) => untilMs > nowMs);
    if (!shut) return null;
    this.#held++;
    return { reason: shut.reason, retryAfterMs: Math.ceil(shut.untilMs - nowMs) };
  }

  /** Waits for a place; first come, first served. Every place taken is left again. */
  async enter(): Promise<Closed | null> {
    if (this.#underWay < MAX_UNDER_WAY) {
      this.#underWay++;
      return null;
    }
    if (this.#waiting.length >= MAX_WAITING) {
      this.#held++;
      return { reason: `${MAX_WAITING} requests wait for the venue already`, retryAfterMs: 1000 };
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return null;
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#underWay--;
  }

  /** The venue wants to hear nothing for so long, wall ms. */
  shut(reason: string, forMs: number): void {
    const untilMs = this.#clock.monotonicMs() + forMs;
    if (untilMs > this.#shut.untilMs) this.#shut = { untilMs, reason };
  }

  /** Takes note of the used weight that an answer's header told; minutes are wall minutes. */
  noteWeight(used: number): void {
    if (!Number.isFinite(used)) return;
    this.#usedWeight = used;
    if (used <= WEIGHT_LIMIT) return;
    const untilMs = this.#clock.monotonicMs() + MINUTE_MS - (this.#clock.nowMs() % MINUTE_MS);
    this.#savingWeight = { untilMs, reason: `${used} of the minute's request weight are used` };
  }
}
