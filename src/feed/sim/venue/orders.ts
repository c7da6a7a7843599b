/** Prices, quantities and amounts count 10^-8, as everything on Binance's spot wire fits. */
export interface VenueOrder {
  /** Rising from 1 over the account's whole life. */
  readonly orderId: number;
  readonly clientOrderId: string;
  readonly symbol: string;
  readonly side: VenueSide;
  readonly quantity: bigint;
  readonly executed: bigint;
  /** Sum of price times quantity over its trades. */
  readonly quote: bigint;
  readonly status: VenueStatus;
  /** Exchange ms: when it was taken, and when it last changed. */
  readonly timeMs: number;
  readonly updatedMs: number;
  /** The newest trade of the tape that it has been matched against; the next one may fill more of it. */
  readonly tapeId: number;
}

export type VenueSide = "BUY" | "SELL";

/** NEW and PARTIALLY_FILLED are open. */
export type VenueStatus = "NEW" | "PARTIALLY_FILLED" | "FILLED" | "EXPIRED";

export interface VenueTrade {
  /** Unique for its symbol, and rising over the account's whole life. */
  readonly tradeId: number;
  readonly orderId: number;
  readonly symbol: string;
  readonly side: VenueSide;
  readonly price: bigint;
  readonly quantity: bigint;
  readonly quote: bigint;
  readonly commission: bigint;
  readonly commissionAsset: string;
  readonly timeMs: number;
}

export function isOpen(status: VenueStatus): boolean {
  return status === "NEW" || status === "PARTIALLY_FILLED";
}
