import type { StoredCandle } from "../core/candle.ts";
import type { DeliveryCursor, DeliveryEvent } from "../core/delivery.ts";
import type { Clock, Log, Timers } from "../core/env.ts";
import type { StoreReader } from "../store/contract.ts";
import type { MarketSubscription } from "./market.ts";

export interface ProviderDeps {
  /** Stays the caller's: `close` of the provider leaves it open. */
  readonly reader: StoreReader;
  /** Becomes the provider's: started by `run`, stopped by `close`. */
  readonly market: MarketSubscription;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

export interface ProviderOptions {
  readonly symbols: readonly string[] | "all";
  /**
   * Where the consumer stands. Null is a new consumer, which starts at the end of the first manifest it sees whose
   * `closedThrough` is known: what lies before (all of a fresh store's backfill, too, since a store knows no
   * `closedThrough` before its first close) is warm-up and is never delivered. The rule reads one manifest, no clock.
   */
  readonly cursor: DeliveryCursor | null;
  /** Whether partial candles are delivered (default false). Left out, they show as a gap and are no part of the digest. */
  readonly includePartial?: boolean;
  /** Wall ms between polls that nothing asked for (default 2,000). */
  readonly safetyPollMs?: number;
  /** Least wall ms from the start of one poll to the next (default 10). */
  readonly pollMinGapMs?: number;
  /** Longest wall ms between two polls of a hole that the store cannot fill yet; they start at 5 ms and double (default 1,000). */
  readonly pollRetryMaxMs?: number;
  /** Wall ms that a candle may be in flight after a heartbeat or its due time told of it (default 100). */
  readonly dueGraceMs?: number;
  /**
   * Wall ms between looks at the store while a minute is overdue or the fast rail is silent (default 100). Where nothing was
   * published since, a look costs one stat.
   */
  readonly lookMs?: number;
  /** Wall ms without any heartbeat, which come once a second, after which the fast rail counts as silent (default 2,500). */
  readonly silentAfterMs?: number;
  /** A symbol is STALE this many wall ms after the length of one minute passed (at the exchange's speed) without a candle (default 10,000). */
  readonly staleAfterMs?: number;
  /** Rows asked of the store at once (default 1,000). */
  readonly pageRows?: number;
  /** Called after each delivered candle, for latency figures. Must not throw. */
  readonly onDelivered?: (sample: DeliveredSample) => void;
}

export interface DeliveredSample {
  readonly candle: StoredCandle;
  readonly rail: "FAST" | "FALLBACK";
  /** When the message or the page came in, on the clock's monotonic scale. */
  readonly receivedMonotonicMs: number;
  /** Wall ms at the publisher; null where the row came from the store. */
  readonly sentAt: number | null;
}

/**
 * Gets each event once. The next one waits until it returns or its promise settles; throwing ends `run`. `cursor` is the
 * position after this event, valid until then: `throughSeq` and `symbols` move on with the next event, though each
 * symbol's entry in `symbols` is a value of its own. A gap's cursor stands after the gap and before its candle.
 */
export type DeliveryConsumer = (event: DeliveryEvent, cursor: DeliveryCursor) => void | Promise<void>;

/** The times of ProviderOptions, defaults filled in. */
export interface ProviderTimes {
  readonly safetyPollMs: number;
  readonly pollMinGapMs: number;
  readonly pollRetryMaxMs: number;
  readonly dueGraceMs: number;
  readonly lookMs: number;
  readonly silentAfterMs: number;
  readonly staleAfterMs: number;
}

export function timesOf(options: ProviderOptions): ProviderTimes {
  return {
    safetyPollMs: options.safetyPollMs ?? 2_000,
    pollMinGapMs: options.pollMinGapMs ?? 10,
    pollRetryMaxMs: options.pollRetryMaxMs ?? 1_000,
    dueGraceMs: options.dueGraceMs ?? 100,
    lookMs: options.lookMs ?? 100,
    silentAfterMs: options.silentAfterMs ?? 2_500,
    staleAfterMs: options.staleAfterMs ?? 10_000,
  };
}

/** Candles gathered from the fast rail and not yet looked at. At the bound the newest is dropped: the store has it. */
export const INBOX_BOUND = 16_384;
/** Candles behind a hole, for one symbol and in all. At the bound the newest is dropped: the store has it. */
export const STASH_SYMBOL_BOUND = 64;
export const STASH_BOUND = 8_192;
/** Rows remembered as delivered ahead of `throughSeq`. Beyond it `throughSeq` waits for a poll. */
export const AHEAD_BOUND = 16_384;
/** Symbols the fast rail may introduce; beyond it a new symbol's candles wait for the store. */
export const FAST_SYMBOLS_BOUND = 10_000;
/** Fast candles handled before a page that came in meanwhile gets its turn. */
export const DRAIN_BATCH = 1_024;
/** Longest `close` waits for the fast rail to stop. */
export const CLOSE_LIMIT_MS = 1_000;
export const POLL_RETRY_MIN_MS = 5;
