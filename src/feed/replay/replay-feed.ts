import type { Candle } from "../../core/candle.ts";
import type { Clock, Files, Log, Timers } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import type { FeedFacts, FeedSink, MarketFeed } from "../contract.ts";
import type { VenueId } from "../venues/contract.ts";
import { venueOf } from "../venues/venues.ts";
import { emptyCounts, LinePlayer } from "./line-player.ts";
import { receivedMs } from "./recorded-line.ts";
import { inspect, type ReplayFile } from "./replay-file.ts";
import { ReplayPace } from "./replay-pace.ts";
import { StreamChoice } from "./stream-choice.ts";
import { type LineFaults, readLines } from "./text-lines.ts";
import { TradeCsv } from "./trade-csv.ts";
import { tradeOfRow } from "./trade-row.ts";

/** The rows of a Parquet file, in order, columns by name. */
export type ParquetRows = (path: string) => AsyncIterable<Readonly<Record<string, unknown>>>;

export interface ReplayFeedOptions {
  /** Played one after the other. */
  readonly files: readonly string[];
  readonly symbols: readonly string[];
  /** Recorded ms (as received; of a trade file as traded) per wall ms, above 0; or as fast as the sink takes it. */
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

const ROWS_PER_BLOCK = 2048;

/**
 * Recordings and trade files as a MarketFeed. It reads through to the end, tells the recording's own time by every message
 * that has one (or as the recording's notes do), and waits where the sink has no room.
 */
export class ReplayFeed implements MarketFeed {
  readonly venue: VenueId;
  readonly idsCount: boolean;
  readonly recording = true;
  readonly #options: ReplayFeedOptions;
  readonly #deps: ReplayFeedDeps;
  readonly #inputs: readonly ReplayFile[];
  readonly #choice: StreamChoice;
  readonly #counters = emptyCounts();
  readonly #player: LinePlayer;
  readonly #pace: ReplayPace;
  #stopped = false;
  #readAt: number | null = null;

  private constructor(options: ReplayFeedOptions, deps: ReplayFeedDeps, inputs: readonly ReplayFile[]) {
    this.#options = options;
    this.#deps = deps;
    this.#inputs = inputs;
    const first = inputs.find((input) => input.venue !== null);
    this.venue = first?.venue ?? "binance-spot";
    this.idsCount = first?.idsCount ?? true;
    this.#choice = new StreamChoice(this.venue, this.idsCount, options.symbols);
    this.#player = new LinePlayer(
      { symbols: options.symbols, isOnly: inputs.length === 1 },
      this.#choice,
      this.#counters,
    );
    this.#pace = new ReplayPace(options.speed, deps);
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
    for (const input of this.#inputs) {
      if (this.#stopped) return;
      this.#pace.restart();
      this.#player.fileStarts(input.noted, sink);
      if (input.kind === "parquet") await this.#playParquet(input.path, sink);
      else await this.#playText(input, sink);
    }
    if (this.#stopped) return;
    this.#player.finish(sink);
    this.#refuseNothing();
    const { "lines.bad.total": bad, "files.damaged.total": damaged } = this.#counters;
    if (bad > 0 || damaged > 0) {
      this.#deps.log.warn(`Skipped ${bad} bad lines of the replayed files; ${damaged} of the files ended early`);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pace.wake();
  }

  async klines(): Promise<readonly Candle[]> {
    return [];
  }

  facts(): FeedFacts {
    return {
      connected: !this.#stopped,
      exchangeTimeMs: this.#player.timeMs,
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
        const due = csv === null && this.#pace.isPaced ? this.#pace.until(receivedMs(line)) : null;
        if (due !== null) await due;
        if (this.#stopped) return;
        if (csv === null) this.#player.play(venue, reader, line, sink);
        const timeMs = csv === null ? null : this.#playRow(csv, line, sink);
        const wait = sink.backpressure?.() ?? this.#pace.until(timeMs);
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
      const timeMs = this.#player.playTrade(tradeOfRow(symbol, row), sink);
      const wait = sink.backpressure?.() ?? this.#pace.until(timeMs);
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
    if (row !== "header") return this.#player.playTrade(row, sink);
    this.#counters["lines.other.total"]++;
    return null;
  }

  /** Lets timers and sockets have their turn between two blocks. */
  #breathe(): Promise<void> {
    this.#readAt = this.#deps.clock.monotonicMs();
    return this.#pace.sleep(0);
  }
}
