/** What a strategy wants done: a market order. Quantities are decimal strings above zero in the base asset. */
export interface Decision {
  readonly side: Side;
  readonly quantity: string;
  /** For people: why. At most 200 characters are kept. */
  readonly reason?: string;
}

export type Side = "buy" | "sell";

/** What a runner holds of one symbol. Decimal strings; a short position has a negative quantity. */
export interface Position {
  readonly symbol: string;
  readonly quantity: string;
  /** Average entry price of what is held; "0" where flat. */
  readonly averagePrice: string;
  /** Quote asset, fees included. */
  readonly realisedPnl: string;
}

export function flatPosition(symbol: string): Position {
  return { symbol, quantity: "0", averagePrice: "0", realisedPnl: "0" };
}

/** paper: simulated fills. live: a venue's. They never share state. */
export type ExecutionMode = "paper" | "live";

/** `pending` is journaled and not known to be sent; `unknown` was sent with an unclear outcome. */
export type OrderStatus = "pending" | "open" | "filled" | "rejected" | "expired" | "unknown" | "lost";

/** Most characters of a decision's reason that are kept. */
export const MAX_REASON_LENGTH = 200;

const DECIMAL = /^\d{1,18}(?:\.\d{1,18})?$/;

/** Whether `text` is a plain decimal above zero: at most 18 digits on each side of the point, no sign, no exponent. */
export function isPositiveDecimal(text: string): boolean {
  return DECIMAL.test(text) && /[1-9]/.test(text);
}

/** Null where `value` is a Decision; else what is wrong with it. Whoever takes decisions from user code asks here. */
export function decisionFault(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return "a decision is not an object";
  const { side, quantity, reason } = value as Readonly<Record<string, unknown>>;
  if (side !== "buy" && side !== "sell") return `side is neither "buy" nor "sell" but ${JSON.stringify(side)}`;
  if (typeof quantity !== "string") return `quantity is not a decimal string but ${JSON.stringify(quantity)}`;
  if (!isPositiveDecimal(quantity))
    return `quantity is not a decimal above zero with at most 18 decimals but ${JSON.stringify(quantity)}`;
  if (reason !== undefined && typeof reason !== "string") return "reason is not text";
  return null;
}
