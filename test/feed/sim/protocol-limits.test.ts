import { afterEach, describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../../src/core/time.ts";
import { venueOf } from "../../../src/feed/venues/venues.ts";
import { eventually } from "../../support/eventually.ts";
import { type Bench, type Client, closeBenches, connect } from "./exchange-bench.ts";
import { get, heard, openVenue, pass, pathOf, readAll, subscribed } from "./venue-bench.ts";

afterEach(closeBenches);

/** The first answer to a request that carries this text. */
async function answer(client: Client, request: unknown, part: string): Promise<string> {
  client.send(request);
  return await eventually(() => client.texts.find((text) => text.includes(part)), 5000, `an answer with ${part}`);
}

/** Wall time passes in small steps until the venue closes the connection; how much of it. */
async function msUntilClosed(bench: Bench, client: Client, stepMs: number): Promise<number> {
  let reason: string | null = null;
  void client.closed.then((told) => {
    reason = told;
  });
  let passed = 0;
  await eventually(
    () => {
      if (reason !== null) return true;
      passed += stepMs;
      bench.clock.step(stepMs);
      return false;
    },
    5000,
    "the close",
  );
  return passed;
}

const SLOW = { speed: 1 } as const;

describe("what a simulated venue refuses, limits and closes", () => {
  test("Binance takes 1024 streams a connection, and answers what is no request by its code", async () => {
    for (const id of ["binance-spot", "binance-usdm"] as const) {
      const client = await connect(openVenue(venueOf(id)).url, "/stream");
      const params = Array.from({ length: 1025 }, (_, at) => `s${at}@trade`);
      expect(await answer(client, { method: "SUBSCRIBE", params, id: 1 }, '"id":1')).toContain('"code":2');
      expect(await answer(client, "{", "Invalid JSON")).toContain('"code":3');
    }
  });

  test("Binance's futures tell rows of the insurance fund, whose ids no trade has and no kline counts", async () => {
    const usdm = venueOf("binance-usdm");
    const bench = openVenue(usdm);
    const client = await subscribed(usdm, bench.url);
    await pass(bench, client, 40 * MINUTE_MS, usdm);
    const { trades, omitted } = heard(usdm, client);
    expect(omitted.length).toBeGreaterThan(2);
    for (const symbol of ["BTCUSDT", "ETHUSDT"]) {
      const ids = [
        ...trades.filter((trade) => trade.symbol === symbol).map(({ id }) => id ?? 0),
        ...omitted.filter((row) => row.symbol === symbol).map(({ firstId }) => firstId ?? 0),
      ].toSorted((a, b) => a - b);
      expect(ids.map((id) => id - (ids[0] ?? 0))).toEqual(ids.map((_, at) => at));
    }
    const refused = await get(bench.url, "http://x/fapi/v1/historicalTrades?symbol=BTCUSDT&limit=5");
    expect(refused.status).toBe(401);
  });

  test("Coinbase closes on who does not subscribe within 5 s, and beats once a second where asked to", async () => {
    const coinbase = venueOf("coinbase");
    const bench = openVenue(coinbase, SLOW);
    const silent = await connect(bench.url, "/");
    expect(await msUntilClosed(bench, silent, 500)).toBeGreaterThanOrEqual(5000);
    const client = await subscribed(coinbase, bench.url);
    const beats = () => client.texts.filter((text) => text.startsWith('{"channel":"heartbeats"')).length;
    for (let at = 0; at < 5; at++) {
      const before = beats();
      bench.clock.step(1000);
      await eventually(() => beats() > before, 5000, "a heartbeat");
    }
    const numbers = client.texts.map((text) => Number(/"sequence_num":(\d+)/.exec(text)?.[1]));
    expect(numbers).toEqual(numbers.map((_, at) => at));
    const tooLong = "http://x/products/BTC-USDT/candles?granularity=60&start=1735689600&end=1735708200";
    expect((await get(bench.url, tooLong)).body).toContain("exceeds 300");
  });

  test("Coinbase sends what was traded before a subscription as a snapshot, newest first", async () => {
    const coinbase = venueOf("coinbase");
    const bench = openVenue(coinbase);
    bench.clock.step(60_000);
    const client = await subscribed(coinbase, bench.url);
    const { history, trades } = heard(coinbase, client);
    expect(history.length).toBe(200);
    expect(trades).toEqual([]);
    expect(client.texts[0]).toContain('"sequence_num":0,"events":[{"type":"snapshot"');
  });

  test("Kraken tells its status first, beats where nothing else comes, and closes after a minute without a subscription", async () => {
    const kraken = venueOf("kraken");
    const bench = openVenue(kraken, SLOW);
    const client = await connect(bench.url, pathOf(kraken));
    await eventually(() => client.texts.length > 0, 5000, "the status");
    expect(client.texts[0]).toContain('"system":"online"');
    expect(await answer(client, "{", "Malformed request")).toContain('"success":false');
    const unknown = { method: "subscribe", params: { channel: "trade", symbol: ["NOPE/USD", "BTC/USDT"] }, req_id: 7 };
    expect(await answer(client, unknown, "not supported NOPE/USD")).toContain('"req_id":7');
    expect(await answer(client, unknown, "Already subscribed")).toContain('"symbol":"BTC/USDT"');
    await eventually(
      () => {
        bench.clock.step(200);
        return client.texts.includes('{"channel":"heartbeat"}');
      },
      4000,
      "a heartbeat",
    );
    const idle = await connect(bench.url, pathOf(kraken));
    expect(await msUntilClosed(bench, idle, 5000)).toBeGreaterThanOrEqual(60_000);
  });

  test("Bybit takes ten topics a request, all or none, none twice, and closes what is idle for ten minutes", async () => {
    const bybit = venueOf("bybit");
    const bench = openVenue(bybit, SLOW);
    const client = await connect(bench.url, pathOf(bybit));
    const args = (symbols: readonly string[]) => ({
      op: "subscribe",
      args: symbols.map((one) => `publicTrade.${one}`),
    });
    expect(await answer(client, args(Array(11).fill("BTCUSDT")), "args size >10")).toContain('"success":false');
    expect(await answer(client, args(["BTCUSDT", "NOPEUSDT"]), "NOPEUSDT")).toContain("Invalid symbol");
    expect(await answer(client, { req_id: "5", ...args(["BTCUSDT"]) }, '"req_id":"5"')).toContain('"success":true');
    expect(await answer(client, { req_id: "6", ...args(["BTCUSDT"]) }, '"req_id":"6"')).toContain("already subscribed");
    expect(readAll(bybit, client).filter(({ type }) => type === "ack").length).toBe(1);
    const idle = await connect(bench.url, pathOf(bybit));
    expect(await msUntilClosed(bench, idle, 30_000)).toBeGreaterThanOrEqual(600_000);
  });

  test("OKX refuses more than 64 KB and more than 480 requests an hour, and closes after 30 s without data", async () => {
    const okx = venueOf("okx");
    const bench = openVenue(okx, SLOW);
    const client = await connect(bench.url, pathOf(okx));
    const subscribe = (instId: string) => ({ op: "subscribe", args: [{ channel: "trades-all", instId }] });
    expect(await answer(client, subscribe("X".repeat(70_000)), "60013")).toContain('"event":"error"');
    expect(await answer(client, "nonsense", "60012")).toContain("Invalid request");
    const events = () => client.texts.filter((text) => text.startsWith('{"event"')).length;
    for (let sent = 0; sent < 480; sent += 80) {
      bench.clock.step(1000);
      const before = events();
      for (let at = 0; at < 80; at++) client.send(subscribe("BTC-USDT"));
      await eventually(() => events() === before + 80, 5000, "80 answers");
    }
    client.send(subscribe("BTC-USDT"));
    await eventually(() => client.texts.some((text) => text.includes("60014")), 5000, "a refusal");
    const idle = await connect(bench.url, pathOf(okx));
    expect(await msUntilClosed(bench, idle, 1000)).toBeGreaterThanOrEqual(30_000);
    expect(await idle.closed).toContain("4004");
  });
});
