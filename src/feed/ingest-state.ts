import type { Candle } from "../core/candle.ts";
import type { CloseBatch } from "../core/delivery.ts";
import type { Clock, Log, Random, Timers } from "../core/env.ts";
import { MINUTE_MS, minuteOf } from "../core/time.ts";
import type { Backfill } from "./backfill.ts";
import type { MarketFeed } from "./contract.ts";
import type { SymbolTrack, TrackHead } from "./symbol-track.ts";

export interface MarketIngestOptions {
  readonly symbols: readonly string[];
  /** The store's newest row per symbol; a symbol without one is fresh. */
  readonly heads: ReadonlyMap<string, TrackHead>;
  readonly closedThrough: number | null;
  /** Exchange ms a trade may trail the newest one before its minute closes without it. Default 500. */
  readonly lateAllowanceMs?: number;
  /** Wall ms a minute may wait for the venue's klines, from the first answer that did not help. Default 10,000. */
  readonly backfillWaitMs?: number;
  /** Exchange ms after a minute's end before its kline is asked for. Default 2,000. */
  readonly klineSettleMs?: number;
  /** Minutes of klines that a fresh symbol starts with. Default 240; a recording has none. */
  readonly historyMinutes?: number;
  /**
   * Takes what one close brings. "full": a live feed stops until `resume`, a recording waits and offers it again. "closed"
   * ends the run.
   */
  emit(batch: CloseBatch): "accepted" | "full" | "closed";
  /** Committed minutes that the venue's klines contradict. */
  revise?(candles: readonly Candle[]): void;
}

export interface MarketIngestDeps {
  readonly feed: MarketFeed;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

export type IngestPhase = "idle" | "running" | "paused" | "ended" | "stopped";

export interface SymbolLag {
  readonly symbol: string;
  readonly connected: boolean;
  /** Every minute through this one is a row or a gap; null before the first. */
  readonly resolvedThrough: number | null;
  /** Exchange ms that the symbol is behind the last whole minute of the venue's time; null where either is not known. */
  readonly lagMs: number | null;
  /** Minutes that wait behind one that the venue has to fill, that one included. */
  readonly waiting: number;
}

export interface IngestState {
  readonly phase: IngestPhase;
  /** Why, where paused. */
  readonly reason: string | null;
  readonly closedThrough: number | null;
  readonly exchangeTimeMs: number | null;
  readonly symbols: readonly SymbolLag[];
  /** By dotted name: trades.total, late.total, duplicates.total, holes.total, backfilled.total, gaps.total … */
  readonly counters: Readonly<Record<string, number>>;
}

/** What the ingest counts itself, since it was made. */
export interface IngestTally {
  trades: number;
  late: number;
  duplicates: number;
  invalid: number;
  /** Trades of minutes that the store already holds. */
  repeats: number;
  /** Trades of symbols that are not ours or not connected. */
  strays: number;
  omitted: number;
  holes: number;
  complete: number;
  empty: number;
  backfilled: number;
  partial: number;
  gaps: number;
  revised: number;
  overflows: number;
  batches: number;
  pauses: number;
  interruptions: number;
}

export function emptyTally(): IngestTally {
  return {
    trades: 0,
    late: 0,
    duplicates: 0,
    invalid: 0,
    repeats: 0,
    strays: 0,
    omitted: 0,
    holes: 0,
    complete: 0,
    empty: 0,
    backfilled: 0,
    partial: 0,
    gaps: 0,
    revised: 0,
    overflows: 0,
    batches: 0,
    pauses: 0,
    interruptions: 0,
  };
}

export function countBatch(tally: IngestTally, batch: CloseBatch): void {
  tally.batches++;
  tally.gaps += batch.gaps.length;
  for (const { provenance } of batch.candles) if (provenance !== "imported") tally[provenance]++;
}

export function lagOf(track: SymbolTrack, exchangeTimeMs: number | null): SymbolLag {
  const { symbol, connected, resolvedThrough, waiting } = track;
  const known = exchangeTimeMs !== null && resolvedThrough !== null;
  const lagMs = known ? Math.max(0, minuteOf(exchangeTimeMs) - (resolvedThrough + MINUTE_MS)) : null;
  return { symbol, connected, resolvedThrough, lagMs, waiting };
}

/**
 * Every symbol is resolved through this; `before` is what was told last. Null until every fresh symbol has its history: a
 * new consumer starts where this is first told (see the provider).
 */
export function closedThroughOf(tracks: Iterable<SymbolTrack>, before: number | null): number | null {
  let through: number | null = null;
  for (const track of tracks) {
    if (track.resolvedThrough === null) return before;
    if (before === null && track.resolvedThrough < (track.historyThrough ?? 0)) return null;
    if (through === null || track.resolvedThrough < through) through = track.resolvedThrough;
  }
  return through === null ? before : Math.max(through, before ?? through);
}

/** Both rooms' counts under dotted names. */
export function totals(tally: IngestTally, backfill: Backfill): Readonly<Record<string, number>> {
  const counters: Record<string, number> = { "klines.untold.total": backfill.untold };
  for (const [name, value] of Object.entries(tally)) counters[`${name}.total`] = value;
  for (const [name, value] of Object.entries(backfill.counters)) counters[`backfill.${name}.total`] = value;
  return counters;
}
