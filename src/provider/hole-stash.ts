import type { FastCandle } from "./symbol-track.ts";

/**
 * Fast candles behind a hole, by symbol and by the row each one follows. Bounded per symbol and in all: at a bound the
 * newest is refused and counted, for the store has it.
 */
export class HoleStash {
  readonly #symbolBound: number;
  readonly #bound: number;
  readonly #symbols = new Map<string, Map<number | null, FastCandle>>();
  #size = 0;
  #dropped = 0;

  constructor(symbolBound: number, bound: number) {
    this.#symbolBound = symbolBound;
    this.#bound = bound;
  }

  get size(): number {
    return this.#size;
  }

  get dropped(): number {
    return this.#dropped;
  }

  has(symbol: string): boolean {
    return this.#symbols.has(symbol);
  }

  symbols(): readonly string[] {
    return [...this.#symbols.keys()];
  }

  /** "opened" where this is the first candle behind the symbol's hole; "repeated" where it is held already. */
  offer(item: FastCandle): "opened" | "held" | "repeated" | "full" {
    const { symbol, prevOpenTime } = item.body;
    const held = this.#symbols.get(symbol);
    if (held?.has(prevOpenTime)) return "repeated";
    if (this.#size >= this.#bound || (held?.size ?? 0) >= this.#symbolBound) {
      this.#dropped++;
      return "full";
    }
    this.#size++;
    if (held) {
      held.set(prevOpenTime, item);
      return "held";
    }
    this.#symbols.set(symbol, new Map([[prevOpenTime, item]]));
    return "opened";
  }

  /** Takes out the candle that follows the row at `prevOpenTime`. */
  takeAfter(symbol: string, prevOpenTime: number | null): FastCandle | undefined {
    const item = this.#symbols.get(symbol)?.get(prevOpenTime);
    if (item) this.#remove(symbol, prevOpenTime);
    return item;
  }

  /** Drops the symbol's candles that were dealt with otherwise; returns how many. */
  discard(symbol: string, isHandled: (item: FastCandle) => boolean): number {
    let discarded = 0;
    for (const [prevOpenTime, item] of this.#symbols.get(symbol) ?? []) {
      if (!isHandled(item)) continue;
      this.#remove(symbol, prevOpenTime);
      discarded++;
    }
    return discarded;
  }

  clear(): void {
    this.#symbols.clear();
    this.#size = 0;
  }

  #remove(symbol: string, prevOpenTime: number | null): void {
    const held = this.#symbols.get(symbol);
    if (!held?.delete(prevOpenTime)) return;
    this.#size--;
    if (held.size === 0) this.#symbols.delete(symbol);
  }
}
