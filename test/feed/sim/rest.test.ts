import { afterEach, describe, expect, test } from "bun:test";
import { DEFAULT_START_MS } from "../../../src/feed/sim/truth.ts";
import { closeBenches, connect, get, openBench } from "./exchange-bench.ts";

const MINUTE = 60_000;

afterEach(closeBenches);

describe("REST of the simulated exchange", () => {
  test("tells its time, and on every answer its pace and its environment", async () => {
    const { clock, url } = openBench();
    clock.step(1000);
    const time = await get(url, "/api/v3/time");
    expect(time.body).toEqual({ serverTime: DEFAULT_START_MS + MINUTE });
    expect((await get(url, "/api/v3/ping")).body).toEqual({});
    for (const path of ["/api/v3/time", "/api/v3/klines", "/nothing"]) {
      const { headers } = await get(url, path);
      expect(headers["x-sim-speed"]).toBe("60");
      expect(headers["x-sim-environment"]).toBe("sim:seed=1:start=2025-01-01T00:00Z");
      expect(headers["content-type"]).toStartWith("application/json");
    }
  });

  test("gives klines in Binance's twelve columns, the unfinished minute last with its close in the future", async () => {
    const { clock, url } = openBench();
    clock.step(2500);
    const rows = (await klines(url, `&startTime=${DEFAULT_START_MS}`)) as (string | number)[][];
    expect(rows.map((row) => row[0])).toEqual([0, 1, 2].map((at) => DEFAULT_START_MS + at * MINUTE));
    for (const row of rows) {
      expect(row.map((column) => typeof column).join()).toBe(
        "number,string,string,string,string,string,number,string,number,string,string,string",
      );
      expect([row[1], row[5], row[7], row[9], row[10]].every((text) => /^\d+\.\d{8}$/.test(String(text)))).toBe(true);
      expect(row[6]).toBe(Number(row[0]) + 59_999);
      expect(row[11]).toBe("0");
    }
    expect(Number(rows[2]?.[6])).toBeGreaterThan(DEFAULT_START_MS + 2.5 * MINUTE);
    const before = Number(rows[2]?.[8]);
    clock.step(499);
    const later = (await klines(url, `&startTime=${DEFAULT_START_MS}`)) as (string | number)[][];
    expect(Number(later[2]?.[8])).toBeGreaterThan(before);
    expect(later.slice(0, 2)).toEqual(rows.slice(0, 2));
  });

  test("gives klines from before its start, 500 unless told, at most 1000, within the bounds asked for", async () => {
    const { url } = openBench();
    const newest = await klines(url, "");
    expect(newest).toHaveLength(500);
    expect(newest.at(-1)?.[0]).toBe(DEFAULT_START_MS);
    expect(newest.map((row) => Number(row[0]))).toEqual(
      Array.from({ length: 500 }, (_, at) => DEFAULT_START_MS - (499 - at) * MINUTE),
    );
    expect(await klines(url, "&limit=5000")).toHaveLength(1000);
    const from = DEFAULT_START_MS - 10 * MINUTE;
    const bounded = await klines(url, `&startTime=${from + 1}&endTime=${from + 4 * MINUTE}`);
    expect(bounded.map((row) => row[0])).toEqual([1, 2, 3, 4].map((at) => from + at * MINUTE));
    expect(await klines(url, `&endTime=${from}&limit=2`)).toEqual(newest.slice(-12, -10));
    expect(await klines(url, `&startTime=${DEFAULT_START_MS + MINUTE}`)).toEqual([]);
    expect(await klines(url, "&startTime=0&limit=1")).toHaveLength(1);
  });

  test("gives trades by id without a hole, across quiet minutes and hours, none from the future", async () => {
    const { clock, url, exchange } = openBench();
    clock.step(30_000);
    const newest = await trades(url, "trades", "&limit=1000");
    expect(newest).toHaveLength(1000);
    expect(newest.map((trade) => trade.id)).toEqual(newest.map((_, at) => (newest[0]?.id ?? 0) + at));
    expect(newest.at(-1)?.time).toBeLessThanOrEqual(exchange.exchangeTimeMs());
    expect(Object.keys(newest[0] ?? {})).toEqual([
      "id",
      "price",
      "qty",
      "quoteQty",
      "time",
      "isBuyerMaker",
      "isBestMatch",
    ]);
    const fromId = (newest[0]?.id ?? 0) - 500;
    const older = await trades(url, "historicalTrades", `&fromId=${fromId}&limit=1000`);
    expect(older.slice(500)).toEqual(newest.slice(0, 500));
    expect(await trades(url, "historicalTrades", `&fromId=${(newest.at(-1)?.id ?? 0) + 1}`)).toEqual([]);
    expect(await trades(url, "historicalTrades", "&fromId=0&limit=3")).toHaveLength(3);
    expect(await trades(url, "historicalTrades", "")).toEqual(newest.slice(-500));
  });

  test("lists its symbols with their tick and lot", async () => {
    const { url } = openBench();
    const { body } = await get(url, "/api/v3/exchangeInfo");
    const { symbols } = body as { symbols: { symbol: string; baseAsset: string; filters: unknown[] }[] };
    expect(symbols.map((symbol) => [symbol.symbol, symbol.baseAsset])).toEqual([
      ["BTCUSDT", "BTC"],
      ["ETHUSDT", "ETH"],
    ]);
    expect(symbols[0]?.filters).toMatchObject([
      { filterType: "PRICE_FILTER", tickSize: "0.01000000" },
      { filterType: "LOT_SIZE", stepSize: "0.00001000" },
      { filterType: "NOTIONAL", minNotional: "5.00000000", applyMinToMarket: true },
      { filterType: "MAX_NUM_ORDERS" },
    ]);
    const one = await get(url, "/api/v3/exchangeInfo?symbol=ETHUSDT");
    expect((one.body as { symbols: unknown[] }).symbols).toHaveLength(1);
  });

  const wrong: readonly (readonly [string, number, number])[] = [
    ["/api/v3/klines?symbol=NOUSDT&interval=1m", 400, -1121],
    ["/api/v3/klines?symbol=btcusdt&interval=1m", 400, -1121],
    ["/api/v3/klines?interval=1m", 400, -1102],
    ["/api/v3/klines?symbol=BTCUSDT", 400, -1102],
    ["/api/v3/klines?symbol=BTCUSDT&interval=7m", 400, -1120],
    ["/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=yesterday", 400, -1100],
    ["/api/v3/klines?symbol=BTCUSDT&interval=1m&endTime=-5", 400, -1100],
    ["/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=", 400, -1105],
    ["/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=0", 400, -1130],
    ["/api/v3/trades?symbol=", 400, -1102],
    ["/api/v3/historicalTrades?symbol=BTCUSDT&fromId=x", 400, -1100],
    ["/api/v3/avgPrice?symbol=NOUSDT", 400, -1121],
    ["/api/v3/order", 401, -2014],
    ["/api/v3/nothing", 404, -1000],
    ["/", 404, -1000],
  ];
  test("refuses bad parameters with Binance's codes", async () => {
    const { url } = openBench();
    for (const [path, status, code] of wrong) {
      const reply = await get(url, path);
      expect([path, reply.status, (reply.body as { code: number }).code]).toEqual([path, status, code]);
      expect((reply.body as { msg: string }).msg).not.toBe("");
    }
  });

  test("never shows a time whose trades were not sent, also while the exchange is behind its clock", async () => {
    const { clock, url, exchange } = openBench({ speed: 10_000 });
    const client = await connect(url, "/stream?streams=btcusdt@trade");
    clock.step(5000);
    let behind = 0;
    while (behind === 0 || exchange.counters()["behind.ms"] !== 0) {
      const { serverTime } = (await get(url, "/api/v3/time")).body as { serverTime: number };
      behind += exchange.counters()["behind.ms"] ?? 0;
      await client.ask("LIST_SUBSCRIPTIONS");
      const rows = await trades(url, "trades", "&limit=1000");
      const due = rows.filter((trade) => trade.time <= serverTime).at(-1);
      const lastSent = client.trades().at(-1);
      if (due) expect(lastSent?.t).toBeGreaterThanOrEqual(due.id);
    }
    const ids = client.trades().map((trade) => trade.t);
    expect(ids).toEqual(ids.map((_, at) => (ids[0] ?? 0) + at));
    expect(ids.length).toBeGreaterThan(40_000);
  });
});

async function klines(url: string, query: string): Promise<(string | number)[][]> {
  return (await get(url, `/api/v3/klines?symbol=BTCUSDT&interval=1m${query}`)).body as (string | number)[][];
}

async function trades(url: string, kind: string, query: string): Promise<{ id: number; time: number }[]> {
  return (await get(url, `/api/v3/${kind}?symbol=BTCUSDT${query}`)).body as { id: number; time: number }[];
}
