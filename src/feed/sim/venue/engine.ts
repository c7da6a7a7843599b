import { assetsOf } from "../assets.ts";
import { parseScaled, WIRE_DECIMALS } from "../decimal.ts";
import { RestError } from "../rest-error.ts";
import type { Tape } from "../tape.ts";
import type { AccountBook } from "./account-book.ts";
import { averagePrice, lastTrade, type Match, matchNow, matchResting, ONE } from "./matching.ts";
import { isOpen, type VenueOrder, type VenueSide, type VenueTrade } from "./orders.ts";

/** Taker's commission: 0.1 %, of what is received. */
const COMMISSION_DIVISOR = 1000n;
/** Three quarters of that where it is paid in an asset of its own, as Binance takes BNB. */
const DISCOUNTED: readonly [bigint, bigint] = [75n, 100_000n];
/** Orders of one symbol that may be open; Binance's MAX_NUM_ORDERS is 200. */
export const MAX_NUM_ORDERS = 200;
/** An account's orders over its whole life, so that a simulation's file stays bounded. */
const MAX_ORDERS = 5_000_000;

/** Least value of an order in the quote asset, and over how many minutes its price is averaged: Binance's NOTIONAL filter. */
export const MIN_NOTIONAL = "5.00000000";
export const AVERAGE_MINUTES = 5;

export interface NewOrder {
  readonly symbol: string;
  readonly side: VenueSide;
  /** Counts of 10^-8, above zero. */
  readonly quantity: bigint;
  /** Generated where the client sent none. */
  readonly clientOrderId: string | null;
}

/** How much of a market order fills at once, in percent, and what becomes of the rest. */
export interface Liquidity {
  readonly percent: number;
  readonly rest: "rests" | "expires";
}

/** What happened to an order, as it then stood. `trade` is that of a TRADE. */
export interface OrderEvent {
  readonly kind: "NEW" | "TRADE" | "EXPIRED";
  readonly order: VenueOrder;
  readonly trade: VenueTrade | null;
}

export interface Placed {
  readonly order: VenueOrder;
  readonly trades: readonly VenueTrade[];
  readonly events: readonly OrderEvent[];
}

/** The matching engine of the simulated exchange: market orders against the tape, one account. What it returns is durable. */
export class MatchingEngine {
  readonly #tape: Tape;
  readonly #book: AccountBook;
  readonly #feeAsset: string | null;

  /** `feeAsset`: what commissions are paid in while the account has it and the tape a price of it; null for none. */
  constructor(tape: Tape, book: AccountBook, feeAsset: string | null = null) {
    this.#tape = tape;
    this.#book = book;
    this.#feeAsset = feeAsset;
  }

  /**
   * Takes a market order, or throws the RestError that Binance would answer: filters (-1013), an id that an open order has
   * (-2010, "Duplicate order sent."; the id of a final one is free again), balances (-2010).
   */
  place(order: NewOrder, liquidity: Liquidity, nowMs: number): Placed {
    this.#checkFilters(order, nowMs);
    const open = this.#book.openOrders(order.symbol);
    if (open.some(({ clientOrderId }) => clientOrderId === order.clientOrderId))
      throw new RestError(400, -2010, "Duplicate order sent.");
    if (open.length >= MAX_NUM_ORDERS) throw new RestError(400, -1013, "Filter failure: MAX_NUM_ORDERS");
    if (this.#book.orders >= MAX_ORDERS)
      throw new RestError(400, -2010, "This account may not place or cancel orders.");
    this.#checkBalance(order, nowMs);
    const now = this.#share(order, liquidity.percent);
    const matches = now > 0n ? matchNow(this.#tape, order.symbol, now, nowMs) : [];
    const illiquid = now > 0n && matches.length === 0;
    return this.#take(order, matches, illiquid || liquidity.rest === "expires", nowMs);
  }

  /** Matches the open orders against what the tape traded since; what became of them, in order. */
  catchUp(nowMs: number): readonly OrderEvent[] {
    return this.#book.openOrders().flatMap((order) => {
      const { matches, tapeId } = matchResting(this.#tape, order, nowMs);
      if (tapeId === order.tapeId) return [];
      return this.#settle({ ...order, tapeId }, matches, false, nowMs).events;
    });
  }

  #take(order: NewOrder, matches: readonly Match[], expires: boolean, nowMs: number): Placed {
    const orderId = this.#book.nextOrderId();
    const fresh: VenueOrder = {
      orderId,
      clientOrderId: order.clientOrderId ?? `sim${orderId}`,
      symbol: order.symbol,
      side: order.side,
      quantity: order.quantity,
      executed: 0n,
      quote: 0n,
      status: "NEW",
      timeMs: nowMs,
      updatedMs: nowMs,
      tapeId: lastTrade(this.#tape, order.symbol, nowMs)?.id ?? 0,
    };
    const settled = this.#settle(fresh, matches, expires, nowMs);
    return { ...settled, events: [{ kind: "NEW", order: fresh, trade: null }, ...settled.events] };
  }

  /** Applies matches in order, as far as the balance reaches; what is left then expires. Durable when it returns. */
  #settle(before: VenueOrder, matches: readonly Match[], expires: boolean, nowMs: number): Placed {
    let order = before;
    let broke = false;
    const trades: VenueTrade[] = [];
    const events: OrderEvent[] = [];
    const changes = new Map<string, bigint>();
    const add = (asset: string, amount: bigint) => changes.set(asset, (changes.get(asset) ?? 0n) + amount);
    const { base, quote: quoteAsset } = assetsOf(order.symbol);
    const [spentAsset, gotAsset] = order.side === "BUY" ? [quoteAsset, base] : [base, quoteAsset];
    for (const match of matches) {
      const quote = (match.price * match.quantity) / ONE;
      const [spent, got] = order.side === "BUY" ? [quote, match.quantity] : [match.quantity, quote];
      broke = this.#book.balance(spentAsset) + (changes.get(spentAsset) ?? 0n) < spent;
      if (broke) break;
      add(spentAsset, -spent);
      add(gotAsset, got);
      const fee = this.#discounted(quoteAsset, quote, changes, nowMs) ?? [gotAsset, got / COMMISSION_DIVISOR];
      const [commissionAsset, commission] = fee;
      add(commissionAsset, -commission);
      const executed = order.executed + match.quantity;
      const status = executed === order.quantity ? "FILLED" : "PARTIALLY_FILLED";
      order = { ...order, executed, quote: order.quote + quote, status, updatedMs: match.timeMs };
      const { orderId, symbol, side } = order;
      const trade: VenueTrade = {
        tradeId: this.#book.nextTradeId(symbol),
        orderId,
        symbol,
        side,
        price: match.price,
        quantity: match.quantity,
        quote,
        commission,
        commissionAsset,
        timeMs: match.timeMs,
      };
      trades.push(trade);
      events.push({ kind: "TRADE", order, trade });
    }
    if ((expires || broke) && isOpen(order.status)) {
      order = { ...order, status: "EXPIRED", updatedMs: nowMs };
      events.push({ kind: "EXPIRED", order, trade: null });
    }
    this.#book.commit(order, trades, changes);
    return { order, trades, events };
  }

  /** The commission in the account's fee asset; null where it has none, too little of it, or it has no price. */
  #discounted(
    quoteAsset: string,
    quote: bigint,
    changes: ReadonlyMap<string, bigint>,
    nowMs: number,
  ): readonly [string, bigint] | null {
    const asset = this.#feeAsset;
    const price = asset === null ? 0n : (lastTrade(this.#tape, asset + quoteAsset, nowMs)?.price ?? 0n);
    if (asset === null || price === 0n) return null;
    const [part, of] = DISCOUNTED;
    const amount = (quote * part * ONE) / of / price;
    return this.#book.balance(asset) + (changes.get(asset) ?? 0n) < amount ? null : [asset, amount];
  }

  /** So much of an order in whole steps: none for 0 %, all where a share would be less than a step. */
  #share({ symbol, quantity }: NewOrder, percent: number): bigint {
    const step = this.#step(symbol);
    if (percent === 0) return 0n;
    const share = ((quantity * BigInt(percent)) / 100n / step) * step;
    return share === 0n ? quantity : share;
  }

  #step(symbol: string): bigint {
    return parseScaled(this.#tape.symbols.get(symbol)?.stepSize, WIRE_DECIMALS) || 1n;
  }

  #checkFilters({ symbol, quantity }: NewOrder, nowMs: number): void {
    if (quantity % this.#step(symbol) !== 0n) throw new RestError(400, -1013, "Filter failure: LOT_SIZE");
    const price = averagePrice(this.#tape, symbol, AVERAGE_MINUTES, nowMs);
    const least = parseScaled(MIN_NOTIONAL, WIRE_DECIMALS) ?? 0n;
    if (price !== null && (price * quantity) / ONE < least) throw new RestError(400, -1013, "Filter failure: NOTIONAL");
  }

  #checkBalance({ symbol, side, quantity }: NewOrder, nowMs: number): void {
    const { base, quote } = assetsOf(symbol);
    const price = lastTrade(this.#tape, symbol, nowMs)?.price ?? 0n;
    const [asset, needed] = side === "BUY" ? [quote, (price * quantity) / ONE] : [base, quantity];
    if (this.#book.balance(asset) < needed)
      throw new RestError(400, -2010, "Account has insufficient balance for requested action.");
  }
}
