import { scaled } from "./paper.ts";

/** A fill as far as a position goes; decimal strings. */
export interface PositionFill {
  readonly side: string;
  readonly quantity: string;
  readonly price: string;
  readonly fee: string;
  readonly baseFee: string | null;
}

/** Money is kept in 10^-30, where the rounding of a partial close is far below what is told. */
const FINER = 10n ** 18n;
const UNIT = 10n ** 12n;

/** A position by the documented average-cost method, from its fills alone, in whole numbers. */
export class ModelPosition {
  /** In trillionths of the base asset, signed. */
  quantity = 0n;
  #cost = 0n;
  #cash = 0n;

  take({ side, quantity, price, fee, baseFee }: PositionFill): void {
    const traded = side === "buy" ? scaled(quantity) : -scaled(quantity);
    const signed = traded - scaled(baseFee ?? "0");
    const paid = (signed * scaled(price) * FINER) / UNIT;
    const next = this.quantity + signed;
    this.#cash -= paid + scaled(fee) * FINER;
    if (this.quantity * signed >= 0n) this.#cost += paid;
    else if (next * this.quantity <= 0n) this.#cost = (next * scaled(price) * FINER) / UNIT;
    else this.#cost = (this.#cost * next) / this.quantity;
    this.quantity = next;
  }

  /** In trillionths of the quote asset. */
  get averagePrice(): bigint {
    return this.quantity === 0n ? 0n : (this.#cost * UNIT) / this.quantity / FINER;
  }

  get realisedPnl(): bigint {
    return (this.#cash + this.#cost) / FINER;
  }

  unrealisedPnl(lastPrice: number): bigint {
    return (scaled(String(lastPrice)) * this.quantity) / UNIT - this.#cost / FINER;
  }
}
