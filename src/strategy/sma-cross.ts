import { SMA } from "trading-signals";
import * as v from "valibot";
import { defineStrategy } from "./contract.ts";
import { barsParam, longOnly, type OrderWatch, quantityParam, settle, told } from "./long-only.ts";

interface State extends OrderWatch {
  readonly fast: SMA;
  readonly slow: SMA;
  /** The newest closes, as many as the slow average spans: all that the averages depend on. */
  readonly closes: number[];
  /** Whether the fast average was above the slow one; null before both are known. */
  above: boolean | null;
}

const params = v.pipe(
  v.object({ fast: barsParam(5), slow: barsParam(20), quantity: quantityParam }),
  v.check(({ fast, slow }) => fast < slow, "fast must be below slow"),
);

/** Buys when the fast average of closes crosses above the slow one, sells all when it crosses below. */
export const smaCross = defineStrategy({
  name: "sma-cross",
  version: "1",
  params,
  warmup: ({ slow }) => slow + 1,
  init: ({ params: { fast, slow } }): State => ({
    fast: new SMA(fast),
    slow: new SMA(slow),
    closes: [],
    above: null,
    waiting: false,
  }),
  onCandle({ candle, state, position, params: { slow, quantity }, warmingUp }) {
    settle(state, candle.trades);
    state.closes.push(candle.close);
    if (state.closes.length > slow) state.closes.shift();
    const fastNow = state.fast.add(candle.close);
    const slowNow = state.slow.add(candle.close);
    if (fastNow === null || slowNow === null || fastNow === slowNow) return [];
    const above = fastNow > slowNow;
    const crossed = state.above !== null && above !== state.above;
    state.above = above;
    if (warmingUp || !crossed) return [];
    const reason = `fast average ${told(fastNow)} crossed ${above ? "above" : "below"} slow ${told(slowNow)}`;
    return longOnly(state, position, { enter: above, leave: !above, reason }, quantity);
  },
  indicators: ({ fast, slow }) => ({ fast: fast.getResult(), slow: slow.getResult() }),
  save: ({ closes, above, waiting }) => ({ closes, above, waiting }),
  restore(saved, { params: { fast, slow } }): State {
    const { closes, above, waiting } = v.parse(SAVED, saved);
    const state: State = { fast: new SMA(fast), slow: new SMA(slow), closes, above, waiting };
    for (const close of closes) {
      state.fast.add(close);
      state.slow.add(close);
    }
    return state;
  },
});

const SAVED = v.object({ closes: v.array(v.number()), above: v.nullable(v.boolean()), waiting: v.boolean() });
