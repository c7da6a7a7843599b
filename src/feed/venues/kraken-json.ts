import { isPlausible } from "../binance/frame.ts";
import type { OmittedRow, VenueFrame, VenueTrade } from "./contract.ts";
import {
  decimalIn,
  isObject,
  isoTimeIn,
  isZero,
  type Json,
  malformed,
  other,
  parseJson,
  plain,
  symbolIn,
  wholeIn,
} from "./fields.ts";

type Malformed = VenueFrame & { readonly type: "malformed" };

/** The name that v2 gives an asset of v1. */
export function currentName(asset: string): string {
  return asset === "XBT" ? "BTC" : asset === "XDG" ? "DOGE" : asset;
}

/** The frame of any text of Kraken's, by JSON.parse. Never throws. */
export function parseKraken(text: string): VenueFrame {
  const value = parseJson(text);
  if (value === undefined) return malformed("not JSON");
  if (Array.isArray(value)) return channelArray(value);
  if (!isObject(value)) return malformed("neither an object nor a list");
  if (typeof value.channel === "string") return channel(value.channel, value, text);
  if (typeof value.method === "string") return answer(value.method, value);
  if (typeof value.event === "string") return event(value.event, value);
  // Kraken's futures market is another venue, and REST answers are no frames; recorders keep both among them.
  if (typeof value.feed === "string") return other(`futures ${value.feed}`);
  if ("result" in value) return other("REST answer");
  return malformed("neither a channel nor an event");
}

function channel(name: string, value: Json, text: string): VenueFrame {
  if (name === "heartbeat") return { type: "heartbeat", eventTimeMs: null };
  if (name !== "trade") return other(name);
  const data = exactTrades(text) ?? value.data;
  if (!Array.isArray(data) || data.length === 0) return malformed("no trade on the trade channel");
  const trades: VenueTrade[] = [];
  const omitted: OmittedRow[] = [];
  for (const item of data as unknown[]) {
    const row = isObject(item) ? rowOf(item) : malformed("a trade is no object");
    if ("type" in row) return row;
    if ("reason" in row) omitted.push(row);
    else trades.push(row);
  }
  if (value.type === "snapshot") return krakenTrades("v2", [], trades, omitted);
  return value.type === "update"
    ? krakenTrades("v2", trades, [], omitted)
    : malformed("type is neither snapshot nor update");
}

/** The rows with price and qty as they stand in the text, which a double may not hold; null where it cannot be told. */
function exactTrades(text: string): unknown {
  const exact = (key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && (key === "price" || key === "qty")
      ? plainDecimal(context?.source ?? `${value}`)
      : value;
  try {
    return (JSON.parse(text, exact) as { readonly data?: unknown }).data;
  } catch {
    // A text nested so deep that it cannot be walked is no trade; the caller's reading of it says so.
    return null;
  }
}

/** `1.5e-7` as `0.00000015`; what is no number above zero or zero stays as it is, and is refused as a decimal. */
function plainDecimal(source: string): string {
  const parts = /^(\d+)(?:\.(\d+))?[eE]([+-]?\d{1,3})$/.exec(source);
  if (parts === null) return source;
  const [, whole = "", fraction = "", power = "0"] = parts;
  const shift = Number(power);
  if (Math.abs(shift) > 40) return source;
  const digits = "0".repeat(Math.max(0, -shift)) + whole + fraction + "0".repeat(Math.max(0, shift));
  const point = Math.max(0, -shift) + whole.length + shift;
  const cut = `${digits.slice(0, point)}.${digits.slice(point)}`;
  return cut.replace(/^0+(?=\d)/, "").replace(/\.?0*$/, "");
}

function rowOf(row: Json): VenueTrade | OmittedRow | Malformed {
  const symbol = symbolIn(row.symbol);
  if (symbol === null) return malformed("symbol is not a symbol");
  const id = typeof row.trade_id === "number" ? wholeIn(row.trade_id) : null;
  const price = decimalIn(row.price);
  const quantity = decimalIn(row.qty);
  const timeMs = isoTimeIn(row.timestamp);
  if (id === null) return malformed("trade_id is not a whole number", symbol);
  if (price === null || quantity === null) return malformed("price or qty is not a decimal", symbol);
  if (timeMs === null) return malformed("timestamp is not a time", symbol);
  if (row.side !== "buy" && row.side !== "sell") return malformed("side is neither buy nor sell", symbol);
  if (isZero(price) || isZero(quantity))
    return { symbol, firstId: id, lastId: id, timeMs, reason: "zero price or quantity" };
  return { symbol, id, price, quantity, timeMs, buyerIsMaker: row.side === "sell" };
}

/** v2's answers to requests. */
function answer(method: string, value: Json): VenueFrame {
  const requestId = wholeIn(value.req_id);
  if (method === "pong") return { type: "pong", requestId };
  if (value.success === false || "error" in value) {
    const symbol = symbolIn(value.symbol);
    const reason = plain(value.error) ?? "no reason given";
    return { type: "rejected", symbols: symbol === null ? [] : [symbol], requestId, reason };
  }
  if (method !== "subscribe") return other(method);
  const result = isObject(value.result) ? value.result : {};
  const symbol = result.channel === "trade" ? symbolIn(result.symbol) : null;
  return { type: "ack", symbols: symbol === null ? [] : [symbol], requestId };
}

/** v1's events. */
function event(name: string, value: Json): VenueFrame {
  if (name === "heartbeat") return { type: "heartbeat", eventTimeMs: null };
  if (name === "pong") return { type: "pong", requestId: wholeIn(value.reqid) };
  if (name !== "subscriptionStatus" && name !== "error") return other(name);
  const pair = pairIn(value.pair);
  const requestId = wholeIn(value.reqid);
  const symbols = pair === null ? [] : [pair];
  if (value.status === "error" || name === "error")
    return { type: "rejected", symbols, requestId, reason: plain(value.errorMessage) ?? "no reason given" };
  const trades = isObject(value.subscription) && value.subscription.name === "trade";
  return { type: "ack", symbols: trades ? symbols : [], requestId };
}

/** v1: `[channel, payload …, name, pair]`. */
function channelArray(value: readonly unknown[]): VenueFrame {
  const name = value.at(-2);
  const symbol = pairIn(value.at(-1));
  if (value.length < 4 || typeof name !== "string") return malformed("a list without a channel's name", symbol);
  if (name !== "trade") return other(name);
  if (symbol === null) return malformed("the pair is not a symbol");
  const rows = value[1];
  if (!Array.isArray(rows) || rows.length === 0) return malformed("no trade on the trade channel", symbol);
  const trades: VenueTrade[] = [];
  const omitted: OmittedRow[] = [];
  for (const item of rows as unknown[]) {
    const row = Array.isArray(item) ? arrayRow(symbol, item) : malformed("a trade is no list", symbol);
    if ("type" in row) return row;
    if ("reason" in row) omitted.push(row);
    else trades.push(row);
  }
  return krakenTrades("v1", trades, [], omitted);
}

function arrayRow(symbol: string, row: readonly unknown[]): VenueTrade | OmittedRow | Malformed {
  const price = decimalIn(row[0]);
  const quantity = decimalIn(row[1]);
  const time = decimalIn(row[2]);
  const timeMs = time === null ? null : secondsMs(time);
  if (price === null || quantity === null) return malformed("price or volume is not a decimal", symbol);
  if (timeMs === null) return malformed("the time is not a time", symbol);
  if (row[3] !== "b" && row[3] !== "s") return malformed("the side is neither b nor s", symbol);
  if (isZero(price) || isZero(quantity))
    return { symbol, firstId: null, lastId: null, timeMs, reason: "zero price or quantity" };
  return { symbol, id: null, price, quantity, timeMs, buyerIsMaker: row[3] === "s" };
}

/** `1618678142.557535` in whole ms, cut; null where it is no plausible time. */
export function secondsMs(text: string): number | null {
  const point = text.indexOf(".");
  const whole = point < 0 ? text : text.slice(0, point);
  const fraction = point < 0 ? "" : text.slice(point + 1, point + 4);
  const timeMs = Number(whole) * 1000 + Number(fraction.padEnd(3, "0"));
  return isPlausible(timeMs) ? timeMs : null;
}

function pairIn(value: unknown): string | null {
  const symbol = symbolIn(value);
  return symbol === null ? null : symbolIn(symbol.split("/").map(currentName).join("/"));
}

export function krakenTrades(
  stream: string,
  trades: readonly VenueTrade[],
  history: readonly VenueTrade[],
  omitted: readonly OmittedRow[],
): VenueFrame {
  return { type: "trades", venue: "kraken", stream, trades, history, omitted };
}
