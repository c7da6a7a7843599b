import { isPlausible } from "../binance/frame.ts";
import type { VenueRestRules, VenueRule } from "./contract.ts";
import { isObject, isoTimeIn, parseJson, wholeIn } from "./fields.ts";
import { badAnswer, makerBought, pauseFor, restTrades } from "./rest-answer.ts";

const TRADES = "docs.cdp.coinbase.com, Exchange API, Get product trades";
const CANDLES = "docs.cdp.coinbase.com, Exchange API, Get product candles";
const PAGES = "docs.cdp.coinbase.com, Exchange API, Pagination";
const LIMITS = "docs.cdp.coinbase.com, Exchange API, rate limits";
const REFUSED_MS = 2000;

const RULES: readonly VenueRule[] = [
  {
    rule: "clock",
    value: "/time: epoch, seconds with a fraction",
    source: "docs.cdp.coinbase.com, Exchange API, Get server time",
  },
  { rule: "untold figures", value: "count, quote volume, takers' part", source: CANDLES },
  { rule: "newest trades", value: "/products/{id}/trades, newest first; side is the maker's", source: TRADES },
  { rule: "trades by id", value: "after=ID gives the 1000 before it, back in time", source: PAGES },
  {
    rule: "unknown symbol",
    value: "404 NotFound; the subscription is refused before",
    source: "docs.cdp.coinbase.com, Exchange API, status codes",
  },
  {
    rule: "absent klines",
    value:
      "a minute before a present one, or over for 10 s, had no trade and is flat, at the newest trade's price where no row tells it; not believed where we saw one, since rows may be missing",
    source: `${CANDLES}; 10 s: own`,
  },
  { rule: "requests to the venue", value: "8 a second", source: `own, below ${LIMITS}` },
  {
    rule: "refused requests",
    value: "429: silent for 2 s unless Retry-After says more",
    source: `${LIMITS}; 2 s: own`,
  },
];

const BASE = "https://api.exchange.coinbase.com";
const product = (symbol: string) => `${BASE}/products/${encodeURIComponent(symbol)}`;

/** Coinbase's Exchange API: the public one that tells trades by id; Advanced Trade's candles are the same. */
export const COINBASE_REST: VenueRestRules = {
  rules: RULES,
  timeUrl: `${BASE}/time`,
  time(body) {
    const value = parseJson(body);
    const epoch = isObject(value) && typeof value.epoch === "number" ? value.epoch : Number.NaN;
    // A double holds seconds of today to a quarter of a µs, so that a whole ms may come out just below itself.
    const timeMs = Math.floor(epoch * 1000 + 0.001);
    if (!isPlausible(timeMs)) throw badAnswer("the venue's time", "no epoch");
    return { timeMs, precisionMs: 1 };
  },
  symbolsUrl: null,
  symbols: () => [],
  klineMinutes: 300,
  newestTradesUrl: (symbol) => `${product(symbol)}/trades?limit=1`,
  tradesUrl: (symbol, { throughId }) => `${product(symbol)}/trades?after=${throughId + 1}&limit=1000`,
  tradesFrom: "last",
  trades: (symbol, body) =>
    restTrades(symbol, parseJson(body), (row) => {
      if (!isObject(row)) return "a row that is no object";
      const { trade_id: id, price, size, time, side } = row;
      const takerSold = makerBought(side, "sell", "buy");
      return { id: wholeIn(id), price, quantity: size, timeMs: isoTimeIn(time), buyerIsMaker: takerSold };
    }),
  requestsPerSecond: 8,
  cost: null,
  pauseMs: (status, _body, retryAfterSeconds) => (status === 429 ? pauseFor(retryAfterSeconds, REFUSED_MS) : null),
  isUnknownSymbol(status, body) {
    const value = status === 404 ? parseJson(body) : null;
    return isObject(value) && value.message === "NotFound";
  },
};
