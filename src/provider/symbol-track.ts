import type { StoredCandle } from "../core/candle.ts";
import type { SymbolCursor } from "../core/delivery.ts";
import type { CandleBody } from "../core/wire.ts";

/** A candle as the fast rail brought it, with the monotonic ms of its arrival. */
export interface FastCandle {
  readonly body: CandleBody;
  readonly receivedMs: number;
}

/** How far one symbol is. */
export class SymbolTrack {
  readonly symbol: string;
  /** What the consumer was given; null before its first candle. */
  position: SymbolCursor | null;
  /**
   * openTime of the newest row of the delivery that was dealt with: also one that was left out (partial) or lies before
   * the consumer's start. The next row names it as its `prevOpenTime`.
   */
  chainOpenTime: number | null;
  /** commitSeq of that row; 0 where it is not known. */
  chainSeq = 0;
  /** Which rail brought the newest candle of this life; null before it. */
  rail: "FAST" | "FALLBACK" | null = null;
  /** Monotonic ms of the newest delivery in this life. */
  progressMs: number | null = null;
  /** openTime of the newest candle delivered. */
  lastCandleOpenTime: number | null;

  constructor(symbol: string, position: SymbolCursor | null) {
    this.symbol = symbol;
    this.position = position;
    this.chainOpenTime = position?.lastOpenTime ?? null;
    this.lastCandleOpenTime = this.chainOpenTime;
  }

  /** Whether this row of the symbol was dealt with before. */
  hasHandled(row: StoredCandle): boolean {
    return row.commitSeq <= this.chainSeq || (this.position !== null && row.openTime <= this.position.lastOpenTime);
  }

  /** The row is dealt with. */
  link(openTime: number, commitSeq: number): void {
    this.chainOpenTime = openTime;
    this.chainSeq = commitSeq;
  }
}

/** The row alone, without what the wire adds: a strategy sees the same whichever rail brought it. */
export function storedCandleOf(body: CandleBody): StoredCandle {
  return {
    symbol: body.symbol,
    openTime: body.openTime,
    open: body.open,
    high: body.high,
    low: body.low,
    close: body.close,
    volume: body.volume,
    quoteVolume: body.quoteVolume,
    trades: body.trades,
    takerBuyVolume: body.takerBuyVolume,
    takerBuyQuoteVolume: body.takerBuyQuoteVolume,
    firstTradeId: body.firstTradeId,
    lastTradeId: body.lastTradeId,
    provenance: body.provenance,
    commitSeq: body.commitSeq,
    prevOpenTime: body.prevOpenTime,
  };
}
