import { parseScaled, WIRE_DECIMALS } from "../decimal.ts";
import type { RestTrade, Tape } from "../tape.ts";
import type { VenueOrder } from "./orders.ts";

/** One 10^8th's worth: price times quantity is divided by it, what is below the wire's places is dropped. */
export const ONE = 10n ** BigInt(WIRE_DECIMALS);

/** A part of an order at one price. Counts of 10^-8. */
export interface Match {
  readonly price: bigint;
  readonly quantity: bigint;
  readonly timeMs: number;
}

/** Trades looked at for one order at the market: it fills in at most so many parts. */
const DEPTH = 5;
/** Trades of the tape that a resting order is matched against in one go. */
const CATCH_UP = 200;

/** The newest trade's id and price at a moment; null where nothing has traded yet. */
export function lastTrade(tape: Tape, symbol: string, nowMs: number): { id: number; price: bigint } | null {
  const trade = tape.trades(symbol, null, 1, nowMs).at(-1);
  return trade ? { id: trade.id, price: scaled(trade.price) } : null;
}

/**
 * A market order as the tape would have it at this moment: against the newest trades, newest first, each for at most its own
 * quantity, the last one for all that is left. Empty where nothing has traded yet.
 */
export function matchNow(tape: Tape, symbol: string, quantity: bigint, nowMs: number): readonly Match[] {
  const newest = [...tape.trades(symbol, null, DEPTH, nowMs)].reverse();
  const matches: Match[] = [];
  let left = quantity;
  for (const [place, trade] of newest.entries()) {
    const offered = scaled(trade.qty);
    const taken = place === newest.length - 1 || left < offered ? left : offered;
    matches.push({ price: scaled(trade.price), quantity: taken, timeMs: nowMs });
    left -= taken;
    if (left === 0n) break;
  }
  return matches;
}

/** What the tape's trades after `order.tapeId` up to now fill of an open order, and how far they were looked at. */
export function matchResting(
  tape: Tape,
  order: VenueOrder,
  nowMs: number,
): { readonly matches: readonly Match[]; readonly tapeId: number } {
  const matches: Match[] = [];
  let left = order.quantity - order.executed;
  let tapeId = order.tapeId;
  for (const trade of tape.trades(order.symbol, order.tapeId + 1, CATCH_UP, nowMs)) {
    if (left === 0n) break;
    tapeId = trade.id;
    const offered = scaled(trade.qty);
    const taken = left - offered > 0n ? offered : left;
    if (taken > 0n) matches.push({ price: scaled(trade.price), quantity: taken, timeMs: trade.time });
    left -= taken;
  }
  return { matches, tapeId };
}

/** The volume-weighted average price of the last minutes, as the notional filter uses it; the last price where none traded. */
export function averagePrice(tape: Tape, symbol: string, minutes: number, nowMs: number): bigint | null {
  let quote = 0n;
  let base = 0n;
  for (const row of tape.klines(symbol, { startTime: null, endTime: null, limit: minutes }, nowMs)) {
    base += parseScaled(row[5], 2 * WIRE_DECIMALS) ?? 0n;
    quote += parseScaled(row[7], 2 * WIRE_DECIMALS) ?? 0n;
  }
  return base > 0n ? (quote * ONE) / base : (lastTrade(tape, symbol, nowMs)?.price ?? null);
}

function scaled(text: RestTrade["price"]): bigint {
  return parseScaled(text, WIRE_DECIMALS) ?? 0n;
}
