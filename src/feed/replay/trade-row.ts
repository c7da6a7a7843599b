import { isPlausible } from "../binance/frame.ts";
import type { Trade } from "../contract.ts";

/** The columns of Binance's public trade files, in the order they have where a file has no header. */
export const TRADE_COLUMNS = ["id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match"] as const;

const DECIMAL = /^\d+(?:\.\d+)?$/;
/** Times from 2025 on come in microseconds; no millisecond time has 16 digits. */
const MICROSECONDS_FROM = 1e15;

/** A row of a trade file as a trade, or null where a column is missing or wrong. Columns by their name. */
export function tradeOfRow(symbol: string, row: Readonly<Record<string, unknown>>): Trade | null {
  const id = whole(row.id);
  const time = whole(row.time);
  const price = decimal(row.price);
  const quantity = decimal(row.qty ?? row.quantity);
  const buyerIsMaker = truth(row.is_buyer_maker);
  if (id === null || time === null || price === null || quantity === null || buyerIsMaker === null) return null;
  const timeMs = time >= MICROSECONDS_FROM ? Math.floor(time / 1000) : time;
  return isPlausible(timeMs) ? { symbol, id, price, quantity, timeMs, buyerIsMaker } : null;
}

function whole(value: unknown): number | null {
  const number = value instanceof Date ? value.getTime() : typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number") return Number.isSafeInteger(number) && number >= 0 ? number : null;
  return typeof value === "string" && /^\d{1,16}$/.test(value) ? whole(Number(value)) : null;
}

/** A plain decimal; a double is written in full, as its shortest exact reading. */
function decimal(value: unknown): string | null {
  if (typeof value === "number") return value >= 0 && value < 1e21 ? plain(String(value)) : null;
  const text = typeof value === "string" ? value : typeof value === "bigint" ? String(value) : null;
  return text !== null && text.length <= 40 && DECIMAL.test(text) ? text : null;
}

/** Writes 1.5e-7 as 0.00000015. */
function plain(text: string): string {
  const parts = /^(\d)(?:\.(\d+))?e-(\d+)$/.exec(text);
  if (parts === null) return text;
  return `0.${"0".repeat(Number(parts[3]) - 1)}${parts[1]}${parts[2] ?? ""}`;
}

function truth(value: unknown): boolean | null {
  if (typeof value === "boolean") return value;
  const text = String(value).toLowerCase();
  return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : null;
}
