import { closeTimeOf } from "../../core/candle.ts";
import { formatScaled, nearestNumber } from "./decimal.ts";

/** A trade in whole numbers, as the oracle adds it up. `count`: the venue's own trades in it (more than 1 for an aggregate). */
export interface ExactTrade {
  readonly firstId: number;
  readonly lastId: number;
  readonly count: number;
  readonly price: bigint;
  readonly quantity: bigint;
  readonly buyerIsMaker: boolean;
}

/** How many decimal places the whole numbers of a candle stand for. */
export interface Scale {
  readonly priceDecimals: number;
  readonly quantityDecimals: number;
}

/** A minute as the oracle knows it. The fields' names and meaning are those of the wire's candle body. */
export interface TruthRow {
  readonly symbol: string;
  readonly openTime: number;
  readonly closeTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly quoteVolume: number;
  readonly trades: number;
  readonly takerBuyVolume: number;
  readonly takerBuyQuoteVolume: number;
  readonly firstTradeId: number | null;
  readonly lastTradeId: number | null;
}

/** Binance's kline: 12 columns, decimals as text. The last is unused and always "0". */
export type KlineRow = readonly [
  number,
  string,
  string,
  string,
  string,
  string,
  number,
  string,
  number,
  string,
  string,
  "0",
];

/**
 * One minute, added up in whole numbers and rounded only when read: the oracle's own arithmetic, which shares nothing with
 * the node's aggregation. Trades may come in any order; the lowest id opens and the highest closes.
 */
export class ExactCandle {
  readonly symbol: string;
  readonly openTime: number;
  readonly #scale: Scale;
  #open: bigint;
  #high: bigint;
  #low: bigint;
  #close: bigint;
  #volume = 0n;
  #quoteVolume = 0n;
  #buyVolume = 0n;
  #buyQuoteVolume = 0n;
  #trades = 0;
  #firstId: number | null = null;
  #lastId: number | null = null;

  /** A quiet minute, flat at `previousClose`, until a trade is added. */
  constructor(symbol: string, openTime: number, scale: Scale, previousClose: bigint) {
    this.symbol = symbol;
    this.openTime = openTime;
    this.#scale = scale;
    this.#open = previousClose;
    this.#high = previousClose;
    this.#low = previousClose;
    this.#close = previousClose;
  }

  add(trade: ExactTrade): void {
    const { price, quantity } = trade;
    if (this.#firstId === null || trade.firstId < this.#firstId) {
      this.#open = price;
      if (this.#firstId === null) this.#high = this.#low = price;
      this.#firstId = trade.firstId;
    }
    if (this.#lastId === null || trade.lastId > this.#lastId) {
      this.#close = price;
      this.#lastId = trade.lastId;
    }
    if (price > this.#high) this.#high = price;
    if (price < this.#low) this.#low = price;
    const quote = price * quantity;
    this.#trades += trade.count;
    this.#volume += quantity;
    this.#quoteVolume += quote;
    if (trade.buyerIsMaker) return;
    this.#buyVolume += quantity;
    this.#buyQuoteVolume += quote;
  }

  /** Every figure the double nearest to the exact result. */
  truth(): TruthRow {
    const { priceDecimals, quantityDecimals } = this.#scale;
    const quoteDecimals = priceDecimals + quantityDecimals;
    return {
      symbol: this.symbol,
      openTime: this.openTime,
      closeTime: closeTimeOf(this.openTime),
      open: nearestNumber(this.#open, priceDecimals),
      high: nearestNumber(this.#high, priceDecimals),
      low: nearestNumber(this.#low, priceDecimals),
      close: nearestNumber(this.#close, priceDecimals),
      volume: nearestNumber(this.#volume, quantityDecimals),
      quoteVolume: nearestNumber(this.#quoteVolume, quoteDecimals),
      trades: this.#trades,
      takerBuyVolume: nearestNumber(this.#buyVolume, quantityDecimals),
      takerBuyQuoteVolume: nearestNumber(this.#buyQuoteVolume, quoteDecimals),
      firstTradeId: this.#firstId,
      lastTradeId: this.#lastId,
    };
  }

  /** The venue's REST row, exact: at least 8 places, more where the sum has more. */
  kline(): KlineRow {
    const { priceDecimals, quantityDecimals } = this.#scale;
    const quoteDecimals = priceDecimals + quantityDecimals;
    return [
      this.openTime,
      formatScaled(this.#open, priceDecimals),
      formatScaled(this.#high, priceDecimals),
      formatScaled(this.#low, priceDecimals),
      formatScaled(this.#close, priceDecimals),
      formatScaled(this.#volume, quantityDecimals),
      closeTimeOf(this.openTime),
      formatScaled(this.#quoteVolume, quoteDecimals),
      this.#trades,
      formatScaled(this.#buyVolume, quantityDecimals),
      formatScaled(this.#buyQuoteVolume, quoteDecimals),
      "0",
    ];
  }
}
