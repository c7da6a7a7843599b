import { object } from "valibot";
import type { Decision } from "../../src/core/decision.ts";
import { defineStrategy, type Strategy } from "../../src/strategy/contract.ts";

/** A strategy by its traits. What it decides hangs on every candle, gap and position it was ever shown: nothing passes unnoticed. */
export interface SimStrategy {
  readonly name: string;
  readonly timeframe: "1m" | "3m" | "5m";
  readonly warmupBars: number;
  readonly includePartial: boolean;
  readonly saves: boolean;
  /** Decisions a bar, most. */
  readonly most: number;
}

export const SIM_STRATEGIES: Readonly<Record<string, SimStrategy>> = {
  hash: { name: "hash", timeframe: "1m", warmupBars: 0, includePartial: false, saves: false, most: 1 },
  saver: { name: "saver", timeframe: "1m", warmupBars: 2, includePartial: false, saves: true, most: 2 },
  rolled: { name: "rolled", timeframe: "3m", warmupBars: 2, includePartial: false, saves: false, most: 2 },
  warm: { name: "warm", timeframe: "1m", warmupBars: 10, includePartial: false, saves: false, most: 1 },
  partial: { name: "partial", timeframe: "5m", warmupBars: 1, includePartial: true, saves: true, most: 1 },
  churn: { name: "churn", timeframe: "1m", warmupBars: 3, includePartial: false, saves: false, most: 4 },
};

/** The part of a bar that a decision rests on. */
export interface SimBar {
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly trades: number;
}

export interface SimState {
  acc: number;
  bars: number;
  gaps: number;
}

export function freshState(): SimState {
  return { acc: 17, bars: 0, gaps: 0 };
}

export function seeBar(strategy: SimStrategy, state: SimState, bar: SimBar, held: string): Decision[] {
  const facts = [bar.openTime / 60_000, bar.open * 100, bar.high * 100, bar.low * 100, bar.close * 100, bar.trades];
  for (const fact of [...facts, Number(held) * 100_000_000])
    state.acc = (Math.imul(state.acc ^ Math.round(fact), 0x01000193) >>> 0) % 0x7fffffff;
  state.bars++;
  if (state.acc % 3 === 0) return [];
  const side = state.acc % 5 < 3 ? "buy" : "sell";
  const count = 1 + (state.acc % strategy.most);
  return Array.from({ length: count }, (_, at) => ({ side, quantity: String((1 + ((state.acc >> at) % 9)) / 100) }));
}

export function seeGap(state: SimState, fromOpenTime: number, toOpenTime: number): void {
  state.gaps++;
  state.acc = Math.imul(state.acc ^ (fromOpenTime / 60_000), 31) ^ (toOpenTime / 60_000);
  state.acc = (state.acc >>> 0) % 0x7fffffff;
}

/** The same as the product runs it. `onBar` is told of every bar that the strategy is shown live or again. */
export function strategyOf(traits: SimStrategy): Strategy {
  const definition = defineStrategy({
    name: traits.name,
    version: "1",
    params: object({}),
    timeframe: traits.timeframe,
    warmup: () => traits.warmupBars,
    includePartial: traits.includePartial,
    init: freshState,
    onCandle: ({ candle, state, position }) => seeBar(traits, state, candle, position.quantity),
    onGap: ({ state, fromOpenTime, toOpenTime }) => seeGap(state, fromOpenTime, toOpenTime),
    ...(traits.saves
      ? { save: (state: SimState) => state, restore: (saved: unknown) => ({ ...(saved as SimState) }) }
      : {}),
  });
  return definition;
}
