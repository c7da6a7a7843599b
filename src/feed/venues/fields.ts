import { type Candle, candleFault } from "../../core/candle.ts";
import { FabricError } from "../../core/errors.ts";
import { isSymbol } from "../../core/symbol.ts";
import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import { isPlausible } from "../binance/frame.ts";
import type { AssetPair, SubscribeRequest, VenueFrame, VenueKline, VenueLimits } from "./contract.ts";

export type Json = Readonly<Record<string, unknown>>;

const DECIMAL = /^\d+(?:\.\d+)?$/;
const LONGEST_DECIMAL = 40;
/** Of a venue's own words, UTF-16 units: they go into logs and health. */
const LONGEST_REASON = 300;
const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
const LEAPS_BEFORE_1970 = 477;
const [DASH, POINT, COLON, T, Z] = [45, 46, 58, 84, 90] as const;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value of a JSON text, or undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function malformed(reason: string, symbol: string | null = null): VenueFrame & { readonly type: "malformed" } {
  return { type: "malformed", reason, symbol };
}

export function other(kind: string, eventTimeMs: number | null = null): VenueFrame {
  return { type: "other", kind: kind.slice(0, 60), eventTimeMs };
}

/** Only what is one word or number: lists nested some thousand deep parse as JSON and overflow the stack as text. */
export function plain(value: unknown): string | null {
  return typeof value === "string" || typeof value === "number" ? `${value}`.slice(0, LONGEST_REASON) : null;
}

/** The venue's symbol in upper case, or null where it is none. */
export function symbolIn(value: unknown): string | null {
  if (typeof value !== "string" || value.length > 40) return null;
  const symbol = value.toUpperCase();
  return isSymbol(symbol) ? symbol : null;
}

export function decimalIn(value: unknown): string | null {
  return typeof value === "string" && value.length <= LONGEST_DECIMAL && DECIMAL.test(value) ? value : null;
}

export function isZero(decimal: string): boolean {
  return !/[1-9]/.test(decimal);
}

/** A whole number, or its digits in quotes; null where it is none that a double holds exactly. */
export function wholeIn(value: unknown): number | null {
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) && (number as number) >= 0 ? (number as number) : null;
}

/** As `wholeIn`, as a trade's time: epoch ms from 2009 to 2096. */
export function timeIn(value: unknown): number | null {
  const timeMs = wholeIn(value);
  return timeMs !== null && isPlausible(timeMs) ? timeMs : null;
}

/** An RFC 3339 time in UTC as a trade's time. */
export function isoTimeIn(value: unknown): number | null {
  if (typeof value !== "string") return null;
  const timeMs = isoMs(value, 0, value.length);
  return isPlausible(timeMs) ? timeMs : null;
}

/**
 * The time that stands in `text` from `from` to `to` as `YYYY-MM-DDThh:mm:ss[.fraction]Z`, in whole epoch ms, cut, not rounded
 * (a trade belongs to the minute in which it was). NaN where it is not that. `Date.parse` takes more shapes and five times longer.
 */
export function isoMs(text: string, from: number, to: number): number {
  if (to - from < 20 || text.charCodeAt(to - 1) !== Z) return Number.NaN;
  if (text.charCodeAt(from + 4) !== DASH || text.charCodeAt(from + 7) !== DASH) return Number.NaN;
  if (text.charCodeAt(from + 10) !== T || text.charCodeAt(from + 13) !== COLON) return Number.NaN;
  if (text.charCodeAt(from + 16) !== COLON) return Number.NaN;
  const year = twoDigits(text, from) * 100 + twoDigits(text, from + 2);
  const month = twoDigits(text, from + 5);
  const day = twoDigits(text, from + 8);
  const hour = twoDigits(text, from + 11);
  const minute = twoDigits(text, from + 14);
  const second = twoDigits(text, from + 17);
  // Where a digit is none, its number is far below zero.
  if (year < 1970 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23) return Number.NaN;
  if (minute < 0 || minute > 59 || second < 0 || second > 59) return Number.NaN;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const before = DAYS_BEFORE[month - 1] ?? 0;
  const days = (DAYS_BEFORE[month] ?? 0) - before + (leap && month === 2 ? 1 : 0);
  if (day > days) return Number.NaN;
  const years = year - 1;
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400) - LEAPS_BEFORE_1970;
  const date = (year - 1970) * 365 + leaps + before + (leap && month > 2 ? 1 : 0) + day - 1;
  return (((date * 24 + hour) * 60 + minute) * 60 + second) * 1000 + fractionMs(text, from + 19, to - 1);
}

/** `isoMs` for times that follow one another: of one that begins with the last one's minute only the rest is read, in half the time. */
export class IsoTimes {
  /** `2024-08-08T23:54:` */
  #minute = "none yet";
  #minuteMs = Number.NaN;

  ms(text: string, from: number, to: number): number {
    if (!text.startsWith(this.#minute, from)) {
      const timeMs = isoMs(text, from, to);
      if (Number.isNaN(timeMs)) return timeMs;
      this.#minute = text.slice(from, from + 17);
      this.#minuteMs = minuteOf(timeMs);
      return timeMs;
    }
    const second = twoDigits(text, from + 17);
    if (to - from < 20 || text.charCodeAt(to - 1) !== Z || second < 0 || second > 59) return Number.NaN;
    return this.#minuteMs + second * 1000 + fractionMs(text, from + 19, to - 1);
  }
}

/** `.089723` as 89; 0 where nothing stands there. */
function fractionMs(text: string, from: number, to: number): number {
  if (from === to) return 0;
  if (text.charCodeAt(from) !== POINT || to - from < 2) return Number.NaN;
  let ms = 0;
  let unit = 100;
  for (let at = from + 1; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    if (at <= from + 3) {
      ms += digit * unit;
      unit = unit === 100 ? 10 : 1;
    }
  }
  return ms;
}

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1e6;
}

/** Requests within the venue's limits, made by `write` from some symbols and a request's number (1, 2, 3 …). */
export function batched(
  symbols: readonly string[],
  limits: VenueLimits,
  hasIds: boolean,
  write: (symbols: readonly string[], requestId: number) => string,
): readonly SubscribeRequest[] {
  const requests: SubscribeRequest[] = [];
  let batch: string[] = [];
  const put = () => {
    const number = requests.length + 1;
    if (batch.length > 0)
      requests.push({ text: write(batch, number), symbols: batch, requestId: hasIds ? number : null });
  };
  for (const symbol of symbols) {
    const more = [...batch, symbol];
    const fits = more.length <= limits.symbolsPerRequest && write(more, 1e6).length <= limits.requestCharacters;
    if (!fits && batch.length > 0) {
      put();
      batch = [symbol];
    } else {
      batch = more;
    }
  }
  put();
  return requests;
}

/** Whether this is the answer to a ping of ours, as far as the venue says which. */
export function isPongTo(frame: VenueFrame, requestId: number): boolean {
  return frame.type === "pong" && (frame.requestId === null || frame.requestId === requestId);
}

/** `BTC-USDT` with its separator as a pair; null where it has other than two parts. */
export function splitPair(symbol: string, separator: string): AssetPair | null {
  const [base, quote, more] = symbol.split(separator);
  return base && quote && more === undefined ? { base, quote } : null;
}

/** Quote assets by which a symbol without a separator is cut, the longest that fits first. */
const QUOTES = [
  ...["FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDE", "USD1", "RLUSD", "BIDR", "IDRT", "USDP", "USDS"],
  ...[
    "BTC",
    "ETH",
    "BNB",
    "EUR",
    "GBP",
    "TRY",
    "BRL",
    "AUD",
    "JPY",
    "MXN",
    "ARS",
    "ZAR",
    "PLN",
    "RON",
    "UAH",
    "NGN",
    "DAI",
    "USD",
  ],
].sort((one, more) => more.length - one.length);

/** `BTCUSDT` as a pair; null where it ends with no quote asset that we know, or is dated (`BTCUSDT_250627`). */
export function cutPair(symbol: string): AssetPair | null {
  const quote = QUOTES.find((asset) => symbol.length > asset.length && symbol.endsWith(asset));
  return quote === undefined || /[^A-Z0-9]/.test(symbol) ? null : { base: symbol.slice(0, -quote.length), quote };
}

/** What a venue's kline tells; figures that it does not tell are left out. */
export interface KlineFigures {
  readonly openTime: number | null;
  readonly open: unknown;
  readonly high: unknown;
  readonly low: unknown;
  readonly close: unknown;
  readonly volume: unknown;
  readonly quoteVolume?: number;
  readonly trades?: number;
}

/** A kline as a candle. Throws FabricError "bad-data" where it is none; null where its minute was not over at `venueTimeMs`. */
export function klineOf(symbol: string, figures: KlineFigures, venueTimeMs: number): VenueKline | null {
  const { openTime, quoteVolume, trades } = figures;
  if (openTime === null) throw badKlines(symbol, "a kline without a time");
  if (openTime + MINUTE_MS > venueTimeMs) return null;
  const untold: (keyof Candle)[] = ["takerBuyVolume", "takerBuyQuoteVolume"];
  if (quoteVolume === undefined) untold.push("quoteVolume");
  if (trades === undefined) untold.push("trades");
  const candle: Candle = {
    symbol,
    openTime,
    open: numberIn(figures.open),
    high: numberIn(figures.high),
    low: numberIn(figures.low),
    close: numberIn(figures.close),
    volume: numberIn(figures.volume),
    quoteVolume: quoteVolume ?? 0,
    trades: trades ?? 0,
    takerBuyVolume: 0,
    takerBuyQuoteVolume: 0,
    firstTradeId: null,
    lastTradeId: null,
    provenance: "backfilled",
  };
  const fault = candleFault(candle);
  if (fault !== null) throw badKlines(symbol, fault);
  return { candle, untold };
}

/** NaN where it is no plain decimal or JSON number: the candle's own check then finds it. */
export function numberIn(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && DECIMAL.test(value) ? Number(value) : Number.NaN;
}

export function badKlines(symbol: string, found: string): FabricError {
  return new FabricError("bad-data", `Cannot read the klines of ${symbol}: expected the venue's list, found ${found}`);
}

/** Every row as a candle, oldest first, whatever order the venue keeps. */
export function klinesOf(
  symbol: string,
  rows: unknown,
  venueTimeMs: number,
  figures: (row: readonly unknown[]) => KlineFigures | null,
): readonly VenueKline[] {
  if (!Array.isArray(rows)) throw badKlines(symbol, "none");
  const klines: VenueKline[] = [];
  for (const row of rows as unknown[]) {
    if (!Array.isArray(row)) throw badKlines(symbol, "a row that is no list");
    const told = figures(row);
    const kline = told === null ? null : klineOf(symbol, told, venueTimeMs);
    if (kline !== null) klines.push(kline);
  }
  return klines.sort((one, more) => one.candle.openTime - more.candle.openTime);
}

/** Words of a refusal that passes: too many requests (OKX 60014, Kraken's "Exceeded msg rate", Bybit 10006), or trouble of the venue's own. */
const PASSING =
  /\btoo many (?:requests|visits)\b|\btoo frequent|\brate limit|\bmsg rate\b|\bEService:|\bsystem busy\b|\binternal (?:system |server )?error\b/i;

/** Whether a refusal says nothing of what was asked for: the same may be taken later. */
export function isPassing(reason: string): boolean {
  return PASSING.test(reason);
}
