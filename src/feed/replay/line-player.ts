import type { FeedSink, Trade } from "../contract.ts";
import type { TradesFrame, Venue, VenueFrame, VenueReader, VenueTrade } from "../venues/contract.ts";
import { NotePlayer } from "./note-player.ts";
import { readRecordedLine } from "./recorded-line.ts";
import { readNote } from "./recording-note.ts";
import { RecordingTime } from "./recording-time.ts";
import { RepeatWatch } from "./repeat-watch.ts";
import type { RowSource, StreamChoice } from "./stream-choice.ts";

/** What was played and what was not, since the replay began. */
export function emptyCounts() {
  return {
    "lines.total": 0,
    "lines.bad.total": 0,
    "lines.other.total": 0,
    "files.damaged.total": 0,
    "trades.total": 0,
    "omitted.total": 0,
    "history.total": 0,
    "symbols.other.total": 0,
    /** Told by two connections of a venue without ids, and taken once. */
    "overlap.total": 0,
    "interruptions.total": 0,
  };
}

/** Plays what recordings hold: lines through the venue's reader, notes as what the feed said when it was recorded. */
export class LinePlayer {
  readonly #choice: StreamChoice;
  readonly #counts: ReturnType<typeof emptyCounts>;
  readonly #time = new RecordingTime();
  readonly #notes: NotePlayer;
  /** Per symbol, where the venue gives no ids: how many trades came. */
  readonly #ordinals = new Map<string, number>();
  #repeats = new RepeatWatch();
  #noted = false;

  /** `isOnly`: there is one file. */
  constructor(
    { symbols, isOnly }: { readonly symbols: readonly string[]; readonly isOnly: boolean },
    choice: StreamChoice,
    counts: ReturnType<typeof emptyCounts>,
  ) {
    this.#choice = choice;
    this.#counts = counts;
    this.#notes = new NotePlayer(symbols, isOnly, this.#time);
  }

  /** The newest event time; null before the first. */
  get timeMs(): number | null {
    return this.#time.timeMs;
  }

  /** `noted`: the file's notes tell who is connected. */
  fileStarts(noted: boolean, sink: FeedSink): void {
    this.#noted = noted;
    if (noted) this.#repeats = new RepeatWatch();
    this.#time.fileStarts(!noted);
    this.#notes.fileStarts(noted, sink);
    this.#counts["interruptions.total"] = this.#notes.interruptions;
  }

  finish(sink: FeedSink): void {
    this.#notes.finish(sink);
  }

  play(venue: Venue, reader: VenueReader, line: string, sink: FeedSink): void {
    const frame = readRecordedLine(reader, line);
    if (frame === null) {
      this.#counts["lines.bad.total"]++;
      return;
    }
    if (frame === "note") {
      this.#counts["lines.other.total"]++;
      if (this.#noted) this.#playNote(line, sink);
      return;
    }
    const connection = this.#notes.connectionOf(line);
    if (frame.type === "trades") {
      this.#playTrades(frame, connection, sink);
      return;
    }
    if (frame.type === "ack" && venue.repeatsLastTrade) this.#repeats.taken(frame.symbols, connection);
    // What the feed took for the venue's time is in the notes.
    const timeMs = this.#noted ? null : toldTime(frame);
    if (timeMs !== null && !this.#believes(timeMs, sink)) return;
    this.#counts["lines.other.total"]++;
    if (timeMs !== null) this.#time.tell(timeMs, sink);
  }

  /** A row of a trade file, null for one that cannot be read; its time where it was taken. */
  playTrade(trade: Trade | null, sink: FeedSink): number | null {
    if (trade === null) {
      this.#counts["lines.bad.total"]++;
      return null;
    }
    if (!this.#believes(trade.timeMs, sink)) return null;
    this.#take(trade, sink);
    return trade.timeMs;
  }

  #playNote(line: string, sink: FeedSink): void {
    const note = readNote(line);
    if (note === null) return;
    if (note.note === "repaired") {
      if (this.#isOurs(note.trade.symbol, null) && this.#believes(note.trade.timeMs, sink))
        this.#take(note.trade, sink);
      return;
    }
    if (note.note === "closed") this.#repeats.forget(note.connection);
    this.#notes.play(note, sink);
    this.#counts["interruptions.total"] = this.#notes.interruptions;
  }

  #playTrades(frame: TradesFrame, connection: number, sink: FeedSink): void {
    this.#counts["history.total"] += frame.history.length;
    for (const trade of frame.trades) this.#playRecorded(trade, frame, connection, sink);
    for (const row of frame.omitted) {
      if (!this.#believes(row.timeMs, sink)) continue;
      this.#time.note(row.timeMs, sink);
      if (!this.#isOurs(row.symbol, sourceOf(frame, row.firstId))) continue;
      this.#counts["omitted.total"]++;
      if (row.firstId !== null && row.lastId !== null)
        sink.onOmitted?.(row.symbol, row.firstId, row.lastId, row.timeMs);
    }
  }

  #playRecorded(trade: VenueTrade, frame: TradesFrame, connection: number, sink: FeedSink): void {
    if (this.#repeats.isRepeat(trade.symbol, connection)) {
      this.#counts["history.total"]++;
      // Nothing marks it: should it be a live one after all, its minute must not pass for whole. (Notes say where it was doubted.)
      if (!this.#noted) sink.onUnreadable?.([trade.symbol], "the first row after a subscription may be of before it");
      return;
    }
    if (!this.#believes(trade.timeMs, sink)) return;
    if (trade.id === null && this.#noted && !this.#notes.carries(trade.symbol, connection)) {
      this.#counts["overlap.total"]++;
      return;
    }
    if (this.#isOurs(trade.symbol, sourceOf(frame, trade.id))) this.#take(this.#numbered(trade), sink);
    else if (!this.#noted) this.#time.tell(trade.timeMs, sink);
  }

  #take(trade: Trade, sink: FeedSink): void {
    this.#time.note(trade.timeMs, sink);
    this.#counts["trades.total"]++;
    sink.onTrade(trade);
  }

  /** A trade without an id gets its place in the order of arrival. */
  #numbered(trade: VenueTrade): Trade {
    if (hasId(trade)) return trade;
    const id = (this.#ordinals.get(trade.symbol) ?? 0) + 1;
    this.#ordinals.set(trade.symbol, id);
    return { ...trade, id };
  }

  /** `source`: null for whichever the symbol's trades come from. */
  #isOurs(symbol: string, source: RowSource | null): boolean {
    if (this.#choice.takes(symbol, source)) return true;
    this.#counts["symbols.other.total"]++;
    return false;
  }

  #believes(timeMs: number, sink: FeedSink): boolean {
    if (this.#time.believes(timeMs, sink)) return true;
    this.#counts["lines.bad.total"]++;
    return false;
  }
}

function hasId(trade: VenueTrade): trade is Trade {
  return trade.id !== null;
}

function sourceOf({ venue, stream }: TradesFrame, id: number | null): RowSource {
  return { venue, stream, idsCount: id !== null };
}

/** The event time of a recorded message that is no trade, null where it has none. */
function toldTime(frame: VenueFrame): number | null {
  return frame.type === "other" || frame.type === "heartbeat" ? frame.eventTimeMs : null;
}
