import type { Candle } from "../../core/candle.ts";
import type { Clock, Files, Log, Timer, Timers } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import type { BinanceMarket, Frame } from "../binance/frame.ts";
import { FrameReader } from "../binance/frame-reader.ts";
import type { FeedFacts, FeedSink, MarketFeed, Trade } from "../contract.ts";
import { readRecordedLine } from "./recorded-line.ts";
import { inspect, type ReplayFile } from "./replay-file.ts";
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

/** A jump between two files by more than this (event time) is a stretch that nobody listened to. */
const MAX_JUMP_MS = 5000;
/**
 * A message this far past the newest one (event time) is not believed until the next one agrees with it: a single damaged time
 * would otherwise be followed by empty minutes for years. Where both agree, nobody listened in between.
 */
const MAX_SILENCE_MS = 24 * 3_600_000;
/** Pauses shorter than this (wall) are not worth a timer. */
const MIN_PAUSE_MS = 2;
const ROWS_PER_BLOCK = 2048;
const MAX_OTHERS = 5;

/**
 * Recordings and trade files as a MarketFeed. It reads through to the end, tells the recording's own time by every message
 * that has one, and waits where the sink has no room.
 */
export class ReplayFeed implements MarketFeed {
  readonly venue: BinanceMarket;
  readonly recording = true;
  readonly #options: ReplayFeedOptions;
  readonly #deps: ReplayFeedDeps;
  readonly #inputs: readonly ReplayFile[];
  readonly #symbols: ReadonlySet<string>;
  readonly #reader = new FrameReader();
  /** Whether a symbol's aggTrade frames are taken, or its trade frames: whichever came first, never both. */
  readonly #aggregates = new Map<string, boolean>();
  /** Some symbols that were not asked for, for the message where nothing else was found. */
  readonly #others = new Set<string>();
  #stopped = false;
  #pause: { readonly timer: Timer; readonly resolve: () => void } | null = null;
  #timeMs: number | null = null;
  #paceOrigin: { readonly timeMs: number; readonly at: number } | null = null;
  #readAt: number | null = null;
  #fileStarts = false;
  /** The time of the newest message that came too far ahead. */
  #aheadMs: number | null = null;
  readonly #counters = {
    "lines.total": 0,
    "lines.bad.total": 0,
    "lines.other.total": 0,
    "files.damaged.total": 0,
    "trades.total": 0,
    "omitted.total": 0,
    "symbols.other.total": 0,
  };

  private constructor(options: ReplayFeedOptions, deps: ReplayFeedDeps, inputs: readonly ReplayFile[]) {
    this.#options = options;
    this.#deps = deps;
    this.#inputs = inputs;
    this.#symbols = new Set(options.symbols);
    this.venue = inputs.find((input) => input.market !== null)?.market ?? "binance-spot";
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
      throw new FabricError("bad-data", `Cannot replay ${names}: no line is a trade of a recording or a trade file`);
    }
    return new ReplayFeed(options, deps, inputs);
  }

  /** Resolves at the end of the last file. Rejects "bad-data" where nothing in them was a trade. */
  async run(sink: FeedSink): Promise<void> {
    this.#stopped = false;
    sink.onConnected(this.#options.symbols);
    for (const input of this.#inputs) {
      if (this.#stopped) return;
      this.#fileStarts = true;
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
      exchangeTimeMs: this.#timeMs,
      speed: this.#options.speed === "max" ? 0 : this.#options.speed,
      environment: "recording",
      ageMs: this.#readAt === null ? null : this.#deps.clock.monotonicMs() - this.#readAt,
      counters: { ...this.#counters },
    };
  }

  async #playText(input: ReplayFile, sink: FeedSink): Promise<void> {
    const faults: LineFaults = { damage: null };
    const csv = input.kind === "csv" ? new TradeCsv(this.#options.symbols[0] ?? "") : null;
    for await (const lines of readLines(this.#deps.files.readBytes(input.path), faults)) {
      for (const line of lines) {
        this.#counters["lines.total"]++;
        const timeMs = csv === null ? this.#playLine(line, sink) : this.#playRow(csv, line, sink);
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
    const others = this.#others.size > 0 ? `; it holds ${[...this.#others].join(", ")} of ${this.venue}` : "";
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
    this.#noteTime(trade.timeMs, sink);
    this.#counters["trades.total"]++;
    sink.onTrade(trade);
    return trade.timeMs;
  }

  /** The line's event time, null where it has none. */
  #playLine(line: string, sink: FeedSink): number | null {
    const frame = readRecordedLine(this.#reader, line);
    if (frame === null) {
      this.#counters["lines.bad.total"]++;
      return null;
    }
    if (frame === "note") {
      this.#counters["lines.other.total"]++;
      return null;
    }
    const told = toldTime(frame);
    if (told !== null && !this.#believes(told, sink)) return null;
    switch (frame.type) {
      case "trade":
        return this.#playFrame(frame, sink);
      case "omitted":
        this.#noteTime(frame.timeMs, sink);
        if (this.#isOurs(frame.symbol, frame)) {
          this.#counters["omitted.total"]++;
          sink.onOmitted?.(frame.symbol, frame.firstId, frame.lastId, frame.timeMs);
        }
        return frame.timeMs;
      case "other":
        this.#counters["lines.other.total"]++;
        if (frame.eventTimeMs !== null) this.#tellTime(frame.eventTimeMs, sink);
        return frame.eventTimeMs;
      default:
        this.#counters["lines.other.total"]++;
        return null;
    }
  }

  #playFrame(frame: Frame & { readonly type: "trade" }, sink: FeedSink): number {
    const { trade } = frame;
    if (this.#isOurs(trade.symbol, frame)) {
      this.#noteTime(trade.timeMs, sink);
      this.#counters["trades.total"]++;
      sink.onTrade(trade);
    } else {
      this.#tellTime(trade.timeMs, sink);
    }
    return trade.timeMs;
  }

  /** One market a replay, one kind of stream a symbol: the others' ids count otherwise. */
  #isOurs(symbol: string, frame: { readonly market: BinanceMarket; readonly aggregate: boolean }): boolean {
    if (frame.market === this.venue && this.#symbols.has(symbol)) {
      const aggregates = this.#aggregates.get(symbol);
      if (aggregates === frame.aggregate) return true;
      if (aggregates === undefined) {
        this.#aggregates.set(symbol, frame.aggregate);
        return true;
      }
    }
    this.#counters["symbols.other.total"]++;
    if (this.#others.size < MAX_OTHERS) this.#others.add(symbol);
    return false;
  }

  #tellTime(timeMs: number, sink: FeedSink): void {
    this.#noteTime(timeMs, sink);
    sink.onTime?.(this.#options.symbols, timeMs);
  }

  /** Keeps the recording's time; between two files that do not follow each other nobody listened. */
  #noteTime(timeMs: number, sink: FeedSink): void {
    if (this.#fileStarts) {
      this.#fileStarts = false;
      if (this.#timeMs !== null && Math.abs(timeMs - this.#timeMs) > MAX_JUMP_MS) {
        sink.onInterrupted(this.#options.symbols, "the next file begins at another time");
        sink.onConnected(this.#options.symbols);
      }
    }
    if (this.#timeMs === null || timeMs > this.#timeMs) this.#timeMs = timeMs;
  }

  /** False for a message far ahead of all before it, which counts as a bad line. */
  #believes(timeMs: number, sink: FeedSink): boolean {
    const isAhead = this.#timeMs !== null && !this.#fileStarts && timeMs > this.#timeMs + MAX_SILENCE_MS;
    const agrees = this.#aheadMs !== null && Math.abs(timeMs - this.#aheadMs) <= MAX_SILENCE_MS;
    this.#aheadMs = isAhead ? timeMs : null;
    if (!isAhead) return true;
    if (!agrees) {
      this.#counters["lines.bad.total"]++;
      return false;
    }
    sink.onInterrupted(this.#options.symbols, "the recording goes on at another time");
    sink.onConnected(this.#options.symbols);
    return true;
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

/** The event time of a recorded message, null where it has none. */
function toldTime(frame: Frame): number | null {
  if (frame.type === "trade") return frame.trade.timeMs;
  if (frame.type === "omitted") return frame.timeMs;
  return frame.type === "other" ? frame.eventTimeMs : null;
}
