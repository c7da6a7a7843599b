import { parseScaled, WIRE_DECIMALS } from "../decimal.ts";
import { missingParameter, RestError } from "../rest-error.ts";
import type { Tape } from "../tape.ts";
import type { AccountBook } from "./account-book.ts";
import type { Liquidity, MatchingEngine, NewOrder, OrderEvent } from "./engine.ts";
import { accountAnswer, fullAnswer, orderRow, tradeRow } from "./wire.ts";

export interface RouteDeps {
  readonly tape: Tape;
  readonly book: AccountBook;
  readonly engine: MatchingEngine;
  /** Told of what happened, once it is durable. */
  readonly emit: (events: readonly OrderEvent[]) => void;
}

/** One request as its endpoint sees it: signed, timely and within the limits. */
export interface Call {
  readonly parameters: URLSearchParams;
  readonly nowMs: number;
  readonly liquidity: Liquidity;
  /** Exchange ms: what a read out of a lagging memory does not know yet is newer than this. */
  readonly seenThroughMs: number;
}

export interface Route {
  /** Request weight, as the endpoint's document says. */
  readonly weight: (parameters: URLSearchParams) => number;
  /** The answer's JSON value. Throws RestError. */
  readonly run: (deps: RouteDeps, call: Call) => unknown;
}

const CLIENT_ORDER_ID = /^[.A-Z:/a-z0-9_-]{1,36}$/;
const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 1000;

/** The signed endpoints by method and name. */
export const SIGNED_ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["POST order", { weight: () => 1, run: newOrder }],
  ["GET order", { weight: () => 4, run: queryOrder }],
  ["GET openOrders", { weight: (parameters) => (parameters.has("symbol") ? 6 : 80), run: openOrders }],
  ["GET allOrders", { weight: () => 20, run: allOrders }],
  ["GET account", { weight: () => 20, run: account }],
  ["GET myTrades", { weight: (parameters) => (parameters.has("orderId") ? 5 : 20), run: myTrades }],
]);

function newOrder(deps: RouteDeps, { parameters, nowMs, liquidity }: Call): unknown {
  const { order, trades, events } = deps.engine.place(readOrder(deps.tape, parameters), liquidity, nowMs);
  deps.emit(events);
  return fullAnswer(order, trades);
}

function queryOrder({ book, tape }: RouteDeps, { parameters, seenThroughMs }: Call): unknown {
  const symbol = readSymbol(tape, parameters);
  const orderId = readWhole(parameters, "orderId");
  const clientOrderId = parameters.get("origClientOrderId");
  if (orderId === null && !clientOrderId)
    throw new RestError(400, -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
  const order = orderId === null ? book.orderByClientId(symbol, clientOrderId ?? "") : book.order(symbol, orderId);
  if (!order || order.timeMs > seenThroughMs || (clientOrderId !== null && order.clientOrderId !== clientOrderId))
    throw new RestError(400, -2013, "Order does not exist.");
  return orderRow(order);
}

function openOrders({ book, tape }: RouteDeps, { parameters, seenThroughMs }: Call): unknown {
  const orders = book.openOrders(parameters.has("symbol") ? readSymbol(tape, parameters) : null);
  return orders.filter(({ timeMs }) => timeMs <= seenThroughMs).map(orderRow);
}

function allOrders({ book, tape }: RouteDeps, { parameters, seenThroughMs }: Call): unknown {
  return book
    .ordersOf(readSymbol(tape, parameters), readWhole(parameters, "orderId"), readLimit(parameters))
    .filter(({ timeMs }) => timeMs <= seenThroughMs)
    .map(orderRow);
}

function account({ book }: RouteDeps, { parameters }: Call): unknown {
  return accountAnswer(book.balances(), parameters.get("omitZeroBalances") === "true");
}

function myTrades({ book, tape }: RouteDeps, { parameters, seenThroughMs }: Call): unknown {
  const query = {
    symbol: readSymbol(tape, parameters),
    orderId: readWhole(parameters, "orderId"),
    fromId: readWhole(parameters, "fromId"),
    startTime: readWhole(parameters, "startTime"),
    endTime: readWhole(parameters, "endTime"),
    limit: readLimit(parameters),
  };
  if (query.fromId !== null && (query.startTime !== null || query.endTime !== null))
    throw new RestError(400, -1128, "Combination of optional parameters invalid.");
  return book
    .trades(query)
    .filter(({ timeMs }) => timeMs <= seenThroughMs)
    .map(tradeRow);
}

function readOrder(tape: Tape, parameters: URLSearchParams): NewOrder {
  const symbol = readSymbol(tape, parameters);
  const side = parameters.get("side");
  if (!side) throw missingParameter("side");
  if (side !== "BUY" && side !== "SELL") throw new RestError(400, -1117, "Invalid side.");
  const type = parameters.get("type");
  if (!type) throw missingParameter("type");
  if (type !== "MARKET") throw new RestError(400, -1116, "Invalid orderType.");
  const text = parameters.get("quantity");
  if (!text) throw missingParameter("quantity");
  if (!/^\d{1,20}(?:\.\d{1,20})?$/.test(text))
    throw new RestError(
      400,
      -1100,
      "Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
    );
  const quantity = parseScaled(text, WIRE_DECIMALS);
  if (quantity === null) throw new RestError(400, -1111, "Parameter 'quantity' has too much precision.");
  if (quantity === 0n) throw new RestError(400, -1013, "Invalid quantity.");
  const clientOrderId = parameters.get("newClientOrderId");
  if (clientOrderId === "") throw new RestError(400, -1118, "New client order ID was empty.");
  if (clientOrderId !== null && !CLIENT_ORDER_ID.test(clientOrderId))
    throw new RestError(
      400,
      -1100,
      "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[.A-Z:/a-z0-9_-]{1,36}$'.",
    );
  return { symbol, side, quantity, clientOrderId };
}

function readSymbol(tape: Tape, parameters: URLSearchParams): string {
  const symbol = parameters.get("symbol");
  if (!symbol) throw missingParameter("symbol");
  if (!tape.symbols.has(symbol)) throw new RestError(400, -1121, "Invalid symbol.");
  return symbol;
}

function readLimit(parameters: URLSearchParams): number {
  const limit = readWhole(parameters, "limit") ?? DEFAULT_LIMIT;
  if (limit < 1) throw new RestError(400, -1130, "Data sent for parameter 'limit' is not valid.");
  return Math.min(limit, MAX_LIMIT);
}

function readWhole(parameters: URLSearchParams, name: string): number | null {
  const text = parameters.get(name);
  if (text === null) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new RestError(400, -1100, `Illegal characters found in parameter '${name}'; legal range is '^[0-9]{1,15}$'.`);
}
