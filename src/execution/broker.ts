import type { Candle } from "../core/candle.ts";
import type { ExecutionMode, Side } from "../core/decision.ts";

/** A market order as a broker gets it. */
export interface BrokerOrder {
  readonly clientOrderId: string;
  readonly symbol: string;
  readonly side: Side;
  /** Decimal string above zero, base asset. */
  readonly quantity: string;
}

/** One execution. Decimal strings; `fillId` is unique over the broker's whole life, so that a repeat is told apart. */
export interface BrokerFill {
  readonly fillId: string;
  readonly clientOrderId: string;
  readonly price: string;
  readonly quantity: string;
  /** Quote asset. */
  readonly fee: string;
}

/** `unknown`: time-out, connection lost, a 5xx: it may have been accepted or not. */
export type SubmitOutcome =
  | { readonly type: "accepted"; readonly fills: readonly BrokerFill[] }
  | { readonly type: "rejected"; readonly reason: string }
  | { readonly type: "unknown"; readonly reason: string };

/** What the broker knows of an id. `fills`: all of the order's so far. */
export type LookupOutcome =
  | {
      readonly type: "found";
      readonly status: "open" | "filled" | "rejected";
      readonly reason: string | null;
      readonly fills: readonly BrokerFill[];
    }
  | { readonly type: "not-found" }
  | { readonly type: "unknown"; readonly reason: string };

export interface Broker {
  readonly mode: ExecutionMode;
  /**
   * Whether orders decided while catching up are still right to place, because fills are simulated from the candles. Such a
   * broker's only memory is the journal: what it has not filled it never saw, and sending again cannot double.
   */
  readonly catchesUp: boolean;
  /** How long after a submit an order may still come to life at the venue, on exchange time; a "not found" is final after it. */
  readonly validityWindowMs: number;
  /** Resolves in bounded time; a rejection counts as "unknown". */
  submit(order: BrokerOrder): Promise<SubmitOutcome>;
  /** Resolves in bounded time; a rejection counts as "unknown". */
  lookup(order: BrokerOrder): Promise<LookupOutcome>;
  /** The fills a simulation makes at this candle for the symbol's open orders, before the candle is decided; a venue's are none. */
  fillsAt(candle: Candle, open: readonly BrokerOrder[]): readonly BrokerFill[];
}
