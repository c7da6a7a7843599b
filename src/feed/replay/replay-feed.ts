import type { Candle } from "../../core/candle.ts";
import type { Clock, Files, Log, Timer, Timers } from "../../core/env.ts";
import { assert, FabricError } from "../../core/errors.ts";
import type { FeedFacts, FeedSink, MarketFeed, Trade } from "../contract.ts";
import type { TradesFrame, Venue, VenueFrame, VenueId, VenueReader, VenueTrade } from "../venues/contract.ts";
import { VENUES } from "../venues/venues.ts";
import { readRecordedLine } from "./recorded-line.ts";
import { RecordingTime } from "./recording-time.ts";
import { inspect, type ReplayFile } from "./replay-file.ts";
import { type RowSource, StreamChoice } from "./stream-choice.ts";
import { type LineFaults, readLines } from "./text-lines.ts";
import { TradeCsv } from "./trade-csv.ts";
import { tradeOfRow } from "./trade-row.ts";

/** The rows of a Parquet file, in order, columns by name. */
export type ParquetRows = (path: string) => AsyncIterable<Readonly<Record<string, unknown>>>;

export interface ReplayFeedOptions {
  /** Played one after the other. */
  readonly files: readonly string[];
  readonly symbols: readonly string[];
  /** Exchange ms per wall ms, above 0; or as fast as the sink takes it. */
  readonly speed: number | "max";
}

export interface ReplayFeedDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Without it Parquet files are refused. */
  readonly parquetRows?: ParquetRows;
}

/** Pauses shorter than this (wall) are not worth a timer. */
const MIN_PAUSE_MS = 2;
const ROWS_PER_BLOCK = 2048;

/**
 * Recordings and trade files as a MarketFeed. It reads through to the end, tells the recording's own time by every message
 * that has one, and waits where the sink has no room.
 */
export class ReplayFeed implements MarketFeed {
  readonly venue: VenueId;
  readonly idsCount: boolean;
  readonly recording = true;
  readonly #options: ReplayFeedOptions;
  readonly #deps: ReplayFeedDeps;
  readonly #inputs: readonly ReplayFile[];
  readonly #choice: StreamChoice;
  readonly #time: RecordingTime;
  /** Per symbol, where the venue gives no ids: how many trades came. */
  readonly #ordinals = new Map<string, number>();
  /** Symbols whose subscription was seen to be taken; true while their next row may be one of before it. */
  readonly #repeats = new Map<string, boolean>();
  #stopped = false;
  #pause: { readonly timer: Timer; readonly resolve: () => void } | null = null;
  #paceOrigin: { readonly timeMs: number; readonly at: number } | null = null;
  #readAt: number | null = null;
  readonly #counters = {
    "lines.total": 0,
    "lines.bad.total": 0,
    "lines.other.total": 0,
    "files.damaged.total": 0,
    "trades.total": 0,
    "omitted.total": 0,
    "history.total": 0,
    "symbols.other.total": 0,
  };

  private constructor(options: ReplayFeedOptions, deps: ReplayFeedDeps, inputs: readonly ReplayFile[]) {
    this.#options = options;
    this.#deps = deps;
    this.#inputs = inputs;
    const first = inputs.find((input) => input.venue !== null);
    this.venue = first?.venue ?? "binance-spot";
    this.idsCount = first?.idsCount ?? true;
    this.#choice = new StreamChoice(this.venue, this.idsCount, options.symbols);
    this.#time = new RecordingTime(options.symbols);
  }

  /**
   * Looks into every file. Throws FabricError: "missing-input" for a file that is not there, "bad-data" where no file holds
   * a trade, "usage" where a trade file (which names no symbol) meets other than one symbol.
   */
  static async open(options: ReplayFeedOptions, deps: ReplayFeedDeps): Promise<ReplayFeed> {
    if (options.files.length === 0) throw new FabricError("usage", "Cannot replay: no --file was given");
    const inputs: ReplayFile[] = [];
    for (const path of options.files) inputs.push(await inspect(path, deps.files));
    const single = inputs.find((input) => input.kind !== "recording");
    if (single !== undefined && options.symbols.length !== 1) {
      throw new FabricError(
        "usage",
        `Cannot replay ${single.path}: a trade file names no symbol, so --symbols must name exactly one, ` +
          `found ${options.symbols.length}`,
      );
    }
    if (single?.kind === "parquet" && deps.parquetRows === undefined) {
      throw new FabricError("usage", `Cannot replay ${single.path}: Parquet is not readable here`);
    }
    if (inputs.every((input) => !input.readable)) {
      const names = options.files.join(", ");
      throw new FabricError(
        "bad-data",
        `Cannot replay ${names}: no line is a trade of a recording (of fabric venues) or a trade file`,
      );
    }
    return new ReplayFeed(options, deps, inputs);
  }

  /** Resolves at the end of the last file. Rejects "bad-data" where nothing in them was a trade. */
  async run(sink: FeedSink): Promise<void> {
    this.#stopped = false;
    sink.onConnected(this.#options.symbols);
    for (const input of this.#inputs) {
      if (this.#stopped) return;
      this.#time.fileStarts();
      if (input.kind === "parquet") await this.#playParquet(input.path, sink);
      else await this.#playText(input, sink);
    }
    if (this.#stopped) return;
    this.#refuseNothing();
    const { "lines.bad.total": bad, "files.damaged.total": damaged } = this.#counters;
    if (bad > 0 || damaged > 0) {
      this.#deps.log.warn(`Skipped ${bad} bad lines of the replayed files; ${damaged} of the files ended early`);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause?.timer.cancel();
    this.#pause?.resolve();
  }

  async klines(): Promise<readonly Candle[]> {
    return [];
  }

  facts(): FeedFacts {
    return {
      connected: !this.#stopped,
      exchangeTimeMs: this.#time.timeMs,
      speed: this.#options.speed === "max" ? 0 : this.#options.speed,
      environment: "recording",
      ageMs: this.#readAt === null ? null : this.#deps.clock.monotonicMs() - this.#readAt,
      counters: { ...this.#counters },
    };
  }

  async #playText(input: ReplayFile, sink: FeedSink): Promise<void> {
    const faults: LineFaults = { damage: null };
    const csv = input.kind === "csv" ? new TradeCsv(this.#options.symbols[0] ?? "") : null;
    const venue = venueOf(input.venue ?? this.venue);
    const reader = venue.reader();
    for await (const lines of readLines(this.#deps.files.readBytes(input.path), faults)) {
      for (const line of lines) {
        this.#counters["lines.total"]++;
        const timeMs = csv === null ? this.#playLine(venue, reader, line, sink) : this.#playRow(csv, line, sink);
        const wait = sink.backpressure?.() ?? (timeMs === null ? null : this.#pace(timeMs));
        if (wait !== null) await wait;
        if (this.#stopped) return;
      }
      await this.#breathe();
    }
    if (faults.damage === null) return;
    this.#counters["files.damaged.total"]++;
    this.#deps.log.warn(`${input.path} ends early or is damaged (${faults.damage}); what was readable is played`);
  }

  async #playParquet(path: string, sink: FeedSink): Promise<void> {
    const symbol = this.#options.symbols[0] ?? "";
    let count = 0;
    for await (const row of this.#deps.parquetRows?.(path) ?? []) {
      this.#counters["lines.total"]++;
      const timeMs = this.#playTrade(tradeOfRow(symbol, row), sink);
      const wait = sink.backpressure?.() ?? (timeMs === null ? null : this.#pace(timeMs));
      if (wait !== null) await wait;
      if (this.#stopped) return;
      if (++count % ROWS_PER_BLOCK === 0) await this.#breathe();
    }
  }

  /** A replay of nothing is a mistake, and says what there was instead. */
  #refuseNothing(): void {
    if (this.#counters["trades.total"] > 0) return;
    const names = this.#options.files.join(", ");
    const { others: found } = this.#choice;
    const others = found.length > 0 ? `; it holds ${found.join(", ")} of ${this.venue}` : "";
    throw new FabricError(
      "bad-data",
      `Cannot replay ${names}: found no trade of ${this.#options.symbols.slice(0, 10).join(", ")}${others}`,
    );
  }

  #playRow(csv: TradeCsv, line: string, sink: FeedSink): number | null {
    const row = line.trim() === "" ? "header" : csv.read(line);
    if (row !== "header") return this.#playTrade(row, sink);
    this.#counters["lines.other.total"]++;
    return null;
  }

  #playTrade(trade: Trade | null, sink: FeedSink): number | null {
    if (trade === null) {
      this.#counters["lines.bad.total"]++;
      return null;
    }
    if (!this.#believes(trade.timeMs, sink)) return null;
    this.#take(trade, sink);
    return trade.timeMs;
  }

  /** The line's event time, null where it has none. */
  #playLine(venue: Venue, reader: VenueReader, line: string, sink: FeedSink): number | null {
    const frame = readRecordedLine(reader, line);
    if (frame === null) {
      this.#counters["lines.bad.total"]++;
      return null;
    }
    if (frame !== "note" && frame.type === "trades") return this.#playTrades(frame, sink);
    if (frame !== "note" && frame.type === "ack" && venue.repeatsLastTrade) {
      for (const symbol of frame.symbols) if (!this.#repeats.has(symbol)) this.#repeats.set(symbol, true);
    }
    const timeMs = frame === "note" ? null : toldTime(frame);
    if (timeMs !== null && !this.#believes(timeMs, sink)) return null;
    this.#counters["lines.other.total"]++;
    if (timeMs !== null) this.#time.tell(timeMs, sink);
    return timeMs;
  }

  #playTrades(frame: TradesFrame, sink: FeedSink): number | null {
    this.#counters["history.total"] += frame.history.length;
    let timeMs: number | null = null;
    for (const trade of frame.trades) timeMs = this.#playRecorded(trade, frame, sink) ?? timeMs;
    for (const row of frame.omitted) {
      if (!this.#believes(row.timeMs, sink)) continue;
      timeMs = row.timeMs;
      this.#time.note(timeMs, sink);
      if (!this.#isOurs(row.symbol, sourceOf(frame, row.firstId))) continue;
      this.#counters["omitted.total"]++;
      if (row.firstId !== null && row.lastId !== null)
        sink.onOmitted?.(row.symbol, row.firstId, row.lastId, row.timeMs);
    }
    return timeMs;
  }

  #playRecorded(trade: VenueTrade, frame: TradesFrame, sink: FeedSink): number | null {
    if (this.#repeats.get(trade.symbol)) {
      this.#repeats.set(trade.symbol, false);
      this.#counters["history.total"]++;
      // Nothing marks it: should it be a live one after all, its minute must not pass for whole.
      sink.onUnreadable?.([trade.symbol], "the first row after a subscription may be of before it");
      return null;
    }
    if (!this.#believes(trade.timeMs, sink)) return null;
    if (this.#isOurs(trade.symbol, sourceOf(frame, trade.id))) this.#take(this.#numbered(trade), sink);
    else this.#time.tell(trade.timeMs, sink);
    return trade.timeMs;
  }

  #take(trade: Trade, sink: FeedSink): void {
    this.#time.note(trade.timeMs, sink);
    this.#counters["trades.total"]++;
    sink.onTrade(trade);
  }

  /** A trade without an id gets its place in the order of arrival. */
  #numbered(trade: VenueTrade): Trade {
    if (hasId(trade)) return trade;
    const id = (this.#ordinals.get(trade.symbol) ?? 0) + 1;
    this.#ordinals.set(trade.symbol, id);
    return { ...trade, id };
  }

  #isOurs(symbol: string, source: RowSource): boolean {
    if (this.#choice.takes(symbol, source)) return true;
    this.#counters["symbols.other.total"]++;
    return false;
  }

  #believes(timeMs: number, sink: FeedSink): boolean {
    if (this.#time.believes(timeMs, sink)) return true;
    this.#counters["lines.bad.total"]++;
    return false;
  }

  #pace(timeMs: number): Promise<void> | null {
    if (this.#options.speed === "max") return null;
    const now = this.#deps.clock.monotonicMs();
    this.#paceOrigin ??= { timeMs, at: now };
    const delayMs = this.#paceOrigin.at + (timeMs - this.#paceOrigin.timeMs) / this.#options.speed - now;
    return delayMs < MIN_PAUSE_MS ? null : this.#sleep(delayMs);
  }

  /** Lets timers and sockets have their turn between two blocks. */
  #breathe(): Promise<void> {
    this.#readAt = this.#deps.clock.monotonicMs();
    return this.#sleep(0);
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.timers.after(delayMs, resolve);
      this.#pause = { timer, resolve };
    });
  }
}

function hasId(trade: VenueTrade): trade is Trade {
  return trade.id !== null;
}

function sourceOf({ venue, stream }: TradesFrame, id: number | null): RowSource {
  return { venue, stream, idsCount: id !== null };
}

function venueOf(id: VenueId): Venue {
  const venue = VENUES.find((one) => one.id === id);
  assert(venue !== undefined, `${id} is a venue`);
  return venue;
}

/** The event time of a recorded message that is no trade, null where it has none. */
function toldTime(frame: VenueFrame): number | null {
  return frame.type === "other" || frame.type === "heartbeat" ? frame.eventTimeMs : null;
}
