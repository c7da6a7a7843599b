import { afterEach, describe, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { DEFAULT_START_MS, simTruth } from "../../../src/feed/sim/truth.ts";
import { eventually } from "../../support/eventually.ts";
import { closeBenches, connect, get, MARKET, openBench, warnings } from "./exchange-bench.ts";
import { naiveCandles } from "./naive-aggregator.ts";

const FRAME =
  /^\{"stream":"(\w+)@trade","data":\{"e":"trade","E":(\d{13}),"s":"(\w+)","t":(\d+),"p":"\d+\.\d{8}","q":"\d+\.\d{8}","T":(\d{13}),"m":(true|false),"M":true\}\}$/;

afterEach(closeBenches);

describe("streams of the simulated exchange", () => {
  test("carry Binance's combined trade frames in its own field order, merged by time and symbol", async () => {
    const { clock, url } = openBench();
    const client = await connect(url, "/stream?streams=btcusdt@trade/ethusdt@trade");
    clock.step(3000);
    await client.ask("LIST_SUBSCRIPTIONS");
    const frames = client.texts.filter((text) => text.startsWith('{"stream"'));
    for (const frame of frames) expect(frame).toMatch(FRAME);
    const keys = client.trades().map((trade) => [trade.T, trade.s, trade.t] as const);
    const sorted = keys.toSorted((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : Number(a[1] > b[1])) || a[2] - b[2]);
    expect(keys).toEqual(sorted);
    expect(new Set(client.trades().map((trade) => trade.s))).toEqual(new Set(["BTCUSDT", "ETHUSDT"]));
    expect(frames.length).toBeGreaterThan(100);
  });

  test("re-aggregate to the oracle's candles in every field, and to what REST says of the same minutes", async () => {
    const { clock, url } = openBench();
    const client = await connect(url, "/stream");
    await client.ask("SUBSCRIBE", ["btcusdt@trade", "ethusdt@trade"]);
    for (let step = 0; step < 100; step++) {
      clock.step(307);
      await client.ask("LIST_SUBSCRIPTIONS");
    }
    const naive = naiveCandles(client.trades()).filter((row) => row.openTime < DEFAULT_START_MS + 30 * 60_000);
    const truth = [...simTruth({ ...MARKET, minutes: 30 })];
    const byKey = (a: { openTime: number; symbol: string }, b: typeof a) =>
      a.openTime - b.openTime || (a.symbol < b.symbol ? -1 : 1);
    expect(naive.toSorted(byKey)).toEqual(truth.filter((row) => row.trades > 0).toSorted(byKey));
    for (const symbol of MARKET.symbols) {
      const { body } = await get(
        url,
        `/api/v3/klines?symbol=${symbol}&interval=1m&startTime=${MARKET.startMs}&limit=30`,
      );
      const rows = (body as (string | number)[][]).map((row) => row.slice(0, 11).map(Number));
      const wanted = truth.filter((row) => row.symbol === symbol);
      expect(rows).toEqual(
        wanted.map((row) => [
          row.openTime,
          row.open,
          row.high,
          row.low,
          row.close,
          row.volume,
          row.closeTime,
          row.quoteVolume,
          row.trades,
          row.takerBuyVolume,
          row.takerBuyQuoteVolume,
        ]),
      );
    }
  });

  test("are the same for two subscribers, the later one from where it joined, raw or combined", async () => {
    const { clock, url } = openBench();
    const early = await connect(url, "/stream?streams=btcusdt@trade");
    clock.step(1500);
    const late = await connect(url, "/ws/btcusdt@trade");
    await late.ask("LIST_SUBSCRIPTIONS");
    expect(late.trades()).toEqual([]);
    clock.step(2000);
    await Promise.all([early.ask("LIST_SUBSCRIPTIONS"), late.ask("LIST_SUBSCRIPTIONS")]);
    expect(late.trades().length).toBeGreaterThan(50);
    expect(early.trades().slice(-late.trades().length)).toEqual([...late.trades()]);
    expect(late.texts.find((text) => text.includes('"e":"trade"'))).toStartWith('{"e":"trade","E":');
  });

  test("let no older trade follow an answer, whatever the time between requests", async () => {
    const { clock, url } = openBench();
    const client = await connect(url, "/stream");
    await client.ask("SUBSCRIBE", ["btcusdt@trade", "ethusdt@trade"]);
    const seen: { at: number; timeMs: number }[] = [];
    for (let step = 0; step < 40; step++) {
      clock.step(1 + ((step * 37) % 90));
      const dueMs = DEFAULT_START_MS + (clock.nowMs() - Date.UTC(2026, 0, 1)) * 60;
      await client.ask("LIST_SUBSCRIPTIONS");
      seen.push({ at: client.texts.findLastIndex((text) => text.includes('"result"')), timeMs: dueMs });
    }
    for (const { at, timeMs } of seen) {
      const times = (texts: readonly string[]) =>
        texts.flatMap((text) => /"T":(\d+)/.exec(text)?.[1] ?? []).map(Number);
      expect(Math.max(0, ...times(client.texts.slice(0, at)))).toBeLessThanOrEqual(timeMs);
      expect(Math.min(Infinity, ...times(client.texts.slice(at)))).toBeGreaterThan(timeMs);
    }
  });

  test("leave a hole over a disconnection that REST fills id by id: the market goes on by itself", async () => {
    const { clock, url, exchange } = openBench();
    const first = await connect(url, "/ws/ethusdt@trade");
    clock.step(5000);
    await first.ask("LIST_SUBSCRIPTIONS");
    first.close();
    await eventually(() => exchange.counters().clients === 0);
    clock.step(1000);
    const second = await connect(url, "/ws/ethusdt@trade");
    await second.ask("LIST_SUBSCRIPTIONS");
    clock.step(1000);
    await second.ask("LIST_SUBSCRIPTIONS");
    const lastBefore = first.trades().at(-1)?.t ?? 0;
    const firstAfter = second.trades()[0]?.t ?? 0;
    const { body } = await get(url, `/api/v3/historicalTrades?symbol=ETHUSDT&fromId=${lastBefore + 1}&limit=1000`);
    const missed = (body as { id: number; time: number }[]).filter((trade) => trade.id < firstAfter);
    expect(missed.map((trade) => trade.id)).toEqual(
      Array.from({ length: firstAfter - lastBefore - 1 }, (_, at) => lastBefore + 1 + at),
    );
    expect(missed.length).toBeGreaterThan(0);
  });

  test("go by themselves, without any request", async () => {
    const { clock, url } = openBench();
    const client = await connect(url, "/ws/btcusdt@trade");
    await client.ask("LIST_SUBSCRIPTIONS");
    clock.step(2000);
    await eventually(() => client.trades().length > 30, 5000, "trades arrive");
  });
});

describe("requests on a stream connection", () => {
  test("subscribe, list and unsubscribe as Binance answers them", async () => {
    const { clock, url, exchange } = openBench();
    const client = await connect(url, "/stream?streams=ethusdt@trade");
    expect(await client.ask("SUBSCRIBE", ["btcusdt@trade", "btcusdt@trade"])).toEqual({ result: null, id: 1 });
    expect(await client.ask("LIST_SUBSCRIPTIONS")).toEqual({ result: ["ethusdt@trade", "btcusdt@trade"], id: 2 });
    expect(await client.ask("UNSUBSCRIBE", ["ethusdt@trade", "nothing@trade"])).toEqual({ result: null, id: 3 });
    clock.step(3000);
    expect(await client.ask("LIST_SUBSCRIPTIONS", [])).toEqual({ result: ["btcusdt@trade"], id: 4 });
    expect(new Set(client.trades().map((trade) => trade.s))).toEqual(new Set(["BTCUSDT"]));
    expect(exchange.counters()).toMatchObject({ clients: 1, streams: 1, "requests.total": 4, "requests.bad.total": 0 });
  });

  test("accept an unknown symbol's stream and stay silent on it", async () => {
    const { clock, url } = openBench();
    const client = await connect(url, "/stream");
    const streams = ["nousdt@trade", "btcusdt@depth", "BTCUSDT@trade"];
    expect(await client.ask("SUBSCRIBE", streams)).toEqual({ result: null, id: 1 });
    clock.step(5000);
    expect(await client.ask("LIST_SUBSCRIPTIONS")).toEqual({ result: streams, id: 2 });
    expect(client.trades()).toEqual([]);
  });

  const wrong: readonly (readonly [string, string, number, RegExp])[] = [
    ["malformed JSON", '{"method":', 3, /Invalid JSON/],
    ["no object", "[1]", 2, /expected an object/],
    ["an unknown method", '{"method":"SHOUT","params":["a"],"id":7}', 2, /unknown variant SHOUT, expected one of SUB/],
    ["no id", '{"method":"SUBSCRIBE","params":["btcusdt@trade"]}', 2, /request ID/],
    ["no params", '{"method":"SUBSCRIBE","id":7}', 2, /params must be a list/],
    ["params of another type", '{"method":"SUBSCRIBE","params":"btcusdt@trade","id":7}', 2, /params must be a list/],
    ["empty params", '{"method":"SUBSCRIBE","params":[],"id":7}', 2, /1 to 1024 streams, found 0/],
    ["a name that is no text", '{"method":"SUBSCRIBE","params":[1],"id":7}', 2, /stream name must be text/],
    ["more than 65,536 characters", `{"id":7,"method":"${"x".repeat(70_000)}"}`, 2, /at most 65536/],
  ];
  for (const [what, text, code, message] of wrong) {
    test(`are refused with code and message, and the connection lives on: ${what}`, async () => {
      const { url, exchange } = openBench();
      const client = await connect(url, "/stream");
      client.send(text);
      const answer = JSON.parse(await eventually(() => client.texts[0])) as { code: number; msg: string; id: unknown };
      expect(answer.code).toBe(code);
      expect(answer.msg).toMatch(message);
      expect(answer.id).toBe(text.endsWith('"id":7}') ? 7 : null);
      expect(await client.ask("LIST_SUBSCRIPTIONS")).toEqual({ result: [], id: 1 });
      expect(exchange.counters()["requests.bad.total"]).toBe(1);
    });
  }

  test("cannot hold more than 1024 streams on one connection", async () => {
    const { url } = openBench();
    const client = await connect(url, "/stream?streams=btcusdt@trade");
    const many = Array.from({ length: 1024 }, (_, at) => `s${at}@trade`);
    expect(await client.ask("SUBSCRIBE", many)).toEqual({
      code: 2,
      msg: "Invalid request: at most 1024 streams a connection",
      id: 1,
    });
    expect(await client.ask("LIST_SUBSCRIPTIONS")).toMatchObject({ result: ["btcusdt@trade"] });
    expect(await client.ask("SUBSCRIBE", many.slice(1))).toEqual({ result: null, id: 3 });
  });

  test("are not spoken at other addresses", async () => {
    const { url } = openBench();
    const client = await connect(url, "/elsewhere");
    expect(await client.closed).toContain("closed");
    expect((await get(url, "/stream")).status).toBe(426);
  });
});

describe("a client that does not read", () => {
  test("is cut off at the bound and counted, while another hears everything", async () => {
    const { clock, url, exchange } = openBench({ speed: 10_000, maxClientBytes: 256 * 1024 });
    const reader = await connect(url, "/stream?streams=btcusdt@trade");
    const socket = connectTcp({ host: "127.0.0.1", port: exchange.port }, () => {
      socket.write(
        `GET /stream?streams=btcusdt@trade HTTP/1.1\r\nHost: ${url}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      );
      socket.pause();
    });
    await eventually(() => exchange.counters().clients === 2);
    await eventually(
      async () => {
        clock.step(60);
        await reader.ask("LIST_SUBSCRIPTIONS");
        return exchange.counters()["clients.slow.total"] === 1;
      },
      30_000,
      "the slow client is cut off",
    );
    socket.destroy();
    expect(exchange.counters().clients).toBe(1);
    expect(warnings).toContain("A client that does not read was cut off");
    const ids = reader.trades().map((trade) => trade.t);
    expect(ids).toEqual(ids.map((_, at) => (ids[0] ?? 0) + at));
  }, 40_000);
});
