import type { VenueRestRules, VenueRule } from "./contract.ts";
import { decimalIn, isObject, type Json, parseJson, plain, timeIn, wholeIn } from "./fields.ts";
import { secondsMs } from "./kraken-json.ts";
import { badAnswer, makerBought, pauseFor, restTrades } from "./rest-answer.ts";

const TIME = "docs.kraken.com, REST, Get Server Time";
const TRADES = "docs.kraken.com, REST, Get Recent Trades";
const LIMITS = "support.kraken.com, API rate limits, public";
const REFUSED_MS = 5000;

const RULES: readonly VenueRule[] = [
  { rule: "clock", value: "/0/public/Time: whole seconds, so it may be 999 ms later", source: TIME },
  { rule: "untold figures", value: "takers' part", source: "docs.kraken.com, REST, Get OHLC Data" },
  { rule: "newest trades", value: "/0/public/Trades with count, oldest first", source: TRADES },
  {
    rule: "trades by id",
    value: "Trades since a time in ns, 1000 a page; the seventh field is trade_id; side is the taker's",
    source: TRADES,
  },
  { rule: "unknown symbol", value: "EQuery:Unknown asset pair, with status 200", source: "docs.kraken.com, errors" },
  { rule: "requests to the venue", value: "1 a second", source: LIMITS },
  {
    rule: "refused requests",
    value: "429, EAPI:Rate limit exceeded or EGeneral:Too many requests: silent for 5 s unless Retry-After says more",
    source: `${LIMITS} (a few seconds)`,
  },
];

const BASE = "https://api.kraken.com/0/public";

/** REST knows the older names of two assets, without a separator. */
export function restName(symbol: string): string {
  const old: Readonly<Record<string, string>> = { BTC: "XBT", DOGE: "XDG" };
  return symbol
    .split("/")
    .map((asset) => old[asset] ?? asset)
    .join("");
}

export const KRAKEN_REST: VenueRestRules = {
  rules: RULES,
  timeUrl: `${BASE}/Time`,
  time(body) {
    const seconds = wholeIn(resultOf(parseJson(body), "the venue's time").unixtime);
    const timeMs = seconds === null ? null : timeIn(seconds * 1000);
    if (timeMs === null) throw badAnswer("the venue's time", "no unixtime");
    return { timeMs, precisionMs: 999 };
  },
  symbolsUrl: null,
  symbols: () => [],
  klineMinutes: 720,
  newestTradesUrl: (symbol) => `${BASE}/Trades?pair=${encodeURIComponent(restName(symbol))}&count=1`,
  tradesUrl: (symbol, { fromTimeMs }) =>
    `${BASE}/Trades?pair=${encodeURIComponent(restName(symbol))}&since=${Math.max(0, fromTimeMs - 1)}999999&count=1000`,
  tradesFrom: "first",
  trades(symbol, body) {
    const result = resultOf(exactJson(body), `the trades of ${symbol}`);
    const rows = Object.entries(result).find(([name]) => name !== "last")?.[1];
    return restTrades(symbol, rows, (row) => {
      if (!Array.isArray(row)) return "a row that is no list";
      const [price, quantity, time, side, , , id] = row as unknown[];
      const seconds = decimalIn(time);
      const timeMs = seconds === null ? null : secondsMs(seconds);
      return { id: wholeIn(id), price, quantity, timeMs, buyerIsMaker: makerBought(side, "b", "s") };
    });
  },
  requestsPerSecond: 1,
  cost: null,
  pauseMs(status, body, retryAfterSeconds) {
    const asksTooMuch =
      status === 429 || /"E(?:API:Rate limit exceeded|General:Too many requests)/.test(errorsIn(body));
    return asksTooMuch ? pauseFor(retryAfterSeconds, REFUSED_MS) : null;
  },
  isUnknownSymbol: (_status, body) => errorsIn(body).includes('"EQuery:Unknown asset pair'),
};

/** The text of a refusal's list of errors; an answer with a result has an empty one. */
function errorsIn(body: string): string {
  return /^\s*\{\s*"error"\s*:\s*(\[[^\]]{0,1000}\])/.exec(body)?.[1] ?? "";
}

function resultOf(value: unknown, what: string): Json {
  if (isObject(value) && isObject(value.result)) return value.result;
  const errors = isObject(value) && Array.isArray(value.error) ? value.error : [];
  throw badAnswer(what, plain(errors[0]) ?? "no result");
}

/** Numbers as they stand in the text: a double cannot tell a time just before a minute's end from the end itself. */
function exactJson(body: string): unknown {
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" ? (context?.source ?? `${value}`) : value;
  try {
    return JSON.parse(body, exact);
  } catch {
    return undefined;
  }
}
