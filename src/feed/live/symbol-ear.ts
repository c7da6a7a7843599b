/** What was heard of one symbol, over all connections of a run. Changed at every trade. */
export interface SymbolEar {
  readonly symbol: string;
  /** The highest trade id heard live, or left out by the venue; null before the first. */
  lastId: number | null;
  /** The newest trade's time; null before the first. */
  heardMs: number | null;
  /** Monotonic ms of the last trade, or of the subscription. */
  heardAt: number;
  /** Trades heard; where the venue gives no ids this numbers them. */
  count: number;
}

export function newEar(symbol: string): SymbolEar {
  return { symbol, lastId: null, heardMs: null, heardAt: Number.NEGATIVE_INFINITY, count: 0 };
}
