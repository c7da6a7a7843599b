import type { Candle, FeedGap } from "../core/candle.ts";
import type { CloseBatch } from "../core/delivery.ts";

/** Rows of one batch; a longer catch-up is split. */
export const MAX_BATCH_ROWS = 5000;

/**
 * Splits what closed into batches of at most `maxRows` rows, minutes in order over all symbols. A gap comes no later than the
 * symbol's first row behind it: where only the first batches reach the store, the next start goes on after its newest row, and
 * a gap before that would never be told. What is closed through is told with the last batch.
 */
export function closeBatches(
  candles: readonly Candle[],
  gaps: readonly FeedGap[],
  closedThrough: { readonly before: number | null; readonly after: number | null },
  maxRows: number,
): readonly CloseBatch[] {
  const rows = candles.toSorted((left, right) => left.openTime - right.openTime);
  const batches: CloseBatch[] = [];
  let left = gaps;
  for (let at = 0; at === 0 || at < rows.length; at += maxRows) {
    const own = rows.slice(at, at + maxRows);
    const isLast = at + maxRows >= rows.length;
    const newest = own.at(-1)?.openTime ?? Number.POSITIVE_INFINITY;
    const isDue = (gap: FeedGap) => isLast || gap.toOpenTime < newest;
    const due = left.filter(isDue);
    left = left.filter((gap) => !isDue(gap));
    batches.push({ candles: own, gaps: due, closedThrough: isLast ? closedThrough.after : closedThrough.before });
  }
  return batches;
}
