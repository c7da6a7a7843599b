import { formatScaled, WIRE_DECIMALS } from "../decimal.ts";
import type { OrderEvent } from "./engine.ts";
import type { VenueOrder, VenueTrade } from "./orders.ts";

const ZERO = "0.00000000";

/** The answer to a new order: newOrderRespType FULL, as Binance's "New order" shows it. */
export function fullAnswer(order: VenueOrder, trades: readonly VenueTrade[]): Readonly<Record<string, unknown>> {
  return {
    symbol: order.symbol,
    orderId: order.orderId,
    orderListId: -1,
    clientOrderId: order.clientOrderId,
    transactTime: order.updatedMs,
    price: ZERO,
    origQty: amount(order.quantity),
    executedQty: amount(order.executed),
    origQuoteOrderQty: ZERO,
    cummulativeQuoteQty: amount(order.quote),
    status: order.status,
    timeInForce: "GTC",
    type: "MARKET",
    side: order.side,
    workingTime: order.timeMs,
    ...expiryReason(order),
    fills: trades.map((trade) => ({
      price: amount(trade.price),
      qty: amount(trade.quantity),
      commission: amount(trade.commission),
      commissionAsset: trade.commissionAsset,
      tradeId: trade.tradeId,
    })),
    selfTradePreventionMode: "NONE",
  };
}

/** An order as "Query order" gives it. */
export function orderRow(order: VenueOrder): Readonly<Record<string, unknown>> {
  return {
    symbol: order.symbol,
    orderId: order.orderId,
    orderListId: -1,
    clientOrderId: order.clientOrderId,
    price: ZERO,
    origQty: amount(order.quantity),
    executedQty: amount(order.executed),
    cummulativeQuoteQty: amount(order.quote),
    status: order.status,
    timeInForce: "GTC",
    type: "MARKET",
    side: order.side,
    stopPrice: ZERO,
    icebergQty: ZERO,
    time: order.timeMs,
    updateTime: order.updatedMs,
    isWorking: true,
    workingTime: order.timeMs,
    origQuoteOrderQty: ZERO,
    ...expiryReason(order),
    selfTradePreventionMode: "NONE",
  };
}

/** A trade as "Account trade list" gives it. */
export function tradeRow(trade: VenueTrade): Readonly<Record<string, unknown>> {
  return {
    symbol: trade.symbol,
    id: trade.tradeId,
    orderId: trade.orderId,
    orderListId: -1,
    price: amount(trade.price),
    qty: amount(trade.quantity),
    quoteQty: amount(trade.quote),
    commission: amount(trade.commission),
    commissionAsset: trade.commissionAsset,
    time: trade.timeMs,
    isBuyer: trade.side === "BUY",
    isMaker: false,
    isBestMatch: true,
  };
}

/** "Account information". */
export function accountAnswer(
  balances: readonly (readonly [string, bigint])[],
  omitZero: boolean,
): Readonly<Record<string, unknown>> {
  const rows = balances.filter(([, free]) => !omitZero || free > 0n);
  return {
    makerCommission: 10,
    takerCommission: 10,
    buyerCommission: 0,
    sellerCommission: 0,
    commissionRates: { maker: "0.00100000", taker: "0.00100000", buyer: ZERO, seller: ZERO },
    canTrade: true,
    canWithdraw: false,
    canDeposit: false,
    brokered: false,
    requireSelfTradePrevention: false,
    preventSor: false,
    updateTime: 0,
    accountType: "SPOT",
    balances: rows.map(([asset, free]) => ({ asset, free: amount(free), locked: ZERO })),
    permissions: ["SPOT"],
    uid: 1,
  };
}

/** An order's change as the user data stream tells it ("Order Update"); `executionId` rises from event to event. */
export function executionReport(
  { kind, order, trade }: OrderEvent,
  executionId: number,
  nowMs: number,
): Readonly<Record<string, unknown>> {
  return {
    e: "executionReport",
    E: nowMs,
    s: order.symbol,
    c: order.clientOrderId,
    S: order.side,
    o: "MARKET",
    f: "GTC",
    q: amount(order.quantity),
    p: ZERO,
    P: ZERO,
    F: ZERO,
    g: -1,
    C: "",
    x: kind,
    X: order.status,
    r: "NONE",
    i: order.orderId,
    l: amount(trade?.quantity ?? 0n),
    z: amount(order.executed),
    L: amount(trade?.price ?? 0n),
    n: trade ? amount(trade.commission) : "0",
    N: trade?.commissionAsset ?? null,
    T: order.updatedMs,
    t: trade?.tradeId ?? -1,
    I: executionId,
    w: kind === "NEW",
    m: false,
    M: false,
    O: order.timeMs,
    Z: amount(order.quote),
    Y: amount(trade?.quote ?? 0n),
    Q: ZERO,
    W: order.timeMs,
    V: "NONE",
    ...(kind === "EXPIRED" ? { eR: "INSUFFICIENT_LIQUIDITY" } : {}),
  };
}

function expiryReason(order: VenueOrder): { readonly expiryReason?: string } {
  return order.status === "EXPIRED" ? { expiryReason: "INSUFFICIENT_LIQUIDITY" } : {};
}

function amount(count: bigint): string {
  return formatScaled(count, WIRE_DECIMALS);
}
