import type { Candle } from "../core/candle.ts";
import { minuteOf } from "../core/time.ts";
import { Backfill } from "./backfill.ts";
import { BatchOutlet } from "./batch-outlet.ts";
import { closeBatches, MAX_BATCH_ROWS } from "./close-batches.ts";
import type { FeedSink, Trade } from "./contract.ts";
import { FeedGroup } from "./feed-group.ts";
import {
  closedThroughOf,
  countBatch,
  emptyTally,
  type IngestPhase,
  type IngestState,
  lagOf,
  type MarketIngestDeps,
  type MarketIngestOptions,
  totals,
} from "./ingest-state.ts";
import { SymbolTrack, type TrackHead, takeReady } from "./symbol-track.ts";

/** Minutes one symbol may hold behind one that waits. At it the oldest is given up: a partial row or a gap. */
export const MAX_QUEUED_MINUTES = 512;
/** Rows that come from klines are put together for this long (wall), so that one commit holds many symbols. */
const GATHER_MS = 5;

/**
 * Turns a feed into closed minutes: trades are folded as they come, minutes close by the exchange's time, and what was not
 * wholly seen waits for the venue's own klines, in order, each minute once and none at or below the symbol's head.
 */
export class MarketIngest {
  readonly #options: MarketIngestOptions;
  readonly #deps: MarketIngestDeps;
  readonly #lateAllowanceMs: number;
  readonly #historyMinutes: number;
  readonly #backfill: Backfill;
  readonly #outlet: BatchOutlet;
  readonly #tally = emptyTally();
  #tracks = new Map<string, SymbolTrack>();
  #groups = new Map<SymbolTrack, FeedGroup>();
  readonly #dirty = new Set<SymbolTrack>();
  /** Symbols that the venue refuses. */
  readonly #refused = new Set<string>();
  #closedThrough: number | null;
  #phase: IngestPhase = "idle";
  #reason: string | null = null;
  #gathering = false;
  #resumed: (() => void) | null = null;
  /** The feed was stopped by a pause, and its end is not the input's. */
  #wasPaused = false;

  constructor(options: MarketIngestOptions, deps: MarketIngestDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#lateAllowanceMs = options.lateAllowanceMs ?? 500;
    this.#historyMinutes = deps.feed.recording ? 0 : (options.historyMinutes ?? 240);
    this.#closedThrough = options.closedThrough;
    this.#backfill = new Backfill(
      { waitMs: options.backfillWaitMs ?? 10_000, settleMs: options.klineSettleMs ?? 2000 },
      {
        ...deps,
        onProgress: (track) => this.#progressed(track),
        onRevised: (candles) => {
          this.#tally.revised += candles.length;
          options.revise?.(candles);
        },
      },
    );
    this.#outlet = new BatchOutlet({
      emit: options.emit,
      timers: deps.timers,
      holds: deps.feed.recording,
      onTaken: (batch) => countBatch(this.#tally, batch),
      onFull: () => this.pause("the store cannot take more"),
      onClosed: () => void this.stop(),
    });
    this.#rebuild(options.heads);
  }

  /**
   * Runs the feed until a recording ends (resolves when its last minute was taken), `stop`, or "closed" from emit. Rejects
   * with the feed's FabricError where it can never work. While paused it stays pending.
   */
  async run(): Promise<void> {
    this.#phase = "running";
    const sink = this.#sink();
    try {
      do {
        this.#wasPaused = false;
        await this.#deps.feed.run(sink);
        await this.#untilResumed();
      } while (this.#wasPaused && this.#is("running"));
      if (this.#is("running")) await this.#finish();
    } finally {
      this.#backfill.reset();
      if (!this.#is("ended")) this.#phase = "stopped";
    }
  }

  /** The store's newest rows as last corrected, by commitSeq: before `run` and after `resume`. They are re-checked once connected. */
  recall(rows: readonly Candle[]): void {
    for (const [symbol, own] of Map.groupBy(rows, (row) => row.symbol)) this.#tracks.get(symbol)?.recall(own);
  }

  /** Stops the feed and forgets what is not put out yet: a restart has it from the venue. Bounded by a second; idempotent. */
  async stop(): Promise<void> {
    if (this.#phase !== "ended") this.#phase = "stopped";
    this.#backfill.reset();
    this.#outlet.clear();
    this.#resumed?.();
    await this.#deps.feed.stop();
  }

  /** Stops taking trades, for example because the store cannot commit; `resume` goes on. Live feeds only. */
  pause(reason: string): void {
    if (this.#phase !== "running") return;
    this.#phase = "paused";
    this.#wasPaused = true;
    this.#reason = reason;
    this.#tally.pauses++;
    this.#backfill.reset();
    void this.#deps.feed.stop().catch(() => undefined);
  }

  /** Goes on from what the store holds now: everything after the heads comes from the venue's klines, then live. */
  resume(heads: ReadonlyMap<string, TrackHead>, closedThrough: number | null): void {
    if (this.#phase !== "paused") return;
    this.#rebuild(heads);
    this.#closedThrough = closedThrough;
    this.#phase = "running";
    this.#reason = null;
    this.#resumed?.();
  }

  state(): IngestState {
    const { exchangeTimeMs } = this.#deps.feed.facts();
    return {
      phase: this.#phase,
      reason: this.#reason,
      closedThrough: this.#closedThrough,
      exchangeTimeMs,
      symbols: [...this.#tracks.values()].map((track) => lagOf(track, exchangeTimeMs)),
      counters: totals(this.#tally, this.#backfill),
    };
  }

  #is(phase: IngestPhase): boolean {
    return this.#phase === phase;
  }

  async #untilResumed(): Promise<void> {
    if (!this.#is("paused")) return;
    await new Promise<void>((resolve) => {
      this.#resumed = resolve;
    });
    this.#resumed = null;
  }

  #rebuild(heads: ReadonlyMap<string, TrackHead>): void {
    // What the old tracks asked for since they paused would be put out before what they lost.
    this.#backfill.reset();
    const { recording, idsCount } = this.#deps.feed;
    const trackOf = (of: string) => new SymbolTrack(of, heads.get(of) ?? null, recording, idsCount);
    const symbols = this.#options.symbols.filter((symbol) => !this.#refused.has(symbol));
    this.#tracks = new Map(symbols.map((symbol) => [symbol, trackOf(symbol)]));
    this.#groups = new Map();
    this.#dirty.clear();
  }

  #sink(): FeedSink {
    return {
      onTrade: (trade) => this.#onTrade(trade),
      onOmitted: (symbol, firstId, lastId) => {
        this.#tally.omitted++;
        this.#tracks.get(symbol)?.aggregator?.omit(firstId, lastId);
      },
      onBefore: (symbol, lastId, timeMs) => this.#tracks.get(symbol)?.continuesFrom(lastId, timeMs),
      onTime: (symbols, timeMs) => this.#onTime(symbols, timeMs, true),
      onQuiet: (symbols, timeMs) => this.#onTime(symbols, timeMs, false),
      onConnected: (symbols) => this.#onConnected(symbols),
      onHeardSince: (symbols, timeMs) => this.#kick(this.#groupOf(symbols)?.told(timeMs) ?? []),
      onUnreadable: (symbols) => this.#suspect(symbols),
      onRefused: (symbols, reason) => this.#onRefused(symbols, reason),
      onInterrupted: (symbols, reason) => this.#onInterrupted(symbols, reason),
      backpressure: () => this.#outlet.room,
    };
  }

  #onTrade(trade: Trade): void {
    const track = this.#tracks.get(trade.symbol);
    const group = track === undefined ? undefined : this.#groups.get(track);
    if (track === undefined || group === undefined || this.#phase !== "running") {
      this.#tally.strays++;
      return;
    }
    if (group.watermark === null) {
      group.evidence(trade.timeMs);
      this.#kick(group.tracks);
    }
    let taken = track.aggregator?.add(trade);
    if (taken === "ahead") {
      // After a long silence older minutes have to close before there is room for this one.
      this.#tell(group, trade.timeMs);
      taken = track.aggregator?.add(trade);
    }
    if (taken === "taken") this.#tally.trades++;
    else this.#notTaken(track, trade, taken);
    if (taken === "taken") group.readAgain(trade.timeMs);
    if (trade.timeMs > (group.watermark ?? 0)) this.#tell(group, trade.timeMs);
  }

  #notTaken(track: SymbolTrack, trade: Trade, taken: string | undefined): void {
    const minute = minuteOf(trade.timeMs);
    if (taken === "invalid" || taken === "ahead" || taken === undefined) {
      this.#tally.invalid++;
      this.#suspect([track.symbol]);
    } else if (track.head !== null && minute <= track.head.lastOpenTime) this.#tally.repeats++;
    else if (taken === "duplicate") this.#tally.duplicates++;
    else {
      this.#tally.late++;
      if (track.tookFromTrades(minute)) this.#doubt(track, minute, minute);
    }
  }

  #onTime(symbols: readonly string[], timeMs: number, evident: boolean): void {
    const group = this.#groupOf(symbols);
    if (group === undefined || this.#phase !== "running") return;
    if (evident && group.watermark === null) group.evidence(timeMs);
    else if (group.watermark === null) group.begin(timeMs);
    if (group.watermark === null) this.#kick(group.tracks);
    this.#tell(group, timeMs);
  }

  #onConnected(symbols: readonly string[]): void {
    const tracks = this.#tracksOf(symbols);
    const group = new FeedGroup(tracks, this.#lateAllowanceMs, this.#historyMinutes);
    for (const track of tracks) {
      this.#groups.set(track, group);
      track.connected = true;
      this.#backfill.kick(track, true);
      this.#backfill.recheck(track);
    }
  }

  #suspect(symbols: readonly string[]): void {
    for (const track of this.#tracksOf(symbols)) this.#groups.get(track)?.suspect(track);
  }

  /** Nobody waits for them any more: what is said to be closed is so for the others. */
  #onRefused(symbols: readonly string[], reason: string): void {
    this.#deps.log.error(`Cannot go on with ${symbols.join(", ")}: ${reason}; the other symbols go on`);
    for (const track of this.#tracksOf(symbols)) {
      this.#groups.get(track)?.leave(track);
      this.#groups.delete(track);
      this.#tracks.delete(track.symbol);
      this.#refused.add(track.symbol);
      track.connected = false;
    }
    this.#flush();
  }

  #onInterrupted(symbols: readonly string[], reason: string): void {
    if (this.#phase !== "running") return;
    this.#tally.interruptions++;
    this.#deps.log.debug(`Feed of ${symbols.length} symbols interrupted: ${reason}`);
    for (const track of this.#tracksOf(symbols)) {
      this.#groups.get(track)?.interrupt(track);
      this.#groups.delete(track);
      track.connected = false;
    }
  }

  #tracksOf(symbols: readonly string[]): readonly SymbolTrack[] {
    return symbols.map((symbol) => this.#tracks.get(symbol)).filter((track) => track !== undefined);
  }

  #groupOf(symbols: readonly string[]): FeedGroup | undefined {
    const track = this.#tracksOf(symbols).find((one) => this.#groups.has(one));
    return track && this.#groups.get(track);
  }

  #tell(group: FeedGroup, timeMs: number): void {
    if (!group.tell(timeMs)) return;
    group.close();
    for (const track of group.tracks) this.#settle(track);
    this.#flush();
    this.#kick(group.tracks);
  }

  /** Bounds a track's queue, puts out what is ready and looks into doubts. */
  #settle(track: SymbolTrack): void {
    this.#tally.overflows += track.advanceWithin(MAX_QUEUED_MINUTES);
    this.#dirty.add(track);
    const doubt = track.takeDoubt();
    if (doubt !== null) this.#doubt(track, doubt.from, doubt.through);
  }

  #doubt(track: SymbolTrack, from: number, through: number): void {
    this.#tally.holes++;
    if (this.#deps.feed.recording) return;
    track.doubt(from, through);
    this.#backfill.recheck(track);
  }

  #kick(tracks: readonly SymbolTrack[]): void {
    for (const track of tracks) if (track.front !== null) this.#backfill.kick(track);
  }

  #progressed(track: SymbolTrack): void {
    this.#dirty.add(track);
    if (this.#gathering) return;
    this.#gathering = true;
    this.#deps.timers.after(GATHER_MS, () => {
      this.#gathering = false;
      if (this.#phase === "running") this.#flush();
    });
  }

  /** Everything that is ready, in as few batches as the bound allows, minutes in order. */
  #flush(): void {
    const { candles, gaps } = takeReady(this.#dirty);
    this.#dirty.clear();
    if (candles.length === 0 && gaps.length === 0) return;
    const closedThrough = closedThroughOf(this.#tracks.values(), this.#closedThrough);
    for (const batch of closeBatches(
      candles,
      gaps,
      { before: this.#closedThrough, after: closedThrough },
      MAX_BATCH_ROWS,
    )) {
      this.#outlet.offer(batch);
      if (this.#phase !== "running") return;
    }
    this.#closedThrough = closedThrough;
  }

  /** A recording has ended. */
  async #finish(): Promise<void> {
    for (const group of new Set(this.#groups.values())) {
      group.closeAll();
      for (const track of group.tracks) this.#settle(track);
    }
    this.#flush();
    await this.#outlet.room;
    if (this.#phase === "running") this.#phase = "ended";
  }
}
