import { expect, test } from "bun:test";
import { closeBatches } from "../../src/feed/close-batches.ts";
import { candleAt, FIRST_MINUTE } from "../provider/sim/market-node.ts";

const minute = (index: number) => FIRST_MINUTE + index * 60_000;
const gap = (symbol: string, from: number, to: number) => ({
  symbol,
  fromOpenTime: minute(from),
  toOpenTime: minute(to),
  reason: "none",
});

test("Invariant 2 (what stays unknown is a gap): a gap comes no later than its symbol's first row behind it", () => {
  const candles = [0, 2, 3, 4, 6].flatMap((at) => [candleAt("A", minute(at)), candleAt("B", minute(at))]);
  const gaps = [gap("A", 1, 1), gap("B", 1, 1), gap("A", 5, 5), gap("B", 7, 7)];
  const batches = closeBatches(candles, gaps, { before: minute(0), after: minute(7) }, 3);
  expect(batches.length).toBe(4);
  for (const { symbol, toOpenTime } of gaps) {
    const told = batches.findIndex((batch) =>
      batch.gaps.some((one) => one.symbol === symbol && one.toOpenTime === toOpenTime),
    );
    const followed = batches.findIndex((batch) =>
      batch.candles.some((candle) => candle.symbol === symbol && candle.openTime > toOpenTime),
    );
    const before = batches.findLastIndex((batch) =>
      batch.candles.some((candle) => candle.symbol === symbol && candle.openTime < toOpenTime),
    );
    expect(told).toBeGreaterThanOrEqual(before);
    if (followed >= 0) expect(told).toBeLessThanOrEqual(followed);
  }
  expect(batches.flatMap((batch) => batch.gaps).length).toBe(gaps.length);
  expect(batches.map((batch) => batch.closedThrough)).toEqual([minute(0), minute(0), minute(0), minute(7)]);
  const times = batches.flatMap((batch) => batch.candles.map((candle) => candle.openTime));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test("Gaps without rows are one batch", () => {
  const batches = closeBatches([], [gap("A", 1, 2)], { before: null, after: minute(2) }, 3);
  expect(batches).toEqual([{ candles: [], gaps: [gap("A", 1, 2)], closedThrough: minute(2) }]);
});
