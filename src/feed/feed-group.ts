import { MINUTE_MS, minuteOf } from "../core/time.ts";
import type { SymbolTrack } from "./symbol-track.ts";

/**
 * The symbols of one connection, which share a watermark: the newest exchange time that it told. A minute closes for all
 * of them when the watermark passes its end by the lateness allowance.
 */
export class FeedGroup {
  tracks: readonly SymbolTrack[];
  watermark: number | null = null;
  /** The watermark that closes the next minute. */
  closeAt = Number.NEGATIVE_INFINITY;
  readonly #lateAllowanceMs: number;
  readonly #historyMinutes: number;
  #evident = false;
  /** The venue's clock was told: a message's time, which may be that of a late trade, counts no more. */
  #certain = false;
  /** Tracks of which something unreadable may have come since a time was last told for certain. */
  readonly #suspects = new Set<SymbolTrack>();

  constructor(tracks: readonly SymbolTrack[], lateAllowanceMs: number, historyMinutes: number) {
    this.tracks = tracks;
    this.#lateAllowanceMs = lateAllowanceMs;
    this.#historyMinutes = historyMinutes;
  }

  /** The venue's time is known: tracks that have not begun do, at its minute. */
  begin(timeMs: number): void {
    for (const track of this.tracks) {
      if (track.aggregator === null) track.begin(minuteOf(timeMs), this.#historyMinutes);
    }
  }

  /** The first message that tells a time was published while we listened, and as a rule trails the venue's clock by the allowance. */
  evidence(timeMs: number): void {
    if (this.#evident) return;
    this.#evident = true;
    this.begin(timeMs);
    if (this.#certain) return;
    for (const track of this.tracks) track.aggregator?.heardSince(timeMs + this.#lateAllowanceMs);
  }

  /**
   * The venue's clock: whatever these symbols traded after this time was heard and read. Outranks what a message told. Gives the
   * tracks.
   */
  told(timeMs: number): readonly SymbolTrack[] {
    this.begin(timeMs);
    this.#suspects.clear();
    const anew = !this.#certain;
    this.#certain = true;
    for (const track of this.tracks) track.aggregator?.heardSince(timeMs + this.#lateAllowanceMs, anew);
    return this.tracks;
  }

  /**
   * Something unreadable came, perhaps a trade of this symbol: from the watermark on nothing is certain any more. Costs no
   * request, so a flood does no harm: the minutes touched ask for their klines once they close.
   */
  suspect(track: SymbolTrack): void {
    this.interrupt(track);
    this.#suspects.add(track);
  }

  /** A trade was read: what was unreadable came before it, so it was traded at most the allowance later. */
  readAgain(timeMs: number): void {
    if (this.#suspects.size === 0) return;
    const readMs = Math.max(timeMs, this.watermark ?? timeMs);
    for (const track of this.#suspects) track.aggregator?.heardSince(readMs + this.#lateAllowanceMs);
    this.#suspects.clear();
  }

  /** The venue refuses the track's symbol. */
  leave(track: SymbolTrack): void {
    this.tracks = this.tracks.filter((other) => other !== track);
    this.#suspects.delete(track);
  }

  /** Moves the watermark up; true where that closes a minute (call `close` then). */
  tell(timeMs: number): boolean {
    if (this.watermark === null || timeMs > this.watermark) this.watermark = timeMs;
    return timeMs >= this.closeAt;
  }

  /** Closes whatever the watermark has passed. */
  close(): void {
    if (this.watermark === null) return;
    const open = minuteOf(this.watermark - this.#lateAllowanceMs);
    this.closeAt = open + MINUTE_MS + this.#lateAllowanceMs;
    for (const track of this.tracks) track.closeThrough(open - MINUTE_MS);
  }

  /** The end of a recording: the allowance is waived, and what is still open was seen in part. */
  closeAll(): void {
    if (this.watermark === null) return;
    for (const track of this.tracks) {
      track.closeThrough(minuteOf(this.watermark) - MINUTE_MS);
      track.closeRest();
    }
  }

  /**
   * The connection is gone. What trails the watermark by more than the allowance had been heard; without a watermark
   * nothing of the open minutes is certain.
   */
  interrupt(track: SymbolTrack): void {
    const { aggregator } = track;
    if (aggregator === null) return;
    aggregator.interrupt(this.watermark === null ? aggregator.nextClose : this.watermark - this.#lateAllowanceMs);
  }
}
