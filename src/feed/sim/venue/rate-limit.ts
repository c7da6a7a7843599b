import type { Clock } from "../../../core/env.ts";
import { MINUTE_MS } from "../../../core/time.ts";
import { RestError } from "../rest-error.ts";

/** Requests sent on after a 429 before the ban, and how long the first ban is (doubling with each, 3 days at most). */
const PATIENCE = 10;
const FIRST_BAN_MS = 120_000;
const LONGEST_BAN_MS = 259_200_000;

/** A refusal that says when to come back. */
export class TooMany extends RestError {
  readonly retryAfterSeconds: number;

  constructor(status: 429 | 418, message: string, retryAfterMs: number) {
    super(status, -1003, message);
    this.retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  }
}

/**
 * Binance's request weight: so much in each wall minute; above it 429 with Retry-After, and for who goes on all the same 418
 * ("IP Limits"). One account, one client address: one count.
 */
export class RateLimit {
  readonly #clock: Clock;
  readonly #perMinute: number;
  #minute = Number.NEGATIVE_INFINITY;
  #used = 0;
  #refused = 0;
  #bannedUntilMs = Number.NEGATIVE_INFINITY;
  #bans = 0;

  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** Weight used in this minute. */
  get used(): number {
    return this.#used;
  }

  get bans(): number {
    return this.#bans;
  }

  /** Counts a request, or throws TooMany. */
  take(weight: number): void {
    const nowMs = this.#clock.nowMs();
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#used = 0;
      this.#refused = 0;
    }
    if (nowMs < this.#bannedUntilMs) throw this.#banned(nowMs);
    this.#used += weight;
    if (this.#used <= this.#perMinute) return;
    this.#refused++;
    if (this.#refused > PATIENCE) {
      this.#bannedUntilMs = nowMs + Math.min(LONGEST_BAN_MS, FIRST_BAN_MS * 2 ** this.#bans);
      this.#bans++;
      throw this.#banned(nowMs);
    }
    const message = `Too much request weight used; current limit is ${this.#perMinute} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`;
    throw new TooMany(429, message, (minute + 1) * MINUTE_MS - nowMs);
  }

  #banned(nowMs: number): TooMany {
    const message = `Way too much request weight used; IP banned until ${this.#bannedUntilMs}. Please use WebSocket Streams for live updates to avoid bans.`;
    return new TooMany(418, message, this.#bannedUntilMs - nowMs);
  }
}
