import type { VenueRestRules, VenueRule } from "./contract.ts";
import { isObject, parseJson, plain, timeIn, wholeIn } from "./fields.ts";
import { badAnswer, makerBought, pauseFor, restTrades } from "./rest-answer.ts";

const TIME = "okx.com/docs-v5, Get system time";
const TRADES = "okx.com/docs-v5, Get trades and Get trades history";
const CANDLES = "okx.com/docs-v5, Get candlesticks and Get candlesticks history";
const ERRORS = "okx.com/docs-v5, Error Code, REST API";
const [RATE_LIMIT, UNKNOWN_INSTRUMENT] = ["50011", "51001"];
const REFUSED_MS = 2000;

const RULES: readonly VenueRule[] = [
  { rule: "clock", value: "/api/v5/public/time: ts in ms", source: TIME },
  { rule: "untold figures", value: "count, takers' part", source: CANDLES },
  { rule: "newest trades", value: "/api/v5/market/trades, newest first; side is the taker's", source: TRADES },
  {
    rule: "trades by id",
    value: "/api/v5/market/history-trades, type 1: after=tradeId gives the 100 before it, three months back",
    source: TRADES,
  },
  {
    rule: "newest klines",
    value: "/api/v5/market/candles holds the last 1440 minutes; history-candles is asked for what is older",
    source: `${CANDLES}; that the history may lag is assumed`,
  },
  { rule: "unknown symbol", value: "code 51001; the subscription is refused before", source: ERRORS },
  { rule: "requests to the venue", value: "8 a second", source: `own, below ${TRADES} (20 in 2 s)` },
  {
    rule: "refused requests",
    value: "429 or code 50011: silent for 2 s unless Retry-After says more",
    source: `${ERRORS}; 2 s: the limits' window`,
  },
];

const BASE = "https://www.okx.com/api/v5";

export const OKX_REST: VenueRestRules = {
  rules: RULES,
  timeUrl: `${BASE}/public/time`,
  time(body) {
    const [row] = rowsOf(body, "the venue's time");
    const timeMs = isObject(row) ? timeIn(row.ts) : null;
    if (timeMs === null) throw badAnswer("the venue's time", "no ts");
    return { timeMs, precisionMs: 0 };
  },
  symbolsUrl: null,
  symbols: () => [],
  klineMinutes: 100,
  newestTradesUrl: (symbol) => `${BASE}/market/trades?instId=${encodeURIComponent(symbol)}&limit=1`,
  tradesUrl: (symbol, { throughId }) =>
    `${BASE}/market/history-trades?instId=${encodeURIComponent(symbol)}&type=1&after=${throughId + 1}&limit=100`,
  tradesFrom: "last",
  trades: (symbol, body) =>
    restTrades(symbol, rowsOf(body, `the trades of ${symbol}`), (row) => {
      if (!isObject(row)) return "a row that is no object";
      const { tradeId, px, sz, ts, side } = row;
      const buyerIsMaker = makerBought(side, "buy", "sell");
      return { id: wholeIn(tradeId), price: px, quantity: sz, timeMs: timeIn(ts), buyerIsMaker };
    }),
  requestsPerSecond: 8,
  cost: null,
  pauseMs(status, body, retryAfterSeconds) {
    const asksTooMuch = status === 429 || codeOf(parseJson(body)) === RATE_LIMIT;
    return asksTooMuch ? pauseFor(retryAfterSeconds, REFUSED_MS) : null;
  },
  isUnknownSymbol: (_status, body) => codeOf(parseJson(body)) === UNKNOWN_INSTRUMENT,
};

function codeOf(value: unknown): unknown {
  return isObject(value) ? value.code : null;
}

function rowsOf(body: string, what: string): readonly unknown[] {
  const value = parseJson(body);
  if (isObject(value) && value.code === "0" && Array.isArray(value.data)) return value.data;
  const found = isObject(value) ? plain(value.msg) : null;
  throw badAnswer(what, found === null ? "no answer of code 0" : `"${found}"`);
}
