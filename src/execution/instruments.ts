import type { Candle } from "../core/candle.ts";
import type { Instrument } from "../core/wire.ts";

/** Symbols told at once. */
const MAX_TOLD = 500;
/** Decimals of an asset's smallest part, at most: Ethereum's wei. */
const MAX_DECIMALS = 18;

/** What a venue says of a symbol's decimals; null for what it does not say. */
export interface Precision {
  readonly priceDecimals: number | null;
  readonly quantityDecimals: number | null;
}

/**
 * How many decimals a symbol's prices and quantities have: by the venue's rules where a broker knows them, else the most that its
 * candles had so far (a figure on the wire is the double nearest to an exact decimal, so that its shortest text shows them).
 * Bounded by the symbols followed.
 */
export class Instruments {
  readonly #seen = new Map<string, { price: number; quantity: number }>();
  readonly #venue: (symbol: string) => Precision | null;

  constructor(venue: (symbol: string) => Precision | null) {
    this.#venue = venue;
  }

  note({ symbol, open, high, low, close, volume }: Candle): void {
    const seen = this.#seen.get(symbol) ?? { price: 0, quantity: 0 };
    for (const price of [open, high, low, close]) seen.price = Math.max(seen.price, decimalsOf(price));
    seen.quantity = Math.max(seen.quantity, decimalsOf(volume));
    this.#seen.set(symbol, seen);
  }

  /** Of `first` and then of the others seen, at most 500. */
  rows(first: Iterable<string>): readonly Instrument[] {
    const rows: Instrument[] = [];
    for (const symbol of new Set([...first, ...this.#seen.keys()])) {
      if (rows.length >= MAX_TOLD) break;
      const seen = this.#seen.get(symbol);
      const told = this.#venue(symbol);
      if (told) rows.push({ symbol, ...told, source: "venue" });
      else if (seen)
        rows.push({ symbol, priceDecimals: seen.price, quantityDecimals: seen.quantity, source: "observed" });
    }
    return rows;
  }
}

/** Decimals of a number's shortest text. */
function decimalsOf(value: number): number {
  const [digits, exponent] = String(value).split("e");
  const point = digits?.indexOf(".") ?? -1;
  const shown = point < 0 ? 0 : (digits?.length ?? 0) - point - 1;
  return Math.min(MAX_DECIMALS, Math.max(0, shown - Number(exponent ?? 0)));
}
