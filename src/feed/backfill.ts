import type { Candle } from "../core/candle.ts";
import type { Clock, Log, Random, Timer, Timers } from "../core/env.ts";
import { messageOf } from "../core/errors.ts";
import { MINUTE_MS } from "../core/time.ts";
import type { MarketFeed, VenueCandle } from "./contract.ts";
import { differs, hasSamePrices, lacksSeen, mergeKline } from "./kline-merge.ts";
import type { MissingSlot, SymbolTrack } from "./symbol-track.ts";

/** Requests under way at once, over all symbols; the others wait their turn, first come first served. */
export const BACKFILL_CONCURRENCY = 8;
/** Minutes asked for at once: one page of the venue. */
const PAGE_MINUTES = 1000;
const RETRY_MS = 250;
const RETRY_MAX_MS = 2000;
/** A re-check of committed minutes that failed this often is told, and tried more seldom from then on. */
const RECHECK_TRIES = 5;
const RECHECK_SELDOM_MS = 30_000;
/** What is missing comes first: re-checks of a symbol wait while it has a front. */
const RECHECK_WAIT_MS = 500;

export interface BackfillOptions {
  /** Wall ms from the first answer that did not help, while connected, until a minute is given up. */
  readonly waitMs: number;
  /** Exchange ms after a minute's end before its kline is asked for. */
  readonly settleMs: number;
}

export interface BackfillDeps {
  readonly feed: MarketFeed;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** Something of this track moved. */
  onProgress(track: SymbolTrack): void;
  onRevised(candles: readonly Candle[]): void;
}

interface Job {
  failedSince: number | null;
  tries: number;
  busy: boolean;
  timer: Timer | null;
}

/** Minutes of one request, both ends inclusive. */
interface Asked {
  readonly from: number;
  readonly through: number;
}

interface BackfillCounters {
  requests: number;
  failures: number;
  unfinished: number;
  mismatches: number;
  givenUp: number;
  rechecks: number;
  recheckFailures: number;
}

/**
 * Asks the venue for the minutes that tracks wait for, front first, one request a symbol at a time, with jittered backoff
 * (250 ms doubling to 2 s) inside a bounded wait. Nothing is asked while a symbol is not connected: nothing newer can
 * come meanwhile, and the wait starts afresh when it is back. At most one job a symbol; at most eight requests at once.
 */
export class Backfill {
  readonly counters: BackfillCounters = {
    requests: 0,
    failures: 0,
    unfinished: 0,
    mismatches: 0,
    givenUp: 0,
    rechecks: 0,
    recheckFailures: 0,
  };
  /** Rows and corrections whose untold figures nobody knows: they are stored as zeros. */
  untold = 0;
  readonly #options: BackfillOptions;
  readonly #deps: BackfillDeps;
  readonly #jobs = new Map<SymbolTrack, Job>();
  readonly #rechecking = new Set<SymbolTrack>();
  /** Re-checks that failed often and are tried seldom: news brings them forward. */
  readonly #seldom = new Map<SymbolTrack, Timer>();
  readonly #timers = new Set<Timer>();
  #turns: (() => void)[] = [];
  #running = 0;
  #life = 0;

  constructor(options: BackfillOptions, deps: BackfillDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Looks after the track's front, if it has one. `afresh`: a new connection restarts the wait. */
  kick(track: SymbolTrack, afresh = false): void {
    if (!track.connected || track.front === null) return;
    let job = this.#jobs.get(track);
    if (job === undefined) {
      job = { failedSince: null, tries: 0, busy: false, timer: null };
      this.#jobs.set(track, job);
    }
    if (afresh) job.failedSince = null;
    if (!job.busy && (job.timer === null || afresh)) this.#attempt(track, job);
  }

  /**
   * Re-reads committed minutes that are in doubt and reports those that differ; tried again until it works or the track has
   * forgotten their rows.
   */
  recheck(track: SymbolTrack): void {
    const seldom = this.#seldom.get(track);
    if (this.#rechecking.has(track) && seldom === undefined) return;
    this.#seldom.delete(track);
    if (seldom !== undefined) this.#forget(seldom);
    this.#recheck(track, 0);
  }

  /** Forgets every job; answers under way are ignored. */
  reset(): void {
    this.#life++;
    for (const job of this.#jobs.values()) job.timer?.cancel();
    for (const timer of this.#timers) timer.cancel();
    this.#jobs.clear();
    this.#rechecking.clear();
    this.#seldom.clear();
    this.#timers.clear();
    this.#turns = [];
    this.#running = 0;
  }

  #attempt(track: SymbolTrack, job: Job): void {
    job.timer?.cancel();
    job.timer = null;
    const slot = track.front;
    if (slot === null || !track.connected) return;
    // The rows just before a hole may lack trades that were told during it, or before it by a feed that was dead already.
    const from = track.lastTradedBefore(slot.from);
    const through = Math.min(slot.through, from + (PAGE_MINUTES - 1) * MINUTE_MS);
    const early = this.#wallMsUntil(through + MINUTE_MS + this.#options.settleMs);
    if (early > 0) {
      this.#again(track, job, early);
      return;
    }
    job.busy = true;
    const life = this.#life;
    this.#inTurn(async () => {
      const outcome = await this.#ask(track, slot, { from, through }, job);
      if (life !== this.#life) return;
      job.busy = false;
      if (track.front !== slot || outcome === "progress") this.#progressed(track, job);
      else this.#failed(track, job, outcome);
    });
  }

  async #ask(track: SymbolTrack, slot: MissingSlot, asked: Asked, job: Job): Promise<"progress" | string> {
    const life = this.#life;
    const { from, through } = asked;
    let all: readonly VenueCandle[];
    this.counters.requests++;
    try {
      all = await this.#deps.feed.klines(track.symbol, from, through);
    } catch (error) {
      this.counters.failures++;
      return messageOf(error);
    }
    if (life !== this.#life || track.front !== slot) return "progress";
    this.#correct(
      track,
      all.filter(({ openTime }) => openTime < slot.from),
    );
    const klines = all.filter(({ openTime }) => openTime >= slot.from);
    const isWhole = klines.at(-1)?.openTime === through;
    if (isWhole && through === slot.through && !this.#countsFit(track, slot, klines) && !this.#isOver(job)) {
      this.counters.mismatches++;
      return "the venue's trade count does not fit the trade ids around it yet";
    }
    if (lacksSeen(klines[0], slot.seen)) {
      this.counters.mismatches++;
      return "the venue's klines lack trades that were seen";
    }
    if (klines.length === 0 && track.fresh && slot.seen === null && job.tries > 0) {
      // Asked twice: history that the venue does not have. The symbol begins with what is traded now.
      track.skip(through);
      return "progress";
    }
    if (klines.length === 0) {
      this.counters.unfinished++;
      return "the venue has no final klines for these minutes";
    }
    const rows = klines.map((kline) => this.#stored(kline, slot.seen, hasSamePrices));
    track.resolve(rows, "the venue has no klines for these minutes");
    if (!isWhole) this.counters.unfinished++;
    return "progress";
  }

  /** Where the ids on both sides are known, they say how many trades the minutes between must have. */
  #countsFit(track: SymbolTrack, slot: MissingSlot, klines: readonly VenueCandle[]): boolean {
    const after = track.idAfterFront();
    if (slot.idBefore === null || after === null) return true;
    if (klines.some(({ untold }) => untold?.includes("trades"))) return true;
    const between = after - slot.idBefore - 1;
    const counted = klines.reduce((sum, kline) => sum + kline.trades, 0);
    return counted <= between && counted >= between - (track.aggregator?.omitted ?? 0);
  }

  #progressed(track: SymbolTrack, job: Job): void {
    job.failedSince = null;
    job.tries = 0;
    track.advance();
    this.#deps.onProgress(track);
    if (track.front === null) this.#jobs.delete(track);
    else this.#attempt(track, job);
  }

  #failed(track: SymbolTrack, job: Job, reason: string): void {
    const now = this.#deps.clock.monotonicMs();
    job.failedSince ??= now;
    if (now - job.failedSince < this.#options.waitMs) {
      const delay = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** job.tries++) * (0.5 + this.#deps.random.next() / 2);
      this.#again(track, job, Math.min(delay, job.failedSince + this.#options.waitMs - now));
      return;
    }
    this.counters.givenUp++;
    this.#deps.log.warn(`Gave up waiting for klines of ${track.symbol}: ${reason}`);
    const seen = track.front?.seen?.openTime;
    track.giveUp(`${reason} (waited ${Math.round(this.#options.waitMs / 1000)} s)`);
    // The venue may come round while the partial row is remembered.
    if (seen !== undefined) track.doubt(seen, seen);
    this.recheck(track);
    this.#progressed(track, job);
  }

  #isOver(job: Job): boolean {
    return job.failedSince !== null && this.#deps.clock.monotonicMs() - job.failedSince >= this.#options.waitMs;
  }

  #again(track: SymbolTrack, job: Job, delayMs: number): void {
    job.timer = this.#deps.timers.after(Math.max(1, delayMs), () => this.#attempt(track, job));
  }

  /** Wall ms until the venue's clock reads `exchangeTimeMs`; 0 once it does. Looked at again at least every 500 ms. */
  #wallMsUntil(exchangeTimeMs: number): number {
    const facts = this.#deps.feed.facts();
    if (facts.exchangeTimeMs === null) return 100;
    const left = exchangeTimeMs - facts.exchangeTimeMs;
    return left <= 0 ? 0 : Math.min(500, Math.max(5, left / Math.max(facts.speed, 0.001)));
  }

  #recheck(track: SymbolTrack, tries: number): void {
    const doubt = track.takeDoubt();
    if (doubt === null) {
      this.#rechecking.delete(track);
      return;
    }
    this.#rechecking.add(track);
    const settled = this.#wallMsUntil(doubt.through + MINUTE_MS + this.#options.settleMs);
    const early = track.front === null ? settled : RECHECK_WAIT_MS;
    if (early > 0) {
      track.doubt(doubt.from, doubt.through);
      this.#later(early, () => this.#recheck(track, tries));
      return;
    }
    const life = this.#life;
    this.counters.rechecks++;
    this.#inTurn(async () => {
      try {
        const klines = await this.#deps.feed.klines(track.symbol, doubt.from, doubt.through);
        if (life !== this.#life) return;
        this.#correct(track, klines);
        const last = klines.at(-1)?.openTime ?? Number.NEGATIVE_INFINITY;
        if (track.hasRecent(last + MINUTE_MS, doubt.through)) throw new Error("its klines end before those minutes");
      } catch (error) {
        if (life !== this.#life) return;
        track.doubt(doubt.from, doubt.through);
        if (tries + 1 === RECHECK_TRIES) {
          this.counters.recheckFailures++;
          this.#deps.log.warn(`Cannot re-check committed minutes of ${track.symbol} yet: ${messageOf(error)}`);
        }
        if (tries + 1 < RECHECK_TRIES) this.#later(RETRY_MAX_MS, () => this.#recheck(track, tries + 1));
        else this.#seldomly(track, tries + 1);
        return;
      }
      this.#recheck(track, 0);
    });
  }

  /** Rows put out lately that differ from the venue's klines are revised. */
  #correct(track: SymbolTrack, klines: readonly VenueCandle[]): void {
    const changed: Candle[] = [];
    for (const kline of klines) {
      const row = track.recent(kline.openTime);
      if (row === undefined || !differs(kline, row)) continue;
      if (lacksSeen(kline, row)) this.counters.mismatches++;
      else changed.push(this.#stored(kline, row));
    }
    for (const kline of changed) track.correct(kline);
    if (changed.length > 0) this.#deps.onRevised(changed);
  }

  #stored(kline: VenueCandle, seen: Candle | null, isSame?: (kline: Candle, seen: Candle) => boolean): Candle {
    const merged = mergeKline(kline, seen, isSame);
    if (merged.isUntold) this.untold++;
    return merged.candle;
  }

  #later(delayMs: number, run: () => void): Timer {
    const timer = this.#deps.timers.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
    return timer;
  }

  #forget(timer: Timer): void {
    timer.cancel();
    this.#timers.delete(timer);
  }

  #seldomly(track: SymbolTrack, tries: number): void {
    const timer = this.#later(RECHECK_SELDOM_MS, () => {
      this.#seldom.delete(track);
      this.#recheck(track, tries);
    });
    this.#seldom.set(track, timer);
  }

  #inTurn(work: () => Promise<void>): void {
    const life = this.#life;
    const start = () => {
      this.#running++;
      void work().finally(() => {
        if (life !== this.#life) return;
        this.#running--;
        this.#turns.shift()?.();
      });
    };
    if (this.#running < BACKFILL_CONCURRENCY) start();
    else this.#turns.push(start);
  }
}
