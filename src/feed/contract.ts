import type { Candle } from "../core/candle.ts";

/** One trade as the venue reported it. Decimal strings are kept as sent, so that sums can be exact. */
export interface Trade {
  readonly symbol: string;
  /** Consecutive per symbol on Binance. */
  readonly id: number;
  readonly price: string;
  readonly quantity: string;
  /** The venue's trade time, epoch ms. */
  readonly timeMs: number;
  /** True where the taker sold. */
  readonly buyerIsMaker: boolean;
}

/** What a feed tells whoever aggregates it. Calls come from the event loop, in the order things happened. */
export interface FeedSink {
  onTrade(trade: Trade): void;
  /**
   * Nothing of these symbols with a trade time at or before `exchangeTimeMs` will come any more on this connection: said when
   * a quiet connection proved itself alive (its answer to a request overtakes no trade).
   */
  onQuiet(symbols: readonly string[], exchangeTimeMs: number): void;
  /** A connection carries these symbols from now on; what happened before was not seen. */
  onConnected(symbols: readonly string[]): void;
  /** These symbols are no longer heard. */
  onInterrupted(symbols: readonly string[], reason: string): void;
}

export interface FeedFacts {
  readonly connected: boolean;
  /** The venue's clock now, never ahead of it as far as known; null before the first message. */
  readonly exchangeTimeMs: number | null;
  /** Exchange ms per wall ms: 1 for a real venue, as declared by a simulated one, 0 where a replay has no pace. */
  readonly speed: number;
  /** live, sim:…, recording; null until known. */
  readonly environment: string | null;
  /** Wall ms since the last message; null before the first. */
  readonly ageMs: number | null;
  /** By dotted name, for telemetry: messages.total, trades.total, malformed.total, reconnects.total … */
  readonly counters: Readonly<Record<string, number>>;
}

/** Where trades come from: a live venue or a recording. */
export interface MarketFeed {
  /** binance-spot, binance-usdm: what a store is bound to. */
  readonly venue: string;
  /** Runs until the input ends (a recording) or `stop`; rejects with FabricError where it can never work. */
  run(sink: FeedSink): Promise<void>;
  /** Bounded by a second; idempotent. */
  stop(): Promise<void>;
  /**
   * The venue's own final candles (provenance backfilled), both ends inclusive, in order; minutes that are not final yet are
   * left out. Rejects "unavailable" where the venue does not answer; a recording has none and gives [].
   */
  klines(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly Candle[]>;
  facts(): FeedFacts;
}
