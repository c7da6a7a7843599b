import type { Position, Side } from "../core/decision.ts";
import type { PositionRow } from "../core/wire.ts";
import { type DecimalValue, decimal, decimalOfPrice, decimalText, moneyText } from "./decimal.ts";

/** An execution as far as positions go. Decimal strings; the fee in the quote asset. */
export interface Execution {
  readonly side: Side;
  readonly quantity: string;
  readonly price: string;
  readonly fee: string;
  /** The part of the fee taken in the base asset: so much less is held. Null for none. */
  readonly baseFee: string | null;
}

/**
 * One symbol's position by the average-cost method, from its fills alone. Quantity and cash are exact sums; realised PnL is
 * cash (fees paid) plus the cost of what is held, so that rounding, which only a partial close brings (20 decimals), is gone
 * once flat. A position may be short.
 */
export class PositionBook {
  readonly symbol: string;
  #quantity: DecimalValue;
  /** Signed: what was paid for what is held; below zero where short. */
  #cost: DecimalValue;
  #cash: DecimalValue;

  constructor(symbol: string, from: PositionBook | null = null) {
    this.symbol = symbol;
    this.#quantity = from ? from.#quantity : decimal("0");
    this.#cost = from ? from.#cost : decimal("0");
    this.#cash = from ? from.#cash : decimal("0");
  }

  /** The same book with more executions applied; this one stays as it is. */
  after(executions: readonly Execution[]): PositionBook {
    const book = new PositionBook(this.symbol, this);
    for (const execution of executions) book.#apply(execution);
    return book;
  }

  position(): Position {
    return {
      symbol: this.symbol,
      quantity: decimalText(this.#quantity),
      averagePrice: this.#quantity.eq("0") ? "0" : moneyText(this.#cost.div(this.#quantity)),
      realisedPnl: moneyText(this.#cash.plus(this.#cost)),
    };
  }

  get quantity(): DecimalValue {
    return this.#quantity;
  }

  /** Profit and loss at `price`, realised and not: cash and what is held. Exact. */
  equity(price: DecimalValue): DecimalValue {
    return this.#cash.plus(this.#quantity.times(price));
  }

  /** The position with what it would bring at `lastPrice`, before fees; "0" unrealised where no price is known. */
  row(lastPrice: number | null): PositionRow {
    const unrealised =
      lastPrice === null ? decimal("0") : decimalOfPrice(lastPrice).times(this.#quantity).minus(this.#cost);
    return { ...this.position(), unrealisedPnl: moneyText(unrealised), lastPrice };
  }

  #apply({ side, quantity, price, fee, baseFee }: Execution): void {
    // What the fee took of the base asset was paid for and never held: its worth is in the fee already.
    const traded = side === "buy" ? decimal(quantity) : decimal("0").minus(quantity);
    const signed = baseFee === null ? traded : traded.minus(baseFee);
    const held = this.#quantity;
    const next = held.plus(signed);
    this.#cash = this.#cash.minus(signed.times(price)).minus(fee);
    this.#quantity = next;
    if (held.times(signed).gte("0")) this.#cost = this.#cost.plus(signed.times(price));
    else if (next.times(held).lte("0")) this.#cost = next.times(price);
    else this.#cost = this.#cost.times(next).div(held);
  }
}
