import { MINUTE_MS } from "../../core/time.ts";
import type { VenueCandle } from "../contract.ts";
import { flatCandle } from "../minute-fold.ts";

/** A minute that no row tells counts as one without trades when it has been over for this long (exchange ms). */
const SETTLED_MS = 10_000;

/** Minutes of one answer, both ends inclusive, and the close before them where it is known. */
export interface AbsentRange {
  readonly from: number;
  readonly through: number;
  readonly closeBefore: number | null;
  readonly venueTimeMs: number;
}

/**
 * The minutes of a venue that tells none for a minute without trades: an absent one before a present row, or over for 10 s, is
 * flat at the previous close. `rows` are in order and may begin before `from`: the last of those tells that close. Where none is known,
 * absent minutes stay out; from the first one on that may still come, so do all.
 */
export function withAbsent(
  symbol: string,
  rows: readonly VenueCandle[],
  { from, through, closeBefore, venueTimeMs }: AbsentRange,
): readonly VenueCandle[] {
  const present = new Map(rows.map((row) => [row.openTime, row]));
  const newest = rows.at(-1)?.openTime ?? Number.NEGATIVE_INFINITY;
  let close = rows.findLast(({ openTime }) => openTime < from)?.close ?? closeBefore;
  const candles: VenueCandle[] = [];
  for (let openTime = from; openTime <= through; openTime += MINUTE_MS) {
    const row = present.get(openTime);
    const isSettled = openTime < newest || openTime + MINUTE_MS + SETTLED_MS <= venueTimeMs;
    if (row !== undefined) candles.push(row);
    else if (!isSettled) break;
    else if (close !== null) candles.push({ ...flatCandle(symbol, openTime, close), provenance: "backfilled" });
    close = row?.close ?? close;
  }
  return candles;
}
