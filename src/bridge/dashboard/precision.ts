import type { Instrument } from "../../core/wire.ts";
import { decimalsOf } from "./format.ts";
import type { Model } from "./model.ts";

export interface Precision {
  readonly price: number;
  /** Null: as the quantity is told. */
  readonly quantity: number | null;
}

/** A symbol's decimals: the venue's own rules, else what runners observed, else what its newest closes have. */
export function precisionOf(model: Model, symbol: string): Precision {
  let observed: Instrument | null = null;
  for (const { positions } of model.nodes.values()) {
    const found = positions?.instruments?.find((instrument) => instrument.symbol === symbol);
    if (found?.source === "venue") return precision(model, symbol, found);
    if (found) observed ??= found;
  }
  return precision(model, symbol, observed);
}

/** Quote assets of which a hundredth is a lot of money. */
const DEAR_QUOTES: ReadonlySet<string> = new Set(["BTC", "XBT", "ETH", "BNB"]);
const DEAR_DECIMALS = 8;

/** Decimals of profit in a quote asset: cents, unless a cent of it would be dear. */
export function profitDecimals(quote: string | null): number {
  return quote !== null && DEAR_QUOTES.has(quote) ? DEAR_DECIMALS : 2;
}

function precision(model: Model, symbol: string, instrument: Instrument | null): Precision {
  return {
    price: instrument?.priceDecimals ?? decimalsOf(model.markets.get(symbol)?.closes ?? []),
    quantity: instrument?.quantityDecimals ?? null,
  };
}
