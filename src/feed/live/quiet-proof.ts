import type { Clock } from "../../core/env.ts";
import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import type { Venue, VenueClockReading } from "../venues/contract.ts";
import type { Session } from "./session.ts";
import type { VenueClock } from "./venue-clock.ts";

/** Between two questions to a venue that does not tell its time. */
const UNTOLD_SPACING_MS = 1000;
/** Between two proofs, where the venue would take more messages. */
const SPACING_MS = 250;

export interface QuietProofOptions {
  readonly venue: Venue;
  readonly staleAfterMs: number;
  readonly lateAllowanceMs: number;
}

export interface QuietProofDeps {
  readonly clock: Clock;
  readonly venueClock: VenueClock;
  askTime(): Promise<VenueClockReading | null>;
}

/**
 * Proves a quiet minute: asks the venue for its time, then probes the session. The answer overtakes no trade, so once it is here
 * nothing up to that time is outstanding, however long the venue, the wire or we stood still meanwhile. Where the venue does not tell
 * its time, the answer is a sign of life and proves nothing.
 */
export class QuietProof {
  /** Messages so far that could not be read or believed, or were lost. */
  unreadable = 0;
  readonly #options: QuietProofOptions;
  readonly #deps: QuietProofDeps;
  readonly #onQuiet: (told: VenueClockReading, allRead: boolean) => void;
  #state: "idle" | "asking" | "told" | "probed" = "idle";
  /** The venue's own time, and how much unreadable had come when it was asked for. */
  #told: { readonly reading: VenueClockReading; readonly unreadable: number } | null = null;
  #nextAt = Number.NEGATIVE_INFINITY;
  /** Exchange time up to which the watermark is known to have come. */
  #provenMs = Number.NEGATIVE_INFINITY;
  #life = 0;

  /** `onQuiet`: nothing at or before this time is outstanding; `allRead`: nothing unreadable has come since it was asked for. */
  constructor(
    options: QuietProofOptions,
    deps: QuietProofDeps,
    onQuiet: (told: VenueClockReading, allRead: boolean) => void,
  ) {
    this.#options = options;
    this.#deps = deps;
    this.#onQuiet = onQuiet;
  }

  /** A connection begins: nothing is proven of it. */
  begin(): void {
    this.yield();
    this.#provenMs = Number.NEGATIVE_INFINITY;
  }

  /** What is under way proves nothing any more. */
  yield(): void {
    this.#life++;
    this.#state = "idle";
    this.#told = null;
  }

  /** A trade of this time was read. */
  heard(timeMs: number): void {
    if (timeMs > this.#provenMs) this.#provenMs = timeMs;
  }

  /** The session's probe was answered. */
  answered(): void {
    const told = this.#told;
    this.#state = "idle";
    this.#told = null;
    if (told === null) return;
    const { timeMs, precisionMs } = told.reading;
    const quietMs = timeMs - this.#options.venue.probe.gathersMs;
    if (quietMs <= this.#provenMs) return;
    this.#provenMs = quietMs;
    this.#onQuiet({ timeMs: quietMs, precisionMs }, told.unreadable === this.unreadable);
  }

  /** Asks and probes where it is time to. */
  tick(session: Session, now: number): void {
    if (this.#state === "idle" && this.#isWanted(session, now)) this.#ask(session, now);
    else if (this.#state === "told") this.#probe(session, now);
  }

  /** A minute's end has passed on the venue's clock and nothing heard says so, or nothing at all was heard for long. */
  #isWanted(session: Session, now: number): boolean {
    if (now < this.#nextAt || !session.isFree(now)) return false;
    if (now - session.lastFrameAt > this.#options.staleAfterMs) return true;
    const venueMs = this.#deps.venueClock.now();
    if (venueMs === null) return false;
    const late = this.#options.lateAllowanceMs;
    return minuteOf(venueMs - late) > minuteOf(Math.max(this.#provenMs, venueMs - 10 * MINUTE_MS) - late);
  }

  #ask(session: Session, now: number): void {
    this.#state = "asking";
    this.#nextAt = now + SPACING_MS;
    const life = this.#life;
    const { unreadable } = this;
    void this.#deps.askTime().then((reading) => {
      if (life !== this.#life) return;
      const at = this.#deps.clock.monotonicMs();
      if (reading === null) this.#nextAt = at + UNTOLD_SPACING_MS;
      this.#told = reading === null ? null : { reading, unreadable };
      this.#state = "told";
      this.#probe(session, at);
    });
  }

  #probe(session: Session, now: number): void {
    if (!session.isFree(now)) return;
    this.#state = "probed";
    session.probe(now);
  }
}
