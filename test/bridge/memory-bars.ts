import type { Bar, BarPage, BarQuery } from "../../src/core/bars.ts";
import type { Candle, StoredCandle } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { bucketOf, timeframeMs } from "../../src/core/timeframe.ts";
import { RollUp } from "../../src/strategy/rollup.ts";

/** What a store with these minutes of one symbol would answer. */
export function barsOf(rows: readonly StoredCandle[], query: BarQuery): BarPage {
  const { timeframe, from, to, before, limit } = query;
  const all = rolledUp(rows, timeframe);
  const wanted = all.filter(
    ({ openTime }) => openTime >= (from ?? 0) && openTime <= (to ?? Infinity) && openTime < (before ?? Infinity),
  );
  const bars = wanted.slice(-limit);
  return { bars, older: wanted.length > limit ? (bars[0]?.openTime ?? null) : null, isKnown: rows.length > 0 };
}

function rolledUp(rows: readonly StoredCandle[], timeframe: BarQuery["timeframe"]): readonly Bar[] {
  const roll = new RollUp(timeframe);
  const bars: Bar[] = [];
  const end = (rows.at(-1)?.openTime ?? 0) + MINUTE_MS;
  const take = (bar: Candle | null) => {
    if (!bar) return;
    const within = rows.filter(({ openTime }) => bucketOf(openTime, timeframe) === bar.openTime);
    const closed = bar.openTime + timeframeMs(timeframe) <= end;
    const due = (Math.min(end, bar.openTime + timeframeMs(timeframe)) - bar.openTime) / MINUTE_MS;
    const missing = due - within.length;
    const provenance = closed || missing > 0 ? bar.provenance : (within.at(-1)?.provenance ?? bar.provenance);
    bars.push({
      ...bar,
      provenance,
      minutes: within.length,
      missing,
      closed,
      commitSeq: within.at(-1)?.commitSeq ?? 0,
    });
  };
  for (const row of rows) {
    take(roll.closeBefore(row.openTime));
    const { commitSeq: _seq, prevOpenTime: _prev, ...minute } = row;
    take(roll.add(minute));
  }
  take(roll.closeBefore(Infinity));
  return bars;
}
