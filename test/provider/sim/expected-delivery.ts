import type { StoredCandle } from "../../../src/core/candle.ts";
import type { DeliveryEvent } from "../../../src/core/delivery.ts";
import { MINUTE_MS } from "../../../src/core/time.ts";

/**
 * What a consumer must be given for one symbol, told from the rows alone: no cursor, no rails, no prevOpenTime. Rows up to
 * `startSeq` come before the consumer's time.
 */
export function expectedDelivery(
  rows: readonly StoredCandle[],
  symbol: string,
  startSeq: number,
  includePartial: boolean,
): readonly DeliveryEvent[] {
  const events: DeliveryEvent[] = [];
  let newest = Number.NEGATIVE_INFINITY;
  let given: number | null = null;
  for (const candle of rows) {
    if (candle.symbol !== symbol || candle.provenance === "imported" || candle.openTime <= newest) continue;
    newest = candle.openTime;
    if (candle.commitSeq <= startSeq || (candle.provenance === "partial" && !includePartial)) continue;
    if (given !== null && candle.openTime > given + MINUTE_MS)
      events.push({ type: "gap", symbol, fromOpenTime: given + MINUTE_MS, toOpenTime: candle.openTime - MINUTE_MS });
    events.push({ type: "candle", candle });
    given = candle.openTime;
  }
  return events;
}
