import { freshState, type SimBar, type SimStrategy, seeBar, seeGap } from "../strategies.ts";
import type { ModelRow } from "./row.ts";

const MINUTE = 60_000;
const LENGTHS = { "1m": 1, "3m": 3, "5m": 5 } as const;

export interface ModelDecision {
  /** openTime of the bar, and its place among the bar's decisions. */
  readonly barOpenTime: number;
  readonly ordinal: number;
  readonly side: string;
  readonly quantity: string;
}

interface Bar extends SimBar {
  readonly minutes: number;
  readonly isPartial: boolean;
}

/** One symbol's strategy by the documented rules: warm-up, roll-up, gaps, partial bars. The simulator's own arithmetic. */
export class ModelFold {
  readonly #traits: SimStrategy;
  readonly #length: number;
  readonly #state = freshState();
  #bar: Bar | null = null;
  #last: number | null = null;

  constructor(traits: SimStrategy) {
    this.#traits = traits;
    this.#length = LENGTHS[traits.timeframe] * MINUTE;
  }

  /** Warm-up begins with the first whole bar that many bars before the anchor's. */
  warmFrom(anchorOpenTime: number): number {
    return Math.floor(anchorOpenTime / this.#length) * this.#length - this.#traits.warmupBars * this.#length;
  }

  warm(rows: readonly ModelRow[]): void {
    for (const row of rows) this.see(row, "0");
  }

  see(row: ModelRow, held: string): ModelDecision[] {
    if (row.provenance === "partial" && !this.#traits.includePartial) return [];
    const decisions: ModelDecision[] = [];
    const start = Math.floor(row.openTime / this.#length) * this.#length;
    if (this.#bar && start > this.#bar.openTime) this.#close(held, decisions);
    if (this.#last !== null && row.openTime - this.#last > MINUTE)
      seeGap(this.#state, this.#last + MINUTE, row.openTime - MINUTE);
    this.#last = row.openTime;
    this.#bar = this.#with(this.#bar, row, start);
    if (row.openTime + MINUTE === start + this.#length) this.#close(held, decisions);
    return decisions;
  }

  #with(bar: Bar | null, row: ModelRow, start: number): Bar {
    const isPartial = row.provenance === "partial";
    if (bar === null) {
      const { open, high, low, close, trades } = row;
      return { openTime: start, open, high, low, close, trades, minutes: 1, isPartial };
    }
    return {
      ...bar,
      high: Math.max(bar.high, row.high),
      low: Math.min(bar.low, row.low),
      close: row.close,
      trades: bar.trades + row.trades,
      minutes: bar.minutes + 1,
      isPartial: bar.isPartial || isPartial,
    };
  }

  #close(held: string, decisions: ModelDecision[]): void {
    const bar = this.#bar;
    this.#bar = null;
    if (bar === null) return;
    const isPartial = bar.isPartial || bar.minutes * MINUTE < this.#length;
    if (isPartial && !this.#traits.includePartial) return;
    const taken = seeBar(this.#traits, this.#state, bar, held);
    decisions.push(
      ...taken.map(({ side, quantity }, ordinal) => ({ barOpenTime: bar.openTime, ordinal, side, quantity })),
    );
  }
}
