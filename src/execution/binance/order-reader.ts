import type { BrokerFill, BrokerOrder, BrokerReport } from "../broker.ts";
import { decimal, decimalText } from "../decimal.ts";
import type { CommissionDesk } from "./commission.ts";
import { decimalOf, type Row, rowsOf, textOf, Unreadable, wholeOf } from "./fields.ts";
import type { SymbolRules } from "./symbol-rules.ts";

/** Statuses by Binance's document "Enums": what the contract has for each. */
const STATUSES: Readonly<Record<string, BrokerReport["status"]>> = {
  NEW: "open",
  PENDING_NEW: "open",
  PENDING_CANCEL: "open",
  PARTIALLY_FILLED: "open",
  FILLED: "filled",
  CANCELED: "rejected",
  REJECTED: "rejected",
  EXPIRED: "rejected",
  EXPIRED_IN_MATCH: "rejected",
};

/** An order as the venue's answers give it. */
export interface VenueOrder {
  readonly orderId: number;
  readonly clientOrderId: string;
  readonly status: BrokerReport["status"];
  /** Why it ended without being filled; null where it did not. */
  readonly reason: string | null;
  /** Decimal strings. */
  readonly quantity: string;
  readonly executed: string;
  readonly side: BrokerOrder["side"];
  /** When it began to work, epoch ms on the venue's clock. */
  readonly workingTimeMs: number;
}

/** Reads a row of "Query order", "All orders" or the answer to a new order. Throws Unreadable. */
export function readOrder(row: Row): VenueOrder {
  const status = statusOf(row, "status");
  return {
    orderId: wholeOf(row, "orderId"),
    clientOrderId: textOf(row, "clientOrderId"),
    status,
    reason: status === "rejected" ? endText(textOf(row, "status"), row.expiryReason) : null,
    quantity: decimalOf(row, "origQty"),
    executed: decimalOf(row, "executedQty"),
    side: sideOf(row, "side"),
    // Orders of before 2022 have no workingTime.
    workingTimeMs: wholeOf(row, ["workingTime", "time"].find((name) => name in row) ?? "transactTime"),
  };
}

/** Null where a venue's order is the one that was placed; else what differs: somebody else used its id. */
export function differenceOf(order: BrokerOrder, found: VenueOrder): string | null {
  if (
    found.clientOrderId === order.clientOrderId &&
    found.side === order.side &&
    decimal(found.quantity).eq(order.quantity)
  )
    return null;
  return (
    `the venue's order ${found.clientOrderId} is to ${found.side} ${found.quantity}, ` +
    `ours was to ${order.side} ${order.quantity}: somebody else used its id`
  );
}

/** A trade before its fee is known. */
interface RawTrade {
  readonly tradeId: number;
  readonly price: string;
  readonly quantity: string;
  readonly commission: string;
  readonly commissionAsset: string | null;
  readonly timeMs: number;
}

/** What a fill needs to know of its order. */
export interface FillContext {
  readonly symbol: string;
  readonly clientOrderId: string;
  readonly workingTimeMs: number;
  readonly rules: SymbolRules;
  readonly fees: CommissionDesk;
}

/** The fills of an answer to a new order. Throws Unreadable. */
export function answeredFills(row: Row, context: FillContext): Promise<readonly BrokerFill[]> {
  // These fills carry no time of their own: they are made when the order is.
  const timeMs = wholeOf(row, "transactTime");
  const raw = rowsOf(row.fills).map((fill) => rawTrade(fill, ANSWER_FIELDS, timeMs));
  return Promise.all(raw.map((trade) => fillOf(trade, context)));
}

/** A row of "Account trade list" as a fill. Throws Unreadable. */
export function tradedFill(row: Row, context: FillContext): Promise<BrokerFill> {
  return fillOf(rawTrade(row, TRADE_FIELDS, wholeOf(row, "time")), context);
}

/** An `executionReport` without its fees, or null where the event is another one or says nothing of an order's state. */
export interface RawReport {
  readonly symbol: string;
  readonly clientOrderId: string;
  readonly status: BrokerReport["status"];
  readonly reason: string | null;
  readonly workingTimeMs: number;
  /** Filled of the order in all by then. */
  readonly filled: string;
  readonly trade: RawTrade | null;
}

/** Reads an event of the user data stream ("Order Update"). Throws Unreadable. */
export function readReport(event: Row): RawReport | null {
  if (event.e !== "executionReport") return null;
  const status = statusOf(event, "X");
  const cancelled = textOf(event, "C");
  return {
    symbol: textOf(event, "s"),
    // The report of a cancellation carries the id of the request in c, that of the order in C.
    clientOrderId: cancelled === "" ? textOf(event, "c") : cancelled,
    status,
    reason: status === "rejected" ? endText(textOf(event, "X"), event.r === "NONE" ? event.eR : event.r) : null,
    workingTimeMs: wholeOf(event, typeof event.W === "number" ? "W" : "O"),
    filled: decimalOf(event, "z"),
    trade: event.x === "TRADE" ? rawTrade(event, REPORT_FIELDS, wholeOf(event, "T")) : null,
  };
}

/** The fill that a report carries. */
export function reportedFill(trade: RawTrade, context: FillContext): Promise<BrokerFill> {
  return fillOf(trade, context);
}

/** The same figures by whatever way a trade is told: trade ids are unique for a symbol. */
async function fillOf(
  trade: RawTrade,
  { symbol, clientOrderId, workingTimeMs, rules, fees }: FillContext,
): Promise<BrokerFill> {
  const price = decimalText(decimal(trade.price));
  const commission = { amount: trade.commission, asset: trade.commissionAsset };
  const fee = await fees.feeOf(rules, price, commission, workingTimeMs);
  const quantity = decimalText(decimal(trade.quantity));
  return { fillId: `${symbol}-${trade.tradeId}`, clientOrderId, price, quantity, ...fee, timeMs: trade.timeMs };
}

/** What each of the three ways names a trade's fields. */
interface TradeFields {
  readonly id: string;
  readonly quantity: string;
  readonly price: string;
  readonly commission: string;
  readonly asset: string;
}

const ANSWER_FIELDS: TradeFields = {
  id: "tradeId",
  quantity: "qty",
  price: "price",
  commission: "commission",
  asset: "commissionAsset",
};
const TRADE_FIELDS: TradeFields = { ...ANSWER_FIELDS, id: "id" };
const REPORT_FIELDS: TradeFields = { id: "t", quantity: "l", price: "L", commission: "n", asset: "N" };

function rawTrade(row: Row, fields: TradeFields, timeMs: number): RawTrade {
  const asset = row[fields.asset];
  return {
    tradeId: wholeOf(row, fields.id),
    price: decimalOf(row, fields.price),
    quantity: decimalOf(row, fields.quantity),
    commission: decimalOf(row, fields.commission),
    commissionAsset: asset === null || asset === undefined ? null : textOf(row, fields.asset),
    timeMs,
  };
}

function statusOf(row: Row, name: string): BrokerReport["status"] {
  const text = textOf(row, name);
  const status = STATUSES[text];
  if (status === undefined)
    throw new Unreadable(`an order status "${text.slice(0, 40)}" that its documents do not name`);
  return status;
}

function sideOf(row: Row, name: string): BrokerOrder["side"] {
  const side = textOf(row, name);
  if (side !== "BUY" && side !== "SELL") throw new Unreadable(`a side that is neither BUY nor SELL`);
  return side === "BUY" ? "buy" : "sell";
}

function endText(status: string, why: unknown): string {
  return typeof why === "string" && why !== "" && why !== "NONE" ? `${status} (${why})` : status;
}
