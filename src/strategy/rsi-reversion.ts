import { RSI } from "trading-signals";
import * as v from "valibot";
import { defineStrategy } from "./contract.ts";
import { barsParam, longOnly, type OrderWatch, quantityParam, settle, told } from "./long-only.ts";

interface State extends OrderWatch {
  readonly rsi: RSI;
}

const level = (fallback: number) => v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), fallback);

const params = v.pipe(
  v.object({ period: barsParam(14), oversold: level(30), overbought: level(70), quantity: quantityParam }),
  v.check(({ oversold, overbought }) => oversold < overbought, "oversold must be below overbought"),
);

/** Wilder's smoothing forgets slowly: after ten periods what lies before weighs less than a hundred-thousandth. */
const WARMUP_PERIODS = 10;
const MOST_WARMUP = 10_000;

/**
 * Buys when Wilder's relative strength index is below the oversold level, sells all when it is above the overbought one.
 * The index depends on every bar since its first, so a restart folds them all again.
 */
export const rsiReversion = defineStrategy({
  name: "rsi-reversion",
  version: "1",
  params,
  warmup: ({ period }) => Math.min(period * WARMUP_PERIODS, MOST_WARMUP),
  init: ({ params: { period } }): State => ({ rsi: new RSI(period), waiting: false }),
  onCandle({ candle, state, position, params: { oversold, overbought, quantity }, warmingUp }) {
    settle(state, candle.trades);
    const rsi = state.rsi.add(candle.close);
    if (rsi === null || warmingUp) return [];
    const signal = {
      enter: rsi < oversold,
      leave: rsi > overbought,
      reason: `relative strength index at ${told(rsi)}`,
    };
    return longOnly(state, position, signal, quantity);
  },
  indicators: ({ rsi }) => ({ rsi: rsi.getResult() }),
});
