import { isMinuteStart, MINUTE_MS } from "./time.ts";

/**
 * Where a candle's figures come from: `complete` (our trades, ids contiguous through the minute), `empty` (no trade, feed
 * alive: flat at the previous close), `backfilled` (the venue's own klines or trades), `imported` (history only),
 * `partial` (we were not there for all of it and the venue could not fill it).
 */
export type Provenance = "complete" | "empty" | "backfilled" | "imported" | "partial";

export const PROVENANCES: readonly Provenance[] = ["complete", "empty", "backfilled", "imported", "partial"];

/** A closed 1-minute candle before the store has numbered it. Prices and volumes: the double nearest to the exact result. */
export interface Candle {
  readonly symbol: string;
  /** Epoch ms of the minute's start; a multiple of 60,000. */
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Base asset. */
  readonly volume: number;
  /** Quote asset: the exact sum of price times quantity, rounded once. */
  readonly quoteVolume: number;
  readonly trades: number;
  readonly takerBuyVolume: number;
  readonly takerBuyQuoteVolume: number;
  /** Null where the minute had no trade or the source does not tell (klines). */
  readonly firstTradeId: number | null;
  readonly lastTradeId: number | null;
  readonly provenance: Provenance;
}

/** A candle's prices, volumes and count, in the order of its columns. */
export const CANDLE_FIGURES = [
  "open",
  "high",
  "low",
  "close",
  "volume",
  "quoteVolume",
  "trades",
  "takerBuyVolume",
  "takerBuyQuoteVolume",
] as const satisfies readonly (keyof Candle)[];

export type CandleFigure = (typeof CANDLE_FIGURES)[number];

/** A revision-0 candle as the store holds it. */
export interface StoredCandle extends Candle {
  /** The truth's row number: 1, 2, 3 … without holes over the whole store. */
  readonly commitSeq: number;
  /**
   * openTime of the symbol's previous row in delivery order, null for its first. Where this row is not above it (an
   * imported or late row), the row is not part of the delivery.
   */
  readonly prevOpenTime: number | null;
}

/** Minutes of one symbol that could not be had. Both ends inclusive, both the openTime of a minute. */
export interface FeedGap {
  readonly symbol: string;
  readonly fromOpenTime: number;
  readonly toOpenTime: number;
  /** For people, for example "venue gave no klines within 10 s". */
  readonly reason: string;
}

/** The last millisecond that belongs to the candle. */
export function closeTimeOf(openTime: number): number {
  return openTime + MINUTE_MS - 1;
}

/** Null where the candle is sane; else what is wrong: OHLC order, finiteness, signs, takers' part, minute alignment, ids. */
export function candleFault(candle: Candle): string | null {
  const { open, high, low, close } = candle;
  if (!isMinuteStart(candle.openTime)) return "openTime is not the start of a minute";
  for (const price of [open, high, low, close])
    if (!(price > 0 && price < Infinity)) return "a price is not a positive number";
  if (high < Math.max(open, close, low) || low > Math.min(open, close))
    return "high and low do not enclose open and close";
  for (const sum of [candle.volume, candle.quoteVolume, candle.takerBuyVolume, candle.takerBuyQuoteVolume]) {
    if (!(sum >= 0 && sum < Infinity)) return "a volume is not zero or a positive number";
  }
  // Sums are exact and rounded once, so that a part never comes out above its whole.
  if (candle.takerBuyVolume > candle.volume || candle.takerBuyQuoteVolume > candle.quoteVolume)
    return "takers bought more than was traded";
  if (!Number.isSafeInteger(candle.trades) || candle.trades < 0) return "trades is not a count";
  const { firstTradeId, lastTradeId } = candle;
  if (firstTradeId === null && lastTradeId === null) return null;
  for (const id of [firstTradeId, lastTradeId])
    if (!Number.isSafeInteger(id) || Number(id) < 0) return "a trade id is not a whole number";
  return Number(firstTradeId) <= Number(lastTradeId) ? null : "the first trade id is above the last";
}
