import type { Candle } from "../core/candle.ts";
import type { VenueCandle } from "./contract.ts";

/** A venue's candle as it is stored. */
export interface MergedKline {
  readonly candle: Candle;
  /** Whether zeros stand in it for figures that nobody told. */
  readonly isUntold: boolean;
}

/**
 * The venue's candle of a minute, completed by what was seen of it. Equal volumes prove that no trade is missing from what was
 * seen, so that its figures are the minute's: those that the venue does not tell are taken from there, and none where the
 * volumes differ. `isSame` says what else has to agree. A minute without volume has nothing untold.
 */
export function mergeKline(
  { untold, ...candle }: VenueCandle,
  seen: Candle | null,
  isSame: (kline: Candle, seen: Candle) => boolean = () => true,
): MergedKline {
  if (untold === undefined || untold.length === 0 || candle.volume === 0) return { candle, isUntold: false };
  const isProven = seen?.openTime === candle.openTime && seen.volume === candle.volume && isSame(candle, seen);
  if (!isProven) return { candle, isUntold: true };
  const own = Object.fromEntries(untold.map((figure) => [figure, seen[figure]])) as Partial<Candle>;
  const merged = { ...candle, ...own };
  // A venue's quote volume may be cut; a part is not above its whole.
  const takerBuyQuoteVolume = Math.min(merged.takerBuyQuoteVolume, merged.quoteVolume);
  return { candle: { ...merged, takerBuyQuoteVolume }, isUntold: merged.trades === 0 };
}

/** Whether both tell the same prices. A venue may open a minute with the previous close, which its high and low then enclose. */
export function hasSamePrices(kline: Candle, seen: Candle): boolean {
  const { open, high, low, close } = kline;
  return high === Math.max(seen.high, open) && low === Math.min(seen.low, open) && close === seen.close;
}

/** Whether the venue tells of no trade in a minute in which some were seen: then it is wrong, or not done yet. */
export function lacksSeen(kline: Candle | undefined, seen: Candle | null): boolean {
  return kline?.openTime === seen?.openTime && kline?.volume === 0 && seen !== null && seen.volume > 0;
}

/** Whether the venue's candle says something else than a row; what it does not tell is no difference. */
export function differs(kline: VenueCandle, row: Candle): boolean {
  return (
    kline.open !== row.open ||
    kline.high !== row.high ||
    kline.low !== row.low ||
    kline.close !== row.close ||
    kline.volume !== row.volume ||
    (kline.trades !== row.trades && kline.untold?.includes("trades") !== true)
  );
}
