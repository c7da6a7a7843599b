import { DonchianChannels } from "trading-signals";
import * as v from "valibot";
import { defineStrategy } from "./contract.ts";
import { barsParam, longOnly, type OrderWatch, quantityParam, settle } from "./long-only.ts";

type Range = readonly [high: number, low: number];

interface State extends OrderWatch {
  readonly entry: DonchianChannels;
  readonly exit: DonchianChannels;
  /** The newest bars' ranges, as many as the longer channel spans: all that the channels depend on. */
  readonly ranges: Range[];
  /** The channels that the newest bar was held against: for charts, not saved. */
  seen: { readonly ceiling: number | null; readonly floor: number | null };
}

interface Params {
  readonly entry: number;
  readonly exit: number;
}

const params = v.object({ entry: barsParam(20), exit: barsParam(10), quantity: quantityParam });

/** Buys when a bar closes above the highest high of the bars before it, sells all when one closes below their lowest low. */
export const channelBreakout = defineStrategy({
  name: "channel-breakout",
  version: "1",
  params,
  warmup: ({ entry, exit }) => Math.max(entry, exit),
  init: ({ params: periods }): State => freshState(periods),
  onCandle({ candle, state, position, params: { quantity, ...periods }, warmingUp }) {
    settle(state, candle.trades);
    state.seen = {
      ceiling: state.entry.getResult()?.upper ?? null,
      floor: state.exit.getResult()?.lower ?? null,
    };
    const ceiling = state.seen.ceiling ?? Number.POSITIVE_INFINITY;
    const floor = state.seen.floor ?? Number.NEGATIVE_INFINITY;
    addRange(state, [candle.high, candle.low], periods);
    if (warmingUp) return [];
    const enter = candle.close > ceiling;
    const reason = enter ? `close ${candle.close} above ${ceiling}` : `close ${candle.close} below ${floor}`;
    return longOnly(state, position, { enter, leave: candle.close < floor, reason }, quantity);
  },
  indicators: ({ seen }) => seen,
  save: ({ ranges, waiting }) => ({ ranges, waiting }),
  restore(saved, { params: periods }): State {
    const { ranges, waiting } = v.parse(SAVED, saved);
    const state = freshState(periods);
    for (const range of ranges) addRange(state, range, periods);
    state.waiting = waiting;
    return state;
  },
});

const SAVED = v.object({ ranges: v.array(v.tuple([v.number(), v.number()])), waiting: v.boolean() });

function freshState({ entry, exit }: Params): State {
  return {
    entry: new DonchianChannels(entry),
    exit: new DonchianChannels(exit),
    ranges: [],
    seen: { ceiling: null, floor: null },
    waiting: false,
  };
}

function addRange(state: State, [high, low]: Range, { entry, exit }: Params): void {
  state.entry.add({ high, low });
  state.exit.add({ high, low });
  state.ranges.push([high, low]);
  if (state.ranges.length > Math.max(entry, exit)) state.ranges.shift();
}
