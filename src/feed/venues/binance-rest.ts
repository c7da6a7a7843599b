import type { BinanceMarket } from "../binance/frame.ts";
import type { VenueRestRules, VenueRule, VenueTrade } from "./contract.ts";
import { isObject, parseJson, symbolIn, timeIn, wholeIn } from "./fields.ts";
import { badAnswer, pauseFor, restTrades } from "./rest-answer.ts";

const SPOT = "binance-spot-api-docs, rest-api.md";
const SPOT_CHANGES = "binance-spot-api-docs, CHANGELOG.md";
const USDM = "developers.binance.com, USDⓈ-M Futures, Market Data Endpoints";
const INVALID_SYMBOL = -1121;
/** Where a refusal does not say how long; a ban (418) lasts two minutes at least. */
const REFUSED_MS = 10_000;
const BANNED_MS = 120_000;

const SPOT_RULES: readonly VenueRule[] = [
  { rule: "clock", value: "/api/v3/time: serverTime in ms", source: SPOT },
  { rule: "symbols", value: "/api/v3/exchangeInfo lists all", source: SPOT },
  { rule: "untold figures", value: "none", source: SPOT },
  { rule: "newest trades", value: "/api/v3/trades, weight 25, oldest first", source: SPOT },
  {
    rule: "trades by id",
    value: "/api/v3/historicalTrades from fromId on, 1000 a page, weight 25; needs no key",
    source: `${SPOT}; ${SPOT_CHANGES}`,
  },
  { rule: "unknown symbol", value: "code -1121", source: "binance-spot-api-docs, errors.md" },
  {
    rule: "requests to the venue",
    value: "40 a second; none until the next minute where x-mbx-used-weight-1m is above 5000",
    source: `own, below the limit; the header: ${SPOT}`,
  },
  {
    rule: "refused requests",
    value: "429, 418 and 403: silent for as long as Retry-After says, else 10 s (418: 2 minutes)",
    source: `${SPOT}; 10 s: own`,
  },
];

const USDM_RULES: readonly VenueRule[] = [
  { rule: "clock", value: "/fapi/v1/time: serverTime in ms", source: USDM },
  { rule: "symbols", value: "/fapi/v1/exchangeInfo lists all", source: USDM },
  { rule: "untold figures", value: "none", source: USDM },
  { rule: "newest trades", value: "/fapi/v1/trades, weight 5, oldest first", source: USDM },
  {
    rule: "trades by id",
    value:
      "none: historicalTrades needs a key, and an aggregate of aggTrades may begin before the hole; klines instead",
    source: `${USDM}; own`,
  },
  { rule: "unknown symbol", value: "code -1121", source: "developers.binance.com, USDⓈ-M Futures, Error Codes" },
  {
    rule: "requests to the venue",
    value: "20 a second; none until the next minute where x-mbx-used-weight-1m is above 2000",
    source: `own, below the limit; the header: ${USDM}`,
  },
  {
    rule: "refused requests",
    value: "429, 418 and 403: silent for as long as Retry-After says, else 10 s (418: 2 minutes)",
    source: `${USDM}; 10 s: own`,
  },
];

/** The REST interface of Binance's spot or USD-M futures market. */
export function binanceRest(market: BinanceMarket): VenueRestRules {
  const spot = market === "binance-spot";
  const base = spot ? "https://api.binance.com/api/v3" : "https://fapi.binance.com/fapi/v1";
  return {
    rules: spot ? SPOT_RULES : USDM_RULES,
    timeUrl: `${base}/time`,
    time(body) {
      const value = parseJson(body);
      const timeMs = isObject(value) ? timeIn(value.serverTime) : null;
      if (timeMs === null) throw badAnswer("the venue's time", "no serverTime");
      return { timeMs, precisionMs: 0 };
    },
    symbolsUrl: `${base}/exchangeInfo`,
    symbols(body) {
      const value = parseJson(body);
      if (!isObject(value) || !Array.isArray(value.symbols)) throw badAnswer("the list of symbols", "none");
      return (value.symbols as unknown[])
        .map((row) => (isObject(row) ? symbolIn(row.symbol) : null))
        .filter((symbol) => symbol !== null);
    },
    klineMinutes: 1000,
    newestTradesUrl: (symbol) => `${base}/trades?symbol=${encodeURIComponent(symbol)}&limit=1`,
    tradesUrl: spot
      ? (symbol, { fromId }) =>
          `${base}/historicalTrades?symbol=${encodeURIComponent(symbol)}&fromId=${fromId}&limit=1000`
      : null,
    tradesFrom: "first",
    trades: binanceTrades,
    // Klines weigh 2 of 6000 a minute (spot), 5 of 2400 (futures); the header stops us before that.
    requestsPerSecond: spot ? 40 : 20,
    cost: { header: "x-mbx-used-weight-1m", atMost: spot ? 5000 : 2000 },
    pauseMs(status, _body, retryAfterSeconds) {
      if (status === 418) return pauseFor(retryAfterSeconds, BANNED_MS);
      return status === 429 || status === 403 ? pauseFor(retryAfterSeconds, REFUSED_MS) : null;
    },
    isUnknownSymbol(status, body) {
      const value = status === 200 ? null : parseJson(body);
      return isObject(value) && value.code === INVALID_SYMBOL;
    },
  };
}

function binanceTrades(symbol: string, body: string): readonly VenueTrade[] {
  return restTrades(symbol, parseJson(body), (row) => {
    if (!isObject(row)) return "a row that is no object";
    const { id, price, qty, time, isBuyerMaker } = row;
    const buyerIsMaker = typeof isBuyerMaker === "boolean" ? isBuyerMaker : null;
    return { id: wholeIn(id), price, quantity: qty, timeMs: timeIn(time), buyerIsMaker };
  });
}
