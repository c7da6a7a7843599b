import { platform } from "#platform";
import { MINUTE_MS, minuteOf } from "../../../src/core/time.ts";
import type { VenueId } from "../../../src/feed/venues/contract.ts";

export interface MarketTrade {
  readonly id: number;
  readonly timeMs: number;
  readonly price: string;
  readonly quantity: string;
  readonly buyerIsMaker: boolean;
}

/** One symbol's market as a venue would tell it: what was traded until now. */
export interface Market {
  nowMs: number;
  /** Ids count on by one, times never go back. */
  readonly trades: readonly MarketTrade[];
  /** Trades of one page; as many as the venue allows where absent. */
  readonly tradesAPage?: number;
}

interface Kline {
  readonly openTime: number;
  readonly figures: readonly [open: string, high: string, low: string, close: string];
  readonly volume: string;
  readonly quoteVolume: string;
  readonly trades: number;
  readonly taker: readonly [base: string, quote: string];
}

type Answer = (market: Market, query: URLSearchParams) => unknown;

/** What stands behind each path, by the venue's documents: shape, order, page size and which end a page begins at. */
const ANSWERS: Readonly<Record<VenueId, Readonly<Record<string, Answer>>>> = {
  "binance-spot": binance("/api/v3"),
  "binance-usdm": binance("/fapi/v1"),
  coinbase: {
    "/time": ({ nowMs }) => ({ iso: new Date(nowMs).toISOString(), epoch: nowMs / 1000 }),
    "/products/BTC-USD/trades": (market, query) =>
      lastOf(market, query.get("after"), Number(query.get("limit") ?? 1000)).map((trade) => ({
        trade_id: trade.id,
        side: trade.buyerIsMaker ? "buy" : "sell",
        size: trade.quantity,
        price: trade.price,
        time: new Date(trade.timeMs).toISOString().replace("Z", "123Z"),
      })),
    "/products/BTC-USD/candles": (market, query) => {
      const [start, end] = [Number(query.get("start")) * 1000, Number(query.get("end")) * 1000];
      if ((end - start) / MINUTE_MS + 1 > 300) return { message: "granularity too small for the requested time range" };
      return klinesOf(market, "absent")
        .filter(({ openTime }) => openTime >= start && openTime <= end)
        .map(({ openTime, figures: [open, high, low, close], volume }) =>
          [openTime / 1000, low, high, open, close, volume].map(Number),
        )
        .reverse();
    },
  },
  kraken: {
    "/0/public/Time": ({ nowMs }) => ({ error: [], result: { unixtime: Math.floor(nowMs / 1000), rfc1123: "x" } }),
    "/0/public/Trades": (market, query) => {
      const since = query.get("since");
      const most = Math.min(Number(query.get("count") ?? 1000), market.tradesAPage ?? 1000);
      const rows = since === null ? market.trades.slice(-most) : market.trades.filter(isAfterNs(since)).slice(0, most);
      const last = `${rows.at(-1)?.timeMs ?? 0}000000`;
      // Times are JSON numbers with more digits than a double holds.
      const texts = rows.map(
        ({ id, price, quantity, timeMs, buyerIsMaker }) =>
          `["${price}","${quantity}",${(timeMs / 1000).toFixed(3)}9999,"${buyerIsMaker ? "s" : "b"}","l","",${id}]`,
      );
      return new Response(`{"error":[],"result":{"XXBTZUSD":[${texts.join()}],"last":"${last}"}}`);
    },
    "/0/public/OHLC": (market, query) => {
      const rows = klinesOf(market, "flat").filter(({ openTime }) => openTime > Number(query.get("since")) * 1000);
      const told = rows.slice(-720).map(({ openTime, figures, volume, quoteVolume, trades }) => {
        const vwap = Number(volume) === 0 ? "0" : `${Number(quoteVolume) / Number(volume)}`;
        return [openTime / 1000, ...figures, vwap, volume, trades];
      });
      return { error: [], result: { XXBTZUSD: told, last: (told.at(-2)?.[0] as number) ?? 0 } };
    },
  },
  bybit: {
    "/v5/market/time": ({ nowMs }) =>
      bybit({ timeSecond: `${Math.floor(nowMs / 1000)}`, timeNano: `${nowMs}213947` }, nowMs),
    "/v5/market/recent-trade": (market, query) => {
      const rows = lastOf(market, null, Math.min(60, Number(query.get("limit") ?? 60)));
      const list = rows.map((trade) => ({
        ...{ execId: `20f43950-${trade.id}`, symbol: "BTCUSDT", price: trade.price, size: trade.quantity },
        ...{ side: trade.buyerIsMaker ? "Sell" : "Buy", time: `${trade.timeMs}`, isBlockTrade: false, seq: "9" },
      }));
      return bybit({ category: "spot", list }, market.nowMs);
    },
    "/v5/market/kline": (market, query) => {
      const [start, end] = [Number(query.get("start")), Number(query.get("end"))];
      const rows = klinesOf(market, "flat").filter(({ openTime }) => openTime >= start && openTime <= end);
      const list = rows.slice(-Number(query.get("limit"))).map(({ openTime, figures, volume, quoteVolume }) => {
        return [`${openTime}`, ...figures, volume, quoteVolume];
      });
      return bybit({ category: "spot", symbol: "BTCUSDT", list: list.reverse() }, market.nowMs);
    },
  },
  okx: {
    "/api/v5/public/time": ({ nowMs }) => ({ code: "0", msg: "", data: [{ ts: `${nowMs}` }] }),
    "/api/v5/market/trades": (market, query) => okxTrades(lastOf(market, null, Number(query.get("limit")))),
    "/api/v5/market/history-trades": (market, query) =>
      okxTrades(lastOf(market, query.get("after"), Math.min(100, Number(query.get("limit"))))),
    "/api/v5/market/candles": (market, query) => okxCandles(klinesOf(market, "flat").slice(-1440), market, query),
    "/api/v5/market/history-candles": (market, query) =>
      // The newest two are not there yet.
      okxCandles(klinesOf(market, "flat").slice(0, -2), market, query),
  },
};

function binance(root: string): Readonly<Record<string, Answer>> {
  const trades = (rows: readonly MarketTrade[]) =>
    rows.map(({ id, price, quantity, timeMs, buyerIsMaker }) => {
      return { id, price, qty: quantity, quoteQty: "1", time: timeMs, isBuyerMaker: buyerIsMaker, isBestMatch: true };
    });
  return {
    [`${root}/time`]: ({ nowMs }) => ({ serverTime: nowMs }),
    [`${root}/exchangeInfo`]: () => ({ timezone: "UTC", symbols: [{ symbol: "BTCUSDT", status: "TRADING" }] }),
    [`${root}/trades`]: (market, query) => trades(market.trades.slice(-Number(query.get("limit")))),
    [`${root}/historicalTrades`]: (market, query) => {
      const [from, limit] = [Number(query.get("fromId")), Number(query.get("limit"))];
      const rows = market.trades.filter(({ id }) => id >= from);
      return trades(rows.slice(0, Math.min(limit, market.tradesAPage ?? 1000)));
    },
    [`${root}/klines`]: (market, query) => {
      if (query.get("symbol") !== "BTCUSDT")
        return Response.json({ code: -1121, msg: "Invalid symbol." }, { status: 400 });
      const [start, end] = [Number(query.get("startTime")), Number(query.get("endTime"))];
      const rows = klinesOf(market, "flat").filter(({ openTime }) => openTime >= start && openTime <= end);
      return rows
        .slice(0, Number(query.get("limit")))
        .map(({ openTime, figures, volume, quoteVolume, trades: count, taker }) => {
          return [openTime, ...figures, volume, openTime + MINUTE_MS - 1, quoteVolume, count, ...taker, "0"];
        });
    },
  };
}

function bybit(result: unknown, nowMs: number): unknown {
  return { retCode: 0, retMsg: "OK", result, retExtInfo: {}, time: nowMs };
}

function okxTrades(rows: readonly MarketTrade[]): unknown {
  const data = rows.map(({ id, price, quantity, timeMs, buyerIsMaker }) => {
    const side = buyerIsMaker ? "sell" : "buy";
    return { instId: "BTC-USDT", side, sz: quantity, px: price, tradeId: `${id}`, ts: `${timeMs}` };
  });
  return { code: "0", msg: "", data };
}

function okxCandles(klines: readonly Kline[], { nowMs }: Market, query: URLSearchParams): unknown {
  const [before, after] = [Number(query.get("before")), Number(query.get("after"))];
  const rows = klines.filter(({ openTime }) => openTime > before && openTime < after);
  const data = rows.slice(-Number(query.get("limit"))).map(({ openTime, figures, volume, quoteVolume }) => {
    const confirm = openTime + MINUTE_MS <= nowMs ? "1" : "0";
    return [`${openTime}`, ...figures, volume, quoteVolume, quoteVolume, confirm];
  });
  return { code: "0", msg: "", data: data.reverse() };
}

/** Newest first, those before the id `after`. */
function lastOf(market: Market, after: string | null, limit: number): readonly MarketTrade[] {
  const rows = after === null ? market.trades : market.trades.filter(({ id }) => id < Number(after));
  return rows.slice(-Math.min(limit, market.tradesAPage ?? 1000)).toReversed();
}

function isAfterNs(since: string): (trade: MarketTrade) => boolean {
  return ({ timeMs }) => BigInt(timeMs) * 1_000_000n + 999_900n > BigInt(since);
}

/** The running minute included; minutes without trades where the venue tells them. */
function klinesOf({ trades, nowMs }: Market, quiet: "flat" | "absent"): readonly Kline[] {
  const first = trades[0];
  if (first === undefined) return [];
  const minutes = Map.groupBy(trades, ({ timeMs }) => minuteOf(timeMs));
  const klines: Kline[] = [];
  for (let openTime = minuteOf(first.timeMs); openTime <= nowMs; openTime += MINUTE_MS) {
    const own = minutes.get(openTime) ?? [];
    const before = klines.at(-1)?.figures[3] ?? first.price;
    if (own.length > 0 || quiet === "flat") klines.push(klineOf(openTime, own, before));
  }
  return klines;
}

function klineOf(openTime: number, own: readonly MarketTrade[], before: string): Kline {
  const prices = own.length === 0 ? [before] : own.map(({ price }) => price);
  const numbers = prices.map(Number);
  const sum = (of: readonly MarketTrade[], value: (trade: MarketTrade) => number) =>
    `${of.reduce((total, trade) => total + value(trade), 0)}`;
  const bought = own.filter(({ buyerIsMaker }) => !buyerIsMaker);
  const base = (trade: MarketTrade) => Number(trade.quantity);
  const quote = (trade: MarketTrade) => Number(trade.quantity) * Number(trade.price);
  return {
    openTime,
    figures: [prices[0] ?? "", `${Math.max(...numbers)}`, `${Math.min(...numbers)}`, prices.at(-1) ?? ""],
    volume: sum(own, base),
    quoteVolume: sum(own, quote),
    trades: own.length,
    taker: [sum(bought, base), sum(bought, quote)],
  };
}

/** A venue's REST interface on a free port. `refusals` are given first, one a request. */
export function serveVenue(id: VenueId, market: Market) {
  const asked: URL[] = [];
  const refusals: Response[] = [];
  const server = platform.serve({
    host: "127.0.0.1",
    port: 0,
    fetch(request) {
      const url = new URL(request.url);
      asked.push(url);
      const refusal = refusals.shift();
      if (refusal !== undefined) return refusal;
      const answer = ANSWERS[id][decodeURIComponent(url.pathname)]?.(market, url.searchParams);
      if (answer === undefined) return Response.json({ code: -1000, msg: "no such address" }, { status: 404 });
      return answer instanceof Response ? answer : Response.json(answer);
    },
  });
  return {
    url: `ws://127.0.0.1:${server.port}`,
    asked,
    refusals,
    stop: () => server.stop(),
    async [Symbol.asyncDispose]() {
      await server.stop();
    },
  };
}
