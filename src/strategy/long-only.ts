import * as v from "valibot";
import { type Decision, isPositiveDecimal, type Position } from "../core/decision.ts";

/** How much a built-in strategy buys at a time, in the base asset. */
export const quantityParam = v.optional(
  v.pipe(v.string(), v.check(isPositiveDecimal, "expected a decimal above zero such as 0.01")),
  "0.01",
);

/** A whole number of bars. */
export function barsParam(fallback: number): ReturnType<typeof barsSchema> {
  return barsSchema(fallback);
}

function barsSchema(fallback: number) {
  return v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(5000)), fallback);
}

/**
 * Whether an order of this symbol may still be on its way. A strategy sees positions, not orders: after an order it waits
 * for a bar that traded, by which an order at the market has been filled or refused.
 */
export interface OrderWatch {
  waiting: boolean;
}

/** Clears the watch where this bar traded; call it first with every bar. */
export function settle(watch: OrderWatch, trades: number): void {
  if (trades > 0) watch.waiting = false;
}

/** An indicator's value as a reason tells it: ten digits, without what is only the arithmetic's (3027.0939999999996). */
export function told(value: number): string {
  return String(Number(value.toPrecision(10)));
}

/** At most one order a bar: buys `quantity` where flat and `enter`, sells all where long and `leave`. */
export function longOnly(
  watch: OrderWatch,
  position: Position,
  signal: { readonly enter: boolean; readonly leave: boolean; readonly reason: string },
  quantity: string,
): readonly Decision[] {
  const held = isPositiveDecimal(position.quantity);
  const wanted = held ? signal.leave : signal.enter;
  if (watch.waiting || !wanted) return [];
  watch.waiting = true;
  return [{ side: held ? "sell" : "buy", quantity: held ? position.quantity : quantity, reason: signal.reason }];
}
