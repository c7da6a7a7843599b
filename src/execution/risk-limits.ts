import type { Side } from "../core/decision.ts";
import { type DecimalValue, decimal, decimalOfPrice, decimalText, moneyText } from "./decimal.ts";
import type { Refusal } from "./journal-rows.ts";
import { type PriceReference, WINDOW_MINUTES } from "./price-window.ts";

/** Exchange ms in which the orders per minute are counted. */
export const RATE_WINDOW_MS = 60_000;

/**
 * Limits before the broker. Null: none. Money is in the quote asset of each order's symbol; a loss is summed over symbols as it
 * stands, so that a live runner with such a limit is refused symbols of several quote assets.
 */
export interface RiskLimits {
  /** Base asset, long or short, what is on its way counted as filled. By symbol, or one for every symbol. */
  readonly maxPosition: string | ReadonlyMap<string, string> | null;
  /** Of one order, at the last close. */
  readonly maxNotional: string | null;
  /** Of the whole runner, decided within 60 s of exchange time. */
  readonly maxOrdersPerMinute: number | null;
  /** Of the whole runner in a UTC day of exchange time, realised and not; beyond it only what reduces a position passes. */
  readonly maxDailyLoss: string | null;
  /** How far the last close may be from the median of the 30 minutes before it, in percent. */
  readonly priceCollarPercent: number | null;
}

export const NO_LIMITS: RiskLimits = {
  maxPosition: null,
  maxNotional: null,
  maxOrdersPerMinute: null,
  maxDailyLoss: null,
  priceCollarPercent: null,
};

/** An order that a strategy wants. */
export interface Wish {
  readonly symbol: string;
  readonly side: Side;
  readonly quantity: string;
}

/** What the limits are held against: from the journal and the delivered candles alone, so that a restart decides the same. */
export interface RiskFacts {
  /** Held of the symbol; below zero where short. */
  readonly held: DecimalValue;
  /** Not filled yet of the symbol's orders on their way, by side. */
  readonly underway: Readonly<Record<Side, DecimalValue>>;
  readonly lastClose: number;
  readonly reference: PriceReference;
  /** Orders decided in the minute before, this bar's included. */
  readonly ordersInWindow: number;
  /** Whether the loss of the day has reached its limit. */
  readonly lossReached: boolean;
}

export interface Refused {
  readonly refusal: Refusal;
  /** For people: what was wanted, and the limit. */
  readonly reason: string;
}

/** Why the limits refuse an order; null where it may go on. The first that refuses is told. Pure. */
export function refusalOf(limits: RiskLimits, wish: Wish, facts: RiskFacts): Refused | null {
  return (
    collar(limits, wish, facts) ??
    notional(limits, wish, facts) ??
    position(limits, wish, facts) ??
    rate(limits, facts) ??
    dailyLoss(limits, wish, facts)
  );
}

function collar({ priceCollarPercent }: RiskLimits, { symbol }: Wish, facts: RiskFacts): Refused | null {
  if (priceCollarPercent === null) return null;
  const { lastClose, reference } = facts;
  if (reference.median === null)
    return refused("collar", `no close of ${symbol} in the ${WINDOW_MINUTES} minutes before to hold the price against`);
  if (!reference.traded)
    return refused("collar", `${symbol} had no trade for ${WINDOW_MINUTES} minutes: its price is stale`);
  const percent = (Math.abs(lastClose - reference.median) / reference.median) * 100;
  if (percent <= priceCollarPercent) return null;
  return refused(
    "collar",
    `the last close ${lastClose} is ${percent.toFixed(2)} % from ${reference.median}, the median of the ` +
      `${WINDOW_MINUTES} minutes before; at most ${priceCollarPercent} %`,
  );
}

function notional({ maxNotional }: RiskLimits, { quantity }: Wish, { lastClose }: RiskFacts): Refused | null {
  if (maxNotional === null) return null;
  const worth = decimalOfPrice(lastClose).times(quantity);
  if (worth.lte(maxNotional)) return null;
  return refused("notional", `the order is worth ${moneyText(worth)} at the last close; at most ${maxNotional}`);
}

function position({ maxPosition }: RiskLimits, wish: Wish, { held, underway }: RiskFacts): Refused | null {
  if (maxPosition === null) return null;
  const most = typeof maxPosition === "string" ? maxPosition : maxPosition.get(wish.symbol);
  if (most === undefined) return refused("position", `no largest position is set for ${wish.symbol}`);
  // The worst case: everything on its way to the same side fills, and nothing of the other.
  const after =
    wish.side === "buy"
      ? held.plus(underway.buy).plus(wish.quantity)
      : decimal("0").minus(held).plus(underway.sell).plus(wish.quantity);
  if (after.lte(most)) return null;
  const [what, signed] = wish.side === "buy" ? ["long", after] : ["short", after];
  return refused("position", `it could take ${wish.symbol} to ${decimalText(signed)} ${what}; at most ${most}`);
}

function rate({ maxOrdersPerMinute }: RiskLimits, { ordersInWindow }: RiskFacts): Refused | null {
  if (maxOrdersPerMinute === null || ordersInWindow < maxOrdersPerMinute) return null;
  return refused("rate", `${ordersInWindow} orders were decided within a minute; at most ${maxOrdersPerMinute}`);
}

function dailyLoss({ maxDailyLoss }: RiskLimits, wish: Wish, facts: RiskFacts): Refused | null {
  const { held, underway, lossReached } = facts;
  if (maxDailyLoss === null || !lossReached) return null;
  const signed = wish.side === "buy" ? decimal("0").minus(held) : held;
  const isReducing = signed.minus(underway[wish.side]).gte(wish.quantity);
  if (isReducing) return null;
  return refused(
    "daily-loss",
    `the loss of the day reached ${maxDailyLoss}: until the next UTC day only what reduces a position passes`,
  );
}

function refused(refusal: Refusal, reason: string): Refused {
  return { refusal, reason: `refused: ${reason}` };
}
