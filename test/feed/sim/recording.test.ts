import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { FabricError } from "../../../src/core/errors.ts";
import { readRecording } from "../../../src/feed/sim/recording.ts";
import { eventually } from "../../support/eventually.ts";
import { RECORDINGS } from "../../support/fabric.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { closeBenches, connect, get, openBench, type TradeData } from "./exchange-bench.ts";
import { naiveCandles } from "./naive-aggregator.ts";

const MINUTE = 60_000;

afterEach(closeBenches);

describe.skipIf(RECORDINGS === null)("a real recording, played over a real WebSocket", () => {
  const files = [
    ["binance-spot-btcusdt", "spot_btcusdt.trades.ws.txt.gz", 1723161300000, 1723161840000],
    ["binance-usdm-btcusdt", "usdm_btcusdt.trades.ws.txt.gz", 1723161300000, 1723161480000],
  ] as const;
  for (const [folder, name, first, last] of files) {
    const file = join(RECORDINGS ?? "", folder, name);
    const minutes = Array.from({ length: (last - first) / MINUTE + 1 }, (_, at) => first + at * MINUTE);

    test(`gives the venue's own klines, from the frames and from REST: ${folder}`, async () => {
      const { clock, url, exchange } = openBench({ source: { kind: "recording", file } });
      const client = await connect(url, "/stream");
      await client.ask("SUBSCRIBE", ["btcusdt@trade"]);
      clock.step(12_000);
      await eventually(() => exchange.counters()["behind.ms"] === 0);
      await client.ask("LIST_SUBSCRIPTIONS");
      const official: ReadonlyMap<number, readonly unknown[]> = officialKlines(
        join(RECORDINGS ?? "", folder, "klines_1m_BTCUSDT.csv"),
      );
      const naive = new Map(naiveCandles(client.trades()).map((row) => [row.openTime, row]));
      const { body, headers } = await get(url, "/api/v3/klines?symbol=BTCUSDT&interval=1m");
      expect(headers["x-sim-environment"]).toBe("recording");
      const rest = body as readonly (string | number)[][];
      expect(rest.map((row) => row[0])).toEqual(minutes);
      for (const openTime of minutes) {
        const wanted = official.get(openTime) ?? [];
        expect(wanted.length).toBeGreaterThanOrEqual(6);
        const row = naive.get(openTime);
        const heard: unknown[] = [row?.openTime, row?.open, row?.high, row?.low, row?.close, row?.volume];
        const more: unknown[] = [
          row?.closeTime,
          row?.quoteVolume,
          row?.trades,
          row?.takerBuyVolume,
          row?.takerBuyQuoteVolume,
        ];
        expect([...heard, ...more].slice(0, wanted.length)).toEqual([...wanted]);
        const served: unknown[] = (rest.find((kline) => kline[0] === openTime) ?? []).map(Number);
        expect(served.slice(0, wanted.length)).toEqual([...wanted]);
        expect(served.slice(0, 11)).toEqual([...heard, ...more].map(Number));
      }
    }, 30_000);

    test(`sends every frame byte for byte and in order: ${folder}`, async () => {
      const { clock, url } = openBench({ speed: 10_000, source: { kind: "recording", file } });
      const combined = await connect(url, "/stream?streams=btcusdt@trade");
      const raw = await connect(url, "/ws/btcusdt@trade");
      clock.step(1000);
      const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
      await eventually(() => combined.texts.length === lines.length && raw.texts.length === lines.length, 20_000);
      expect(combined.texts.join("\n")).toBe(lines.map((line) => line.slice(line.indexOf(" ") + 1)).join("\n"));
      expect(`{"stream":"btcusdt@trade","data":${raw.texts[0]}}`).toBe(combined.texts[0] ?? "");
      clock.step(60_000);
      await raw.ask("LIST_SUBSCRIPTIONS");
      expect(raw.texts.length).toBe(lines.length + 1);
    }, 30_000);
  }

  test("skips book streams and says how many, and proves the same minutes from the file of all streams", () => {
    const file = join(RECORDINGS ?? "", "binance-usdm-btcusdt", "usdm_btcusdt_20240808.gz");
    const { frames, badLines, otherLines } = readRecording(file, readFileSync(file));
    expect([frames.length, badLines, otherLines]).toEqual([21_313, 0, 72_641]);
  });

  test("reads another recorder's lines: aggregate trades of several symbols", async () => {
    const file = join(RECORDINGS ?? "", "ws-captures", "BINANCE_FUTURES.ws.1.0.gz");
    const { clock, url } = openBench({ source: { kind: "recording", file } });
    const symbols = ["sushiusdt", "akrousdt", "keepusdt", "ctkusdt"];
    const client = await connect(url, `/stream?streams=${symbols.map((symbol) => `${symbol}@aggTrade`).join("/")}`);
    clock.step(2000);
    await eventually(() => client.trades().length === 91);
    expect((await get(url, "/fapi/v1/klines?symbol=SUSHIUSDT&interval=1m")).body).toEqual([]);
  });
});

describe("a recording", () => {
  const lines = Array.from({ length: 40 }, (_, at) => frameLine(at));

  test("starts its clock at the first subscription and is quiet, but connected, after its end", async () => {
    using folder = tempFolder();
    const { clock, url, exchange } = openBench({ source: record(folder.join("r"), lines), speed: 1 });
    const client = await connect(url, "/stream");
    clock.step(3_600_000);
    await client.ask("LIST_SUBSCRIPTIONS");
    expect((await get(url, "/api/v3/time")).body).toEqual({ serverTime: timeOf(0) - 1 });
    await client.ask("SUBSCRIBE", ["xusdt@trade"]);
    expect(client.trades()).toEqual([]);
    clock.step(1);
    await client.ask("LIST_SUBSCRIPTIONS");
    expect(client.trades().map((trade) => trade.t)).toEqual([100]);
    clock.step(10_000);
    await client.ask("LIST_SUBSCRIPTIONS");
    expect(client.trades().map((trade) => trade.t)).toEqual([100, 101]);
    clock.step(3_600_000);
    await client.ask("LIST_SUBSCRIPTIONS");
    expect(client.trades()).toHaveLength(40);
    await eventually(() => exchange.exchangeTimeMs() === timeOf(0) + 10_000 + 3_600_000);
    expect(exchange.counters().clients).toBe(1);
  });

  test("proves only minutes with every trade id, between a trade before and one after, and not before they came", async () => {
    using folder = tempFolder();
    const holed = lines.filter((_, at) => at !== 21);
    const { clock, url } = openBench({ source: record(folder.join("r"), holed), speed: 60 });
    const client = await connect(url, "/stream?streams=xusdt@trade");
    clock.step(2000);
    await client.ask("LIST_SUBSCRIPTIONS");
    expect((await openTimes(url)).map((openTime) => (openTime - timeOf(0)) / 1000)).toEqual([30, 90]);
    clock.step(6000);
    await client.ask("LIST_SUBSCRIPTIONS");
    expect((await openTimes(url)).map((openTime) => (openTime - timeOf(0)) / 1000)).toEqual([30, 90, 270, 330]);
  });

  test("shows an unfinished minute with what came so far, and trades by id", async () => {
    using folder = tempFolder();
    const { clock, url } = openBench({ source: record(folder.join("r"), lines), speed: 1 });
    const client = await connect(url, "/stream?streams=xusdt@trade");
    clock.step(50_001);
    await client.ask("LIST_SUBSCRIPTIONS");
    const { body } = await get(url, "/api/v3/klines?symbol=XUSDT&interval=1m");
    expect((body as unknown[][]).map((row) => row[8])).toEqual([3]);
    const trades = (await get(url, "/api/v3/trades?symbol=XUSDT&limit=2")).body as { id: number }[];
    expect(trades.map((trade) => trade.id)).toEqual([104, 105]);
    const older = (await get(url, "/api/v3/historicalTrades?symbol=XUSDT&fromId=101&limit=2")).body as { id: number }[];
    expect(older.map((trade) => trade.id)).toEqual([101, 102]);
  });

  test("skips and counts bad lines, reads what is left of a file that was cut off, and fails where there is no trade", () => {
    const text = ["# a note", "1 {broken", ...lines, '5 {"e":"trade","s":"X"}', ""].join("\n");
    expect(readRecording("r", Buffer.from(text))).toMatchObject({ badLines: 3, otherLines: 0, frames: { length: 40 } });
    const noise = Array.from({ length: 3000 }, (_, at) => frameLine(at * 7)).join("\n");
    const packed = gzipSync(noise);
    const cut = readRecording("r", packed.subarray(0, packed.length >> 1));
    expect(cut.frames.length).toBeGreaterThan(500);
    expect(cut.frames.length).toBeLessThan(3000);
    for (const bytes of [Buffer.from("hello\n"), Buffer.alloc(0), Buffer.from([0x1f, 0x8b, 1, 2, 3])]) {
      const read = () => readRecording("some/file", bytes);
      expect(read).toThrow(FabricError);
      expect(read).toThrow(/some\/file/);
    }
    expect(() => openBench({ source: { kind: "recording", file: "/no/such/file" } })).toThrow(FabricError);
  });
});

/** Trade `at` of a small recording: one each 10 s from 30 s before a minute, ids from 100. */
function frameLine(at: number): string {
  const T = timeOf(at);
  const data: TradeData & { M: true } = {
    e: "trade",
    E: T,
    s: "XUSDT",
    t: 100 + at,
    p: "1.50",
    q: String(at + 1),
    T,
    m: at % 2 === 0,
    M: true,
  };
  return `${T}000000 ${JSON.stringify({ stream: "xusdt@trade", data })}`;
}

function timeOf(at: number): number {
  return 1_700_000_010_000 + at * 10_000;
}

function record(path: string, lines: readonly string[]) {
  writeFileSync(path, `${lines.join("\n")}\n`);
  return { kind: "recording", file: path } as const;
}

async function openTimes(url: string): Promise<readonly number[]> {
  const { body } = await get(url, "/api/v3/klines?symbol=XUSDT&interval=1m");
  return (body as number[][]).map((row) => row[0] ?? 0);
}

/** By open time: the file's columns up to the taker's quote volume, as numbers. */
function officialKlines(path: string): ReadonlyMap<number, readonly number[]> {
  const rows = readFileSync(path, "utf8").trim().split("\n").slice(1);
  return new Map(
    rows.map((row) => {
      const columns = row.split(",").slice(0, 11).map(Number);
      return [columns[0] ?? 0, columns];
    }),
  );
}
