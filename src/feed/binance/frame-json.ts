import { isSymbol } from "../../core/symbol.ts";
import { type BinanceMarket, type Frame, isPlausible, tradeFrame } from "./frame.ts";

type Json = Readonly<Record<string, unknown>>;

const DECIMAL = /^\d+(?:\.\d+)?$/;
const LONGEST_DECIMAL = 40;
/** Of a venue's own words, UTF-16 units: they go into logs and health. */
const LONGEST_REASON = 300;
const TRADE_STREAM = /^(.+)@(?:trade|aggTrade)$/;

/** The frame of any text, by JSON.parse. Never throws. The source of its rules: Binance's stream documentation. */
export function parseFrame(text: string): Frame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed("not JSON");
  }
  if (!isObject(value)) return malformed("not an object");
  if ("stream" in value && "data" in value) return streamed(value.stream, value.data);
  if ("e" in value) return event(value);
  if ("id" in value || "error" in value || ("code" in value && "msg" in value)) return reply(value);
  // Recorders keep order book snapshots and open interest, which are of REST, among the frames.
  if ("lastUpdateId" in value || "openInterest" in value) return other(null);
  return malformed("neither an event nor an answer");
}

/** Whatever a trade stream carries is a trade: another thing there is one that we cannot read. */
function streamed(stream: unknown, data: unknown): Frame {
  const named = typeof stream === "string" ? TRADE_STREAM.exec(stream)?.[1]?.toUpperCase() : undefined;
  const frame = isObject(data) ? event(data) : other(null);
  if (named === undefined) return frame;
  if (frame.type === "other") return malformed("no trade on a trade stream", isSymbol(named) ? named : null);
  // Two names that differ are none.
  if (frame.type === "malformed" && frame.symbol !== named) return malformed(frame.reason);
  return frame;
}

function event(data: Json): Frame {
  if (data.e === "trade") return trade(data, false);
  if (data.e === "aggTrade") return trade(data, true);
  return other(typeof data.E === "number" && isPlausible(data.E) ? data.E : null);
}

function trade(data: Json, aggregate: boolean): Frame {
  const { s: symbol, p: price, q: quantity, T: timeMs, E: eventTimeMs, m: buyerIsMaker, X: kind } = data;
  const id = aggregate ? data.f : data.t;
  const lastId = aggregate ? data.l : id;
  if (typeof symbol !== "string" || !isSymbol(symbol)) return malformed("s is not a symbol");
  if (!isId(id) || !isId(lastId) || lastId < id) return malformed("the trade id is not a whole number", symbol);
  if (!isDecimal(price) || !isDecimal(quantity)) return malformed("p or q is not a decimal", symbol);
  if (!isTime(timeMs) || !isTime(eventTimeMs)) return malformed("T or E is not a time", symbol);
  if (typeof buyerIsMaker !== "boolean") return malformed("m is neither true nor false", symbol);
  const market: BinanceMarket = "M" in data ? "binance-spot" : "binance-usdm";
  if ((kind !== undefined && kind !== "MARKET") || isZero(price) || isZero(quantity))
    return { type: "omitted", symbol, firstId: id, lastId, timeMs, market, aggregate };
  const single = { symbol, id, price, quantity, timeMs, buyerIsMaker };
  return tradeFrame(aggregate ? { ...single, lastId } : single, market);
}

function reply(value: Json): Frame {
  const id = typeof value.id === "number" ? value.id : null;
  const fault = isObject(value.error) ? value.error : "code" in value ? value : null;
  const error =
    fault === null ? null : `${plain(fault.msg) ?? "no reason given"} (code ${plain(fault.code) ?? "unknown"})`;
  return { type: "reply", id, result: value.result, error };
}

/** Only what is one word or number: lists nested some thousand deep parse as JSON and overflow the stack as text. */
function plain(value: unknown): string | null {
  return typeof value === "string" || typeof value === "number" ? `${value}`.slice(0, LONGEST_REASON) : null;
}

function other(eventTimeMs: number | null): Frame {
  return { type: "other", eventTimeMs };
}

function malformed(reason: string, symbol: string | null = null): Frame {
  return { type: "malformed", reason, symbol };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && isPlausible(value as number);
}

function isDecimal(value: unknown): value is string {
  return typeof value === "string" && value.length <= LONGEST_DECIMAL && DECIMAL.test(value);
}

function isZero(decimal: string): boolean {
  return !/[1-9]/.test(decimal);
}
