import type { Candle, Provenance } from "../core/candle.ts";
import type { Trade } from "./contract.ts";
import type { DecimalReader } from "./decimal.ts";
import { ExactSum } from "./exact-sum.ts";

/** The trades of one symbol and minute, folded as they come, in any order. Keeps no trade. */
export class MinuteFold {
  firstId = Number.POSITIVE_INFINITY;
  lastId = Number.NEGATIVE_INFINITY;
  trades = 0;
  #open = 0;
  #close = 0;
  #high = 0;
  #low = Number.POSITIVE_INFINITY;
  readonly #volume = new ExactSum();
  readonly #quoteVolume = new ExactSum();
  readonly #takerBuyVolume = new ExactSum();
  readonly #takerBuyQuoteVolume = new ExactSum();

  /** `price` and `quantity` hold the trade's decimals, already read. */
  add(trade: Trade, price: DecimalReader, quantity: DecimalReader): void {
    const lastId = trade.lastId ?? trade.id;
    const value = price.value;
    if (trade.id < this.firstId) {
      this.firstId = trade.id;
      this.#open = value;
    }
    if (lastId > this.lastId) {
      this.lastId = lastId;
      this.#close = value;
    }
    if (value > this.#high) this.#high = value;
    if (value < this.#low) this.#low = value;
    this.trades += lastId - trade.id + 1;
    this.#volume.add(quantity);
    this.#quoteVolume.addProduct(price, quantity);
    if (!trade.buyerIsMaker) {
      this.#takerBuyVolume.add(quantity);
      this.#takerBuyQuoteVolume.addProduct(price, quantity);
    }
  }

  candle(symbol: string, openTime: number, provenance: Provenance): Candle {
    return {
      symbol,
      openTime,
      open: this.#open,
      high: this.#high,
      low: this.#low,
      close: this.#close,
      volume: this.#volume.toNumber(),
      quoteVolume: this.#quoteVolume.toNumber(),
      trades: this.trades,
      takerBuyVolume: this.#takerBuyVolume.toNumber(),
      takerBuyQuoteVolume: this.#takerBuyQuoteVolume.toNumber(),
      firstTradeId: this.firstId,
      lastTradeId: this.lastId,
      provenance,
    };
  }
}

/** A minute without a trade: flat at the previous close. */
export function flatCandle(symbol: string, openTime: number, close: number): Candle {
  return {
    symbol,
    openTime,
    open: close,
    high: close,
    low: close,
    close,
    volume: 0,
    quoteVolume: 0,
    trades: 0,
    takerBuyVolume: 0,
    takerBuyQuoteVolume: 0,
    firstTradeId: null,
    lastTradeId: null,
    provenance: "empty",
  };
}
