import type { VenueRestRules, VenueRule } from "./contract.ts";
import { isObject, type Json, parseJson, plain, timeIn } from "./fields.ts";
import { badAnswer, makerBought, pauseFor, restTrades } from "./rest-answer.ts";

const DOCS = "bybit-exchange.github.io/docs/v5";
const LIMITS = `${DOCS}, rate limit`;
const ERRORS = `${DOCS}, error codes`;
const [WRONG_PARAMETER, TOO_MANY_VISITS] = [10_001, 10_006];
/** The door before the venue answers 403 with a web page to whoever asks from where it is not offered. */
const WRONG_COUNTRY = /from your country/;
const BANNED_MS = 600_000;
const REFUSED_MS = 5000;

const RULES: readonly VenueRule[] = [
  { rule: "clock", value: "/v5/market/time: timeNano", source: `${DOCS}, market, time` },
  { rule: "untold figures", value: "count, takers' part", source: `${DOCS}, market, kline` },
  {
    rule: "newest trades",
    value: "/v5/market/recent-trade, up to 60 (spot), newest first; side is the taker's; isBlockTrade rows left out",
    source: `${DOCS}, market, recent-trade`,
  },
  { rule: "trades by id", value: "none: execId does not count on", source: `${DOCS}, market, recent-trade` },
  {
    rule: "unknown symbol",
    value: "retCode 10001, Not supported symbols; the subscription is refused before",
    source: `${ERRORS}; its text: seen in public clients`,
  },
  { rule: "requests to the venue", value: "20 a second", source: `own, far below ${LIMITS}` },
  {
    rule: "refused requests",
    value:
      "403 access too frequent (but not from a country that it keeps out): silent for 10 minutes; 429 and retCode 10006: for 5 s",
    source: `${LIMITS}; 5 s: own`,
  },
];

const BASE = "https://api.bybit.com/v5/market";

export const BYBIT_REST: VenueRestRules = {
  rules: RULES,
  timeUrl: `${BASE}/time`,
  time(body) {
    const nano = resultOf(body, "the venue's time").timeNano;
    const timeMs = typeof nano === "string" && /^\d{19}$/.test(nano) ? timeIn(nano.slice(0, 13)) : null;
    if (timeMs === null) throw badAnswer("the venue's time", "no timeNano");
    return { timeMs, precisionMs: 0 };
  },
  symbolsUrl: null,
  symbols: () => [],
  klineMinutes: 1000,
  newestTradesUrl: (symbol) => `${BASE}/recent-trade?category=spot&symbol=${encodeURIComponent(symbol)}&limit=60`,
  tradesUrl: null,
  tradesFrom: "last",
  trades(symbol, body) {
    const { list } = resultOf(body, `the trades of ${symbol}`);
    // Of one ms, too, the older one is the later row.
    return restTrades(symbol, Array.isArray(list) ? list.toReversed() : list, (row) => {
      if (!isObject(row)) return "a row that is no object";
      if (row.isBlockTrade === true) return null;
      const { price, size, time, side } = row;
      return { price, quantity: size, timeMs: timeIn(time), buyerIsMaker: makerBought(side, "Buy", "Sell") };
    });
  },
  requestsPerSecond: 20,
  cost: null,
  pauseMs(status, body, retryAfterSeconds) {
    if (status === 403) return WRONG_COUNTRY.test(body) ? null : pauseFor(retryAfterSeconds, BANNED_MS);
    const asksTooMuch = status === 429 || codeOf(parseJson(body)) === TOO_MANY_VISITS;
    return asksTooMuch ? pauseFor(retryAfterSeconds, REFUSED_MS) : null;
  },
  isUnknownSymbol(_status, body) {
    const value = parseJson(body);
    return codeOf(value) === WRONG_PARAMETER && /symbol/i.test(isObject(value) ? (plain(value.retMsg) ?? "") : "");
  },
};

function codeOf(value: unknown): unknown {
  return isObject(value) ? value.retCode : null;
}

function resultOf(body: string, what: string): Json {
  const value = parseJson(body);
  if (isObject(value) && value.retCode === 0 && isObject(value.result)) return value.result;
  const found = isObject(value) ? plain(value.retMsg) : null;
  throw badAnswer(what, found === null ? "no answer of retCode 0" : `"${found}"`);
}
