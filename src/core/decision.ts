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
