import { isSymbol } from "../../core/symbol.ts";
import { type BinanceMarket, type Frame, isPlausible } from "./frame.ts";

type Json = Readonly<Record<string, unknown>>;

const DECIMAL = /^\d+(?:\.\d+)?$/;
const LONGEST_DECIMAL = 40;

/** The frame of any text, by JSON.parse. Never throws. The source of its rules: Binance's stream documentation. */
export function parseFrame(text: string): Frame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed("not JSON");
  }
  if (!isObject(value)) return malformed("not an object");
  if ("stream" in value && "data" in value) return isObject(value.data) ? event(value.data) : other(null);
  if ("e" in value) return event(value);
  if ("id" in value || "error" in value || ("code" in value && "msg" in value)) return reply(value);
  return event(value);
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
  if (!isId(id) || !isId(lastId) || lastId < id) return malformed("the trade id is not a whole number");
  if (!isDecimal(price) || !isDecimal(quantity)) return malformed("p or q is not a decimal");
  if (!isTime(timeMs) || !isTime(eventTimeMs)) return malformed("T or E is not a time");
  if (typeof buyerIsMaker !== "boolean") return malformed("m is neither true nor false");
  const market: BinanceMarket = "M" in data ? "binance-spot" : "binance-usdm";
  if ((kind !== undefined && kind !== "MARKET") || isZero(price) || isZero(quantity))
    return { type: "omitted", symbol, firstId: id, lastId, timeMs, market, aggregate };
  const single = { symbol, id, price, quantity, timeMs, buyerIsMaker };
  return { type: "trade", trade: aggregate ? { ...single, lastId } : single, eventTimeMs, market, aggregate };
}

function reply(value: Json): Frame {
  const id = typeof value.id === "number" ? value.id : null;
  const fault = isObject(value.error) ? value.error : "code" in value ? value : null;
  const error = fault === null ? null : `${String(fault.msg ?? "no reason given")} (code ${String(fault.code)})`;
  return { type: "reply", id, result: value.result, error };
}

function other(eventTimeMs: number | null): Frame {
  return { type: "other", eventTimeMs };
}

function malformed(reason: string): Frame {
  return { type: "malformed", reason };
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
