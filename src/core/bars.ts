import type { Candle, FeedGap } from "./candle.ts";
import type { Timeframe } from "./timeframe.ts";

/** A candle of any timeframe, made of a symbol's minutes. Its provenance is that of its worst minute; "partial" where one is missing. */
export interface Bar extends Candle {
  /** Minutes it is made of. */
  readonly minutes: number;
  /** Minutes that it lacks, as far as time has come. */
  readonly missing: number;
  /** Whether no later minute can change it. */
  readonly closed: boolean;
  /** Of its newest minute's row. */
  readonly commitSeq: number;
}

/** Which bars: by their openTime, epoch ms. */
export interface BarQuery {
  readonly symbol: string;
  readonly timeframe: Timeframe;
  /** Inclusive; null for the store's first. */
  readonly from: number | null;
  /** Inclusive; null for the store's newest. */
  readonly to: number | null;
  /** Exclusive; what the page before gave as `older`. */
  readonly before: number | null;
  /** The newest so many of them; 1 or more. */
  readonly limit: number;
}

export interface BarPage {
  /** Oldest first. */
  readonly bars: readonly Bar[];
  /** The next older page's `before`; null where there is nothing older. A page may hold fewer bars than asked for and yet not be the last. */
  readonly older: number | null;
  /** Whether the store has any candle of the symbol. */
  readonly isKnown: boolean;
}

export interface GapQuery {
  /** Null for every symbol. */
  readonly symbol: string | null;
  /** Only those numbered below; null for the newest. */
  readonly before: number | null;
  readonly limit: number;
}

/** A recorded gap with its number: 1, 2, 3 … in the order in which they were recorded. */
export interface NumberedGap extends FeedGap {
  readonly gapSeq: number;
}
