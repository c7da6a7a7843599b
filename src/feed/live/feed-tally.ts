import type { Clock, Log } from "../../core/env.ts";
import type { TradesFrame, VenueFrame } from "../venues/contract.ts";
import { RecentCount } from "./recent-count.ts";

const LOG_SPACING_MS = 10_000;

/** What a live feed counts of its messages, and what it says of them. */
export class FeedTally {
  readonly counters = {
    "messages.total": 0,
    "trades.total": 0,
    "omitted.total": 0,
    "malformed.total": 0,
    "other.total": 0,
    "implausible.total": 0,
    /** Frames that may have been trades: malformed and implausible ones. */
    "unreadable.total": 0,
    /** Trades of before a subscription, sent along with it. */
    "history.total": 0,
    /** Stretches of messages that the venue's own numbers show to be lost. */
    "lost.total": 0,
    "reconnects.total": 0,
    /** Connections that took the place of one about to be closed, with nothing lost. */
    "overlaps.total": 0,
    "quiet.total": 0,
  };
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #unreadable = new RecentCount();
  #lastMessageAt: number | null = null;
  #lastLogAt = Number.NEGATIVE_INFINITY;

  constructor(deps: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Wall ms since the last message; null before the first. */
  get ageMs(): number | null {
    return this.#lastMessageAt === null ? null : this.#clock.monotonicMs() - this.#lastMessageAt;
  }

  /** What could not be read lately, in words; null where nothing. */
  get trouble(): string | null {
    const count = this.#unreadable.total(this.#clock.monotonicMs());
    return count === 0 ? null : `${count} unreadable frames in the last minute`;
  }

  message(): void {
    this.counters["messages.total"]++;
    this.#lastMessageAt = this.#clock.monotonicMs();
  }

  /** What is wrong with the frame, or null: it was read. */
  faultOf(frame: Exclude<VenueFrame, TradesFrame>): (VenueFrame & { readonly type: "malformed" }) | null {
    this.message();
    if (frame.type === "heartbeat" || frame.type === "other") this.counters["other.total"]++;
    if (frame.type !== "malformed") return null;
    this.counters["malformed.total"]++;
    return frame;
  }

  /** It may have been a trade. */
  unreadable(reason: string): void {
    this.counters["unreadable.total"]++;
    this.#unreadable.add(this.#clock.monotonicMs());
    this.say(`Cannot read a message of the venue (${reason}): the minutes it touches wait for the venue's klines`);
  }

  lost(reason: string): void {
    this.counters["lost.total"]++;
    this.say(`Messages of the venue were lost (${reason}): the minutes they touch wait for the venue's klines`);
  }

  /** At most one line in 10 s. */
  say(message: string): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#lastLogAt < LOG_SPACING_MS) return;
    this.#lastLogAt = now;
    this.#log.warn(message);
  }
}
