import { FabricError } from "../../core/errors.ts";
import type { VenueTrade } from "./contract.ts";
import { decimalIn, isZero } from "./fields.ts";

/** An answer that has not the documented shape: code "bad-data". */
export function badAnswer(what: string, found: string): FabricError {
  return new FabricError("bad-data", `Cannot read ${what}: expected the documented answer, found ${found}`);
}

/** What one row of a list of trades tells; null for what cannot be read. */
export interface TradeFigures {
  /** Of a venue without ids that count it is not asked for. */
  readonly id?: number | null;
  readonly price: unknown;
  readonly quantity: unknown;
  readonly timeMs: number | null;
  readonly buyerIsMaker: boolean | null;
}

/**
 * The rows of an answer as trades, oldest first, without those that have no price or quantity. `figures` gives null for a row
 * that is no market trade, and text for what is wrong with it. Throws FabricError "bad-data".
 */
export function restTrades(
  symbol: string,
  rows: unknown,
  figures: (row: unknown) => TradeFigures | string | null,
): readonly VenueTrade[] {
  const bad = (found: string) => badAnswer(`the trades of ${symbol}`, found);
  if (!Array.isArray(rows)) throw bad("no list");
  const trades: VenueTrade[] = [];
  for (const row of rows as unknown[]) {
    const told = figures(row);
    if (told === null) continue;
    if (typeof told === "string") throw bad(told);
    const { id = undefined, timeMs, buyerIsMaker } = told;
    const price = decimalIn(told.price);
    const quantity = decimalIn(told.quantity);
    if (id === null) throw bad("a trade without an id");
    if (price === null || quantity === null) throw bad("a price or quantity that is no decimal");
    if (timeMs === null) throw bad("a trade without a time");
    if (buyerIsMaker === null) throw bad("a side that is neither");
    if (isZero(price) || isZero(quantity)) continue;
    trades.push({ symbol, id: id ?? null, price, quantity, timeMs, buyerIsMaker });
  }
  return trades.sort((one, more) => (one.id ?? one.timeMs) - (more.id ?? more.timeMs));
}

/** Whether the taker bought or sold, from a word for either; null for any other. */
export function makerBought(side: unknown, bought: string, sold: string): boolean | null {
  return side === sold ? true : side === bought ? false : null;
}

/** How long to be silent: what the venue says (Retry-After), else our own figure. */
export function pauseFor(retryAfterSeconds: number | null, otherwiseMs: number): number {
  return retryAfterSeconds === null ? otherwiseMs : retryAfterSeconds * 1000;
}
