import type { Candle } from "../core/candle.ts";

/** One trade as the venue reported it. Decimal strings are kept as sent, so that sums can be exact. */
export interface Trade {
  readonly symbol: string;
  /** Consecutive per symbol (but see `MarketFeed.idsCount`). The first one, where this is an aggregate of several trades at one price. */
  readonly id: number;
  /** The last id of an aggregate; absent for a single trade. */
  readonly lastId?: number;
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
   * The venue gave these ids (both ends inclusive) to something that is no market trade (an insurance fund's or a
   * liquidation's row, zero quantity): nothing to aggregate, and no hole either.
   */
  onOmitted?(symbol: string, firstId: number, lastId: number, timeMs: number): void;
  /** The venue told, as a connection began, the symbol's newest trade of before it: trades lost from there on leave a hole in the ids. */
  onBefore?(symbol: string, lastId: number, timeMs: number): void;
  /** The connection of these symbols told the venue's time by another message than a trade. Trades may trail it a little. */
  onTime?(symbols: readonly string[], eventTimeMs: number): void;
  /**
   * Nothing of these symbols with a trade time at or before `exchangeTimeMs` will come any more on this connection: said when
   * a quiet connection proved itself alive (its answer to a request overtakes no trade).
   */
  onQuiet(symbols: readonly string[], exchangeTimeMs: number): void;
  /** A connection carries these symbols from now on; what happened before was not seen. */
  onConnected(symbols: readonly string[]): void;
  /** The venue's clock, read after `onConnected`: whatever these symbols traded after this time was heard. */
  onHeardSince?(symbols: readonly string[], exchangeTimeMs: number): void;
  /**
   * A message came that could not be read or believed: it may have been a trade of any of these symbols, traded since the
   * newest time told. Said at each such message; what is read after it counts again.
   */
  onUnreadable?(symbols: readonly string[], reason: string): void;
  /** The venue refuses these symbols: nothing of them will come in this run. The others go on. */
  onRefused?(symbols: readonly string[], reason: string): void;
  /** These symbols are no longer heard. */
  onInterrupted(symbols: readonly string[], reason: string): void;
  /** A recording awaits what this gives before it reads on; null (or no such method) means there is room. */
  backpressure?(): Promise<void> | null;
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
  /** What makes the feed worse than it should be although it is connected, in words for its operator; null or absent where nothing does. */
  readonly trouble?: string | null;
  /** By dotted name, for telemetry: messages.total, trades.total, malformed.total, reconnects.total … */
  readonly counters: Readonly<Record<string, number>>;
}

/** The venue's own final candle of a minute. */
export interface VenueCandle extends Candle {
  /** Figures that the venue does not tell; they hold zero. Absent: it tells all. */
  readonly untold?: readonly (keyof Candle)[];
}

/** Where trades come from: a live venue or a recording. */
export interface MarketFeed {
  /** binance-spot, coinbase, okx …: what a store is bound to. */
  readonly venue: string;
  /**
   * False where the venue gives no trade ids that count: `Trade.id` is then the order of arrival, which tells first from last and
   * proves nothing. Absent: they count.
   */
  readonly idsCount?: boolean;
  /** True for a recording: it has no klines, and what it lacks cannot be had. */
  readonly recording: boolean;
  /** Runs until the input ends (a recording) or `stop`; rejects with FabricError where it can never work. */
  run(sink: FeedSink): Promise<void>;
  /** Bounded by a second; idempotent. */
  stop(): Promise<void>;
  /**
   * The venue's own final candles (provenance backfilled), both ends inclusive, in order; minutes that are not final yet are
   * left out. Rejects "unavailable" where the venue does not answer; a recording has none and gives [].
   */
  klines(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly VenueCandle[]>;
  facts(): FeedFacts;
}
