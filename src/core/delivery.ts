import type { Candle, FeedGap, StoredCandle } from "./candle.ts";

/**
 * What a consumer is given, in order, per symbol. A gap precedes the candle that follows it and is a pure function of the
 * delivered sequence: the minutes between one delivered candle and the next.
 */
export type DeliveryEvent =
  | { readonly type: "candle"; readonly candle: StoredCandle }
  | { readonly type: "gap"; readonly symbol: string; readonly fromOpenTime: number; readonly toOpenTime: number };

/** How far one symbol was delivered to one consumer. */
export interface SymbolCursor {
  readonly lastOpenTime: number;
  /** Running digest (see digest.ts) over what was delivered. */
  readonly digest: string;
  /** Candles delivered. */
  readonly delivered: number;
}

/** Where a consumer stands. `throughSeq`: every row of the store up to here was delivered or is of no concern to it. */
export interface DeliveryCursor {
  readonly storeId: string;
  readonly throughSeq: number;
  readonly symbols: ReadonlyMap<string, SymbolCursor>;
}

/**
 * What one close brings to the store, committed in one transaction: rows in the order of delivery (per symbol by
 * openTime), and minutes that could not be had.
 */
export interface CloseBatch {
  readonly candles: readonly Candle[];
  readonly gaps: readonly FeedGap[];
  /** With this batch, every symbol has its row or gap up to and including the minute that opens here; null if unknown. */
  readonly closedThrough: number | null;
}

/** Whether a stored row is part of the delivery: not imported, and above its symbol's previous row in delivery order. */
export function isDelivered(row: StoredCandle): boolean {
  return row.provenance !== "imported" && (row.prevOpenTime === null || row.openTime > row.prevOpenTime);
}
