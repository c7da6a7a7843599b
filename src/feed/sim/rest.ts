import { assetsOf } from "./assets.ts";
import { formatScaled, WIRE_DECIMALS } from "./decimal.ts";
import { errorBody, missingParameter, RestError } from "./rest-error.ts";
import type { KlineQuery, Tape, TapeSymbol } from "./tape.ts";
import { AVERAGE_MINUTES, MAX_NUM_ORDERS, MIN_NOTIONAL } from "./venue/engine.ts";
import { averagePrice } from "./venue/matching.ts";

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 1000;
const MOST = "9000000.00000000";

export interface RestDeps {
  readonly tape: Tape;
  readonly speed: number;
  /** Sends every event that is due and returns the exchange's time. */
  readonly advance: () => number;
  /** Answers an upgrade that was refused because there are too many clients. */
  readonly full: () => boolean;
}

/**
 * Binance's public REST, as far as candles and orders need it, under /api/v3 and (a futures recording) /fapi/v1. Every answer carries
 * x-sim-speed and x-sim-environment, which no real venue sends. Codes follow Binance's "Errors" page; it never throws.
 */
export function answerRest(request: Request, deps: RestDeps): Response {
  const headers = simHeaders(deps.tape.environment, deps.speed);
  try {
    return new Response(JSON.stringify(route(request, deps)), { headers });
  } catch (error) {
    if (!(error instanceof RestError)) throw error;
    return new Response(errorBody(error), { status: error.status, headers });
  }
}

/** What every answer of the exchange carries: no real venue says this of itself. */
export function simHeaders(environment: string, speed: number): Readonly<Record<string, string>> {
  return {
    "content-type": "application/json;charset=UTF-8",
    "x-sim-speed": String(speed),
    "x-sim-environment": environment,
  };
}

function route(request: Request, deps: RestDeps): unknown {
  const { pathname, searchParams } = new URL(request.url);
  if (/^\/(stream|ws)(\/|$)/.test(pathname)) throw refusedUpgrade(request, deps);
  const name = /^\/(?:api\/v3|fapi\/v1)\/(\w+)$/.exec(pathname)?.[1];
  const handler = request.method === "GET" && name !== undefined ? HANDLERS.get(name) : undefined;
  if (!handler) throw new RestError(404, -1000, `No such resource: ${request.method} ${pathname}`);
  return handler(deps.tape, searchParams, deps.advance());
}

/** The answer of one of Binance's public addresses, by its last word; undefined where there is none. Throws RestError. */
export function publicAnswer(name: string, tape: Tape, query: URLSearchParams, nowMs: number): unknown {
  return HANDLERS.get(name)?.(tape, query, nowMs);
}

const HANDLERS = new Map<string, (tape: Tape, query: URLSearchParams, nowMs: number) => unknown>([
  ["ping", () => ({})],
  ["time", (_tape, _query, serverTime) => ({ serverTime })],
  ["exchangeInfo", exchangeInfo],
  ["avgPrice", avgPrice],
  [
    "klines",
    (tape, query, nowMs) => {
      const symbol = readSymbol(tape, query);
      return tape.klines(symbol, readKlineQuery(query), nowMs);
    },
  ],
  ["trades", (tape, query, nowMs) => tape.trades(readSymbol(tape, query), null, readLimit(query), nowMs)],
  [
    "historicalTrades",
    (tape, query, nowMs) => tape.trades(readSymbol(tape, query), readWhole(query, "fromId"), readLimit(query), nowMs),
  ],
]);

function refusedUpgrade(request: Request, deps: RestDeps): RestError {
  if (request.headers.get("upgrade") === null) return new RestError(426, -1000, "This address speaks WebSocket only.");
  if (deps.full()) return new RestError(503, -1003, "Too many connections; try again later.");
  return new RestError(400, -1100, "Illegal stream names or too many of them in the address.");
}

function readKlineQuery(query: URLSearchParams): KlineQuery {
  const interval = query.get("interval");
  if (!interval) throw missingParameter("interval");
  if (interval !== "1m") throw new RestError(400, -1120, "Invalid interval.");
  return { startTime: readWhole(query, "startTime"), endTime: readWhole(query, "endTime"), limit: readLimit(query) };
}

function readSymbol(tape: Tape, query: URLSearchParams): string {
  const symbol = query.get("symbol");
  if (!symbol) throw missingParameter("symbol");
  if (!tape.symbols.has(symbol)) throw new RestError(400, -1121, "Invalid symbol.");
  return symbol;
}

/** 1 to 1000, 500 unless given; more is taken for 1000, as Binance does. */
function readLimit(query: URLSearchParams): number {
  const limit = readWhole(query, "limit") ?? DEFAULT_LIMIT;
  if (limit < 1) throw new RestError(400, -1130, "Data sent for parameter 'limit' is not valid.");
  return Math.min(limit, MAX_LIMIT);
}

function readWhole(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null) return null;
  if (text === "") throw new RestError(400, -1105, `Parameter '${name}' was empty.`);
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new RestError(400, -1100, `Illegal characters found in parameter '${name}'; legal range is '^[0-9]{1,15}$'.`);
}

function avgPrice(tape: Tape, query: URLSearchParams, nowMs: number): unknown {
  const symbol = readSymbol(tape, query);
  const price = averagePrice(tape, symbol, AVERAGE_MINUTES, nowMs) ?? 0n;
  const closeTime = tape.trades(symbol, null, 1, nowMs).at(-1)?.time ?? nowMs;
  return { mins: AVERAGE_MINUTES, price: formatScaled(price, WIRE_DECIMALS), closeTime };
}

function exchangeInfo(tape: Tape, query: URLSearchParams, serverTime: number): unknown {
  const only = query.has("symbol") ? readSymbol(tape, query) : null;
  const symbols = [...tape.symbols.values()].filter((symbol) => only === null || symbol.name === only);
  return { timezone: "UTC", serverTime, rateLimits: [], exchangeFilters: [], symbols: symbols.map(symbolInfo) };
}

function symbolInfo(symbol: TapeSymbol): unknown {
  const { base, quote } = assetsOf(symbol.name);
  return {
    symbol: symbol.name,
    status: "TRADING",
    baseAsset: base,
    baseAssetPrecision: 8,
    quoteAsset: quote,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    orderTypes: ["LIMIT", "MARKET"],
    isSpotTradingAllowed: true,
    filters: [
      { filterType: "PRICE_FILTER", minPrice: symbol.tickSize, maxPrice: MOST, tickSize: symbol.tickSize },
      { filterType: "LOT_SIZE", minQty: symbol.stepSize, maxQty: MOST, stepSize: symbol.stepSize },
      {
        filterType: "NOTIONAL",
        minNotional: MIN_NOTIONAL,
        applyMinToMarket: true,
        maxNotional: MOST,
        applyMaxToMarket: false,
        avgPriceMins: AVERAGE_MINUTES,
      },
      { filterType: "MAX_NUM_ORDERS", maxNumOrders: MAX_NUM_ORDERS },
    ],
  };
}
