import type { Candle, StoredCandle } from "../core/candle.ts";
import type { Decision, Position } from "../core/decision.ts";

/** What was decided on one bar of the strategy's timeframe. */
export interface BarDecisions {
  readonly openTime: number;
  /** Exchange time at which the bar ended, epoch ms. */
  readonly closedAtMs: number;
  readonly decisions: readonly Decision[];
}

/** What one minute led to, and the state to save with it where it is saved. */
export interface Decided {
  readonly bars: readonly BarDecisions[];
  readonly saved: string | null;
}

/** Who decides: the strategy's host, as execution sees it. Pure, and it never throws for what a strategy does. */
export interface DecisionMaker {
  readonly includePartial: boolean;
  /** Why it decides nothing any more; null while it is well. */
  readonly failure: string | null;
  /** openTime of the first minute of history wanted before the anchor. */
  warmupFrom(anchorOpenTime: number): number;
  warm(candle: Candle): void;
  refold(candle: Candle, position: Position): void;
  decide(candle: Candle, position: Position): Decided;
  /** False, with nothing changed, where the saved state cannot be taken up. */
  restore(symbol: string, saved: string): boolean;
}

/** What the runner reads of the store: the store's reader offers it. */
export interface MarketHistory {
  /** The newest published state; null while there is no store. */
  view(): Promise<{ readonly storeId: string; readonly throughSeq: number } | null>;
  /** Revision 0 by openTime, both ends inclusive. */
  history(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly StoredCandle[]>;
}
