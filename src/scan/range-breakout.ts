import { DonchianChannels } from "trading-signals";
import { defineRule } from "./contract.ts";

const MINUTES = 30;

/**
 * Symbols whose last minute closed outside the range of the 30 minutes before it, the farthest first. The score is the
 * distance from the range as a fraction of its edge; the note says on which side.
 */
export const rangeBreakout = defineRule({
  name: "range-breakout",
  init: () => new DonchianChannels(MINUTES),
  onCandle(range, candle) {
    const before = range.getResult();
    range.add({ high: candle.high, low: candle.low });
    if (before === null) return null;
    if (candle.close > before.upper) return outside("above", candle.close, before.upper);
    return candle.close < before.lower ? outside("below", candle.close, before.lower) : null;
  },
});

function outside(side: "above" | "below", close: number, edge: number): { score: number; note: string } {
  const score = Math.abs(close - edge) / edge;
  return { score, note: `${side} ${edge}, the ${MINUTES}-minute range, by ${(score * 100).toFixed(2)} %` };
}
