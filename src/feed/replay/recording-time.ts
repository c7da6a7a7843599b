import type { FeedSink } from "../contract.ts";

/** A jump between two files by more than this (event time) is a stretch that nobody listened to. */
const MAX_JUMP_MS = 5000;
/**
 * A message this far past the newest one (event time) is not believed until the next one agrees with it: a single damaged time
 * would otherwise be followed by empty minutes for years. Where both agree, nobody listened in between.
 */
const MAX_SILENCE_MS = 24 * 3_600_000;
/** Where notes tell the venue's time, as the live feed believes none further ahead of the venue's clock. */
const MAX_NOTED_SILENCE_MS = 3_600_000;

/** A recording's own time, and the stretches that nobody listened to. */
export class RecordingTime {
  #symbols: readonly string[] = [];
  #timeMs: number | null = null;
  #fileStarts = false;
  #follows = true;
  /** The time of the newest message that came too far ahead. */
  #aheadMs: number | null = null;

  /** Who is heard from now on. */
  hears(symbols: readonly string[]): void {
    this.#symbols = symbols;
  }

  /** The newest event time; null before the first. */
  get timeMs(): number | null {
    return this.#timeMs;
  }

  /** `follows`: it may go on where the one before it ended; else whoever plays it has told that nobody listened in between. */
  fileStarts(follows: boolean): void {
    this.#fileStarts = true;
    this.#follows = follows;
  }

  /** Between two files that do not follow each other nobody listened. */
  note(timeMs: number, sink: FeedSink): void {
    if (this.#fileStarts) {
      this.#fileStarts = false;
      if (this.#follows && this.#timeMs !== null && Math.abs(timeMs - this.#timeMs) > MAX_JUMP_MS) {
        sink.onInterrupted(this.#symbols, "the next file begins at another time");
        sink.onConnected(this.#symbols);
      }
    }
    if (this.#timeMs === null || timeMs > this.#timeMs) this.#timeMs = timeMs;
  }

  /** As `note`, for a message of which the ingest hears only the time. */
  tell(timeMs: number, sink: FeedSink): void {
    this.note(timeMs, sink);
    sink.onTime?.(this.#symbols, timeMs);
  }

  /** False for a message far ahead of all before it. */
  believes(timeMs: number, sink: FeedSink): boolean {
    const mostMs = this.#follows ? MAX_SILENCE_MS : MAX_NOTED_SILENCE_MS;
    const isAhead = this.#timeMs !== null && !this.#fileStarts && timeMs > this.#timeMs + mostMs;
    const agrees = this.#aheadMs !== null && Math.abs(timeMs - this.#aheadMs) <= mostMs;
    this.#aheadMs = isAhead ? timeMs : null;
    if (!isAhead) return true;
    if (!agrees) return false;
    sink.onInterrupted(this.#symbols, "the recording goes on at another time");
    sink.onConnected(this.#symbols);
    return true;
  }
}
