/** The model's own words for what the store holds. It shares no code with the product: only the shape of a row. */
export interface ModelRow {
  readonly symbol: string;
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly quoteVolume: number;
  readonly trades: number;
  readonly takerBuyVolume: number;
  readonly takerBuyQuoteVolume: number;
  readonly provenance: string;
  readonly commitSeq: number;
  readonly prevOpenTime: number | null;
}

export type ModelEvent =
  | { readonly kind: "candle"; readonly row: ModelRow }
  | { readonly kind: "gap"; readonly symbol: string; readonly from: number; readonly to: number };

const MINUTE = 60_000;

/**
 * The delivery of one symbol by design.md's words: revision-0 rows in commitSeq order, leaving out imports and any whose
 * openTime is not above the symbol's last; partial ones only for those who ask; a gap before the candle that follows it.
 */
export function deliveryOf(
  rows: readonly ModelRow[],
  symbol: string,
  startSeq: number,
  includePartial: boolean,
): ModelEvent[] {
  const events: ModelEvent[] = [];
  let last = Number.NEGATIVE_INFINITY;
  let given: number | null = null;
  for (const row of rows) {
    if (row.symbol !== symbol || row.provenance === "imported" || row.openTime <= last) continue;
    last = row.openTime;
    if (row.commitSeq <= startSeq || (row.provenance === "partial" && !includePartial)) continue;
    if (given !== null && row.openTime - given > MINUTE)
      events.push({ kind: "gap", symbol, from: given + MINUTE, to: row.openTime - MINUTE });
    events.push({ kind: "candle", row });
    given = row.openTime;
  }
  return events;
}
