import type { Candle, FeedGap, StoredCandle } from "../core/candle.ts";
import type { CloseBatch } from "../core/delivery.ts";

/** Bump when tables, segments or manifest change shape; a store of another version is refused ("config"). */
export const SCHEMA_VERSION = 1;

/** The newest row of a symbol in delivery order. */
export interface SymbolHead {
  readonly lastOpenTime: number;
  readonly lastCommitSeq: number;
  readonly lastClose: number;
  /** Null where the row came from klines. */
  readonly lastTradeId: number | null;
}

/**
 * The writing side, held by market-data alone. One call at a time takes effect, in the order of the calls. A call that fails
 * rejects with FabricError ("io" for a full disk or an unwritable folder) and leaves the store as it was.
 */
export interface StoreWriter {
  readonly storeId: string;
  readonly venue: string;
  /** What the store holds: live, a simulated market with its seed, a recording. Null until `bind`. */
  readonly environment: string | null;
  /** The newest committed row's number; 0 in a fresh store. */
  readonly commitSeq: number;
  readonly closedThrough: number | null;
  readonly heads: ReadonlyMap<string, SymbolHead>;
  /** Fixes the environment of a fresh store; throws "refused", naming both and the remedy, where it is another one. */
  bind(environment: string): Promise<void>;
  /**
   * One transaction, durable when it resolves: numbers the rows and links each to its symbol's previous one. A non-imported
   * row whose openTime is not above its symbol's head is left out and counted (`skipped`). The rows come back as stored.
   */
  commit(batch: CloseBatch): Promise<readonly StoredCandle[]>;
  /** Corrections: a new revision per row, shown by SQL's `candle` view, never delivered. */
  revise(candles: readonly Candle[]): Promise<void>;
  /** The newest `limit` rows by commitSeq, each as last corrected, imports left out. Reads no more of the store than those. */
  newest(limit: number): Promise<readonly Candle[]>;
  /** Publishes every committed row, revision and gap that no segment holds yet: segment files, then the manifest by rename. */
  seal(): Promise<void>;
  /** Merges small adjacent segments; files no longer listed are deleted after the grace period. */
  compact(): Promise<void>;
  /**
   * Looks whether what is published is still there and whole, at a bounded cost, and publishes again what is not: to be called
   * about once a second. Of much damage the newest rows come first, and the rest with the next calls.
   */
  heal(): Promise<void>;
  counters(): StoreCounters;
  close(): Promise<void>;
}

export interface StoreCounters {
  readonly commits: number;
  readonly rows: number;
  /** Rows left out because their minute was committed before. */
  readonly skipped: number;
  readonly revisions: number;
  readonly gaps: number;
  readonly segments: number;
  readonly rebuiltSegments: number;
  /** How often the manifest was found missing or altered, and written again. */
  readonly rebuiltManifests: number;
  readonly compactions: number;
  readonly lastCommitMs: number;
  readonly lastSealMs: number;
}

/** What the manifest says, as one consistent state. */
export interface StoreView {
  readonly storeId: string;
  readonly venue: string;
  readonly environment: string | null;
  /** Rows 1 to this one are in segments. */
  readonly throughSeq: number;
  readonly closedThrough: number | null;
  readonly heads: ReadonlyMap<string, SymbolHead>;
}

export interface DeliveryPage {
  /** Rows of the delivery (see isDelivered) after the asked-for one, in commitSeq order. */
  readonly candles: readonly StoredCandle[];
  /** Every row up to here was looked at: ask again after it. */
  readonly throughSeq: number;
  /** The state the page was read from. */
  readonly view: StoreView;
}

/** The reading side, for every role: only published segments, never market.duckdb. Open before the store exists, too. */
export interface StoreReader {
  /** The newest manifest (re-read when it changed); null while there is no store. Rejects "config" on another version. */
  view(): Promise<StoreView | null>;
  /** The next rows after `afterSeq`; at most about `limit` rows. Touches only segments past it. Null while there is no store. */
  delivery(afterSeq: number, limit: number, symbols: ReadonlySet<string> | "all"): Promise<DeliveryPage | null>;
  /** Revision 0 by openTime, both ends inclusive, imports included; one row a minute. Empty while there is no store. */
  history(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly StoredCandle[]>;
  /** The newest `limit` rows of a symbol by openTime, oldest first. */
  latest(symbol: string, limit: number): Promise<readonly StoredCandle[]>;
  gaps(symbol: string | null): Promise<readonly FeedGap[]>;
  close(): Promise<void>;
}
