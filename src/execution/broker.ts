import type { Candle } from "../core/candle.ts";
import type { ExecutionMode, OrderStatus, Side } from "../core/decision.ts";
import type { Precision } from "./instruments.ts";

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
  /** Quote asset, whatever asset the venue took it in. */
  readonly fee: string;
  /** The part of the fee that the venue took in the base asset, so that less arrived than `quantity`; absent for none. */
  readonly baseFee?: string;
  /** When it happened on the venue's clock, epoch ms; absent where the broker is not told. */
  readonly timeMs?: number;
}

/**
 * `unknown`: time-out, connection lost, a 5xx: it may have been accepted or not. `busy`: certainly not accepted, and may be
 * tried again after `retryAfterMs` (wall): the venue's rate limit or ban.
 */
export type SubmitOutcome =
  | { readonly type: "accepted"; readonly fills: readonly BrokerFill[] }
  | { readonly type: "rejected"; readonly reason: string }
  | { readonly type: "busy"; readonly reason: string; readonly retryAfterMs: number }
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

/** What a venue pushes of one order: it may come before the answer to `submit`, late, repeated or not at all. */
export interface BrokerReport {
  readonly clientOrderId: string;
  readonly status: Extract<OrderStatus, "open" | "filled" | "rejected">;
  readonly reason: string | null;
  /** Those of this report alone. */
  readonly fills: readonly BrokerFill[];
  /**
   * How much of the order was filled in all by then, decimal string; absent where it is not told. An end is believed only where
   * the fills told add up to it: a report may have been lost.
   */
  readonly filled?: string;
}

/** The account as the venue tells it, for the reconciliation at start. */
export type AccountOutcome =
  | {
      readonly type: "known";
      /** Of the symbols asked for, whoever placed them. */
      readonly openOrders: readonly { readonly clientOrderId: string; readonly symbol: string }[];
      /** The base asset of each symbol asked for: two symbols may share one. */
      readonly baseAssets: ReadonlyMap<string, string>;
      /** What the account holds of each symbol's base asset, free and locked. Decimal strings. */
      readonly holdings: ReadonlyMap<string, string>;
      /** The account's trades of these symbols since the time asked for, oldest first, whoever placed them. */
      readonly trades: readonly (BrokerFill & {
        readonly symbol: string;
        readonly side: Side;
        readonly timeMs: number;
      })[];
    }
  | { readonly type: "unknown"; readonly reason: string };

/**
 * Where orders go. Every call resolves in bounded time; a rejection counts as "unknown". A broker never sends an order again
 * by itself unless the venue said that it certainly did not take it.
 */
export interface Broker {
  readonly mode: ExecutionMode;
  /**
   * Whether orders decided while catching up are still right to place, because fills are simulated from the candles. Such a
   * broker's only memory is the journal: what it has not filled it never saw, and sending again cannot double.
   */
  readonly catchesUp: boolean;
  /**
   * How long after a submit an order may still come to life at the venue, on exchange time, its margin included; a "not found"
   * is final after it.
   */
  readonly validityWindowMs: number;
  /**
   * `withheld` is asked right beside the sending, after every wait: why the order is not to go out after all, which is then `busy`;
   * null where it may.
   */
  submit(order: BrokerOrder, withheld?: () => string | null): Promise<SubmitOutcome>;
  lookup(order: BrokerOrder): Promise<LookupOutcome>;
  /** Null where there is no account to ask: a simulation, whose only memory is the journal. `sinceMs`: exchange time. */
  account(symbols: readonly string[], sinceMs: number): Promise<AccountOutcome> | null;
  /** The venue's own clock now, epoch ms; null while it was not asked, absent where there is none. */
  exchangeNowMs?(): number | null;
  /** Decimals of a symbol's prices and quantities by the venue's rules; null while it was not asked, absent where there are none. */
  precision?(symbol: string): Precision | null;
  /** From now on `listener` is told what the venue pushes, from the event loop; at most one listener. */
  follow(listener: (report: BrokerReport) => void): void;
  /** The fills a simulation makes at this candle for the symbol's open orders, before the candle is decided; a venue's are none. */
  fillsAt(candle: Candle, open: readonly BrokerOrder[]): readonly BrokerFill[];
  /** Ends what it holds (sockets, timers); no report follows. Bounded by a second; idempotent. */
  close(): Promise<void>;
}
