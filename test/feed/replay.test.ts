import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { MINUTE_MS } from "../../src/core/time.ts";
import { ReplayFeed } from "../../src/feed/replay/replay-feed.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { collect, deps, hasRecordings, recordings, replay, SPOT, USDM } from "./support.ts";

const START = 1_735_689_600_000;

const spotLine = (id: number, offsetMs: number, more = "") =>
  `${(START + offsetMs) * 1e6} {"stream":"btcusdt@trade","data":{"e":"trade","E":${START + offsetMs},"s":"BTCUSDT","t":${id},` +
  `"p":"100.${id}","q":"0.5","T":${START + offsetMs},"m":false,"M":true}}${more}`;
const usdmLine = (id: number, offsetMs: number) =>
  `${(START + offsetMs) / 1000}: {"stream":"btcusdt@trade","data":{"e":"trade","E":${START + offsetMs},"T":${START + offsetMs},` +
  `"s":"BTCUSDT","t":${id},"p":"90.${id}","q":"0.5","X":"MARKET","m":false}}`;

const shown = (candles: readonly { openTime: number; provenance: string; trades: number }[]) =>
  candles.map((row) => [(row.openTime - START) / MINUTE_MS, row.provenance, row.trades]);

describe("Replay", () => {
  test("bad lines, notes and other markets are skipped and counted, truncated gzip is played as far as it goes", async () => {
    using folder = tempFolder();
    const lines = [
      "wss://stream.binance.com:9443/stream <-> 1735689600.1",
      spotLine(1, 59_000),
      usdmLine(1, 59_500),
      "rubbish",
      spotLine(2, 61_000, "}"),
      spotLine(2, 61_000),
      `${START * 1e6} {"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":${START + 62_000}}}`,
      "",
      spotLine(3, 121_000),
      ...Array.from({ length: 3000 }, (_, at) => spotLine(4 + at, 121_001 + at)),
    ];
    const whole = gzipSync(lines.join("\n"));
    writeFileSync(folder.join("cut.gz"), whole.subarray(0, whole.length - 2000));
    const { out, feed } = await replay([folder.join("cut.gz")], ["BTCUSDT"]);
    expect(shown(out.candles).slice(0, 2)).toEqual([
      [0, "partial", 1],
      [1, "complete", 1],
    ]);
    expect(feed.venue).toBe("binance-spot");
    const { counters } = feed.facts();
    expect(counters["lines.bad.total"]).toBe(3);
    expect(counters["files.damaged.total"]).toBe(1);
    expect(counters["symbols.other.total"]).toBe(1);
    expect(counters["lines.other.total"]).toBe(3);
  });

  test("a minute is complete only if an event at or after its end was read; the recording's last one is partial", async () => {
    using folder = tempFolder();
    writeFileSync(folder.join("a.txt"), [spotLine(1, 1000), spotLine(2, 61_000), spotLine(3, 119_999)].join("\n"));
    const early = await replay([folder.join("a.txt")], ["BTCUSDT"]);
    expect(shown(early.out.candles)).toEqual([
      [0, "partial", 1],
      [1, "partial", 2],
    ]);
    const end = `${START} {"stream":"ethusdt@depth","data":{"e":"depthUpdate","E":${START + 120_000}}}`;
    writeFileSync(folder.join("b.txt"), [spotLine(1, 1000), spotLine(2, 61_000), spotLine(3, 119_999), end].join("\n"));
    const proven = await replay([folder.join("b.txt")], ["BTCUSDT"]);
    expect(shown(proven.out.candles)).toEqual([
      [0, "partial", 1],
      [1, "complete", 2],
    ]);
  });

  test("a hole in the recording's ids leaves partial minutes, and a quiet minute is empty", async () => {
    using folder = tempFolder();
    writeFileSync(
      folder.join("a.txt"),
      [
        spotLine(1, 1000),
        spotLine(2, 61_000),
        spotLine(3, 181_000),
        spotLine(5, 182_000),
        spotLine(6, 241_000),
        spotLine(7, 301_000),
      ].join("\n"),
    );
    const { out } = await replay([folder.join("a.txt")], ["BTCUSDT"]);
    expect(shown(out.candles)).toEqual([
      [0, "partial", 1],
      [1, "complete", 1],
      [2, "empty", 0],
      [3, "partial", 2],
      [4, "complete", 1],
      [5, "partial", 1],
    ]);
  });

  test("one time far ahead of all others is a bad line; where the next agrees, the recording goes on there and nothing is made up", async () => {
    using folder = tempFolder();
    const years = 20 * 365 * 24 * 60 * MINUTE_MS;
    const stray = [
      spotLine(1, 1000),
      spotLine(2, 61_000),
      spotLine(3, years),
      spotLine(4, 121_000),
      spotLine(5, 181_000),
    ];
    writeFileSync(folder.join("stray.txt"), stray.join("\n"));
    const once = await replay([folder.join("stray.txt")], ["BTCUSDT"]);
    expect(shown(once.out.candles).map(([minute]) => minute)).toEqual([0, 1, 2, 3]);
    expect(once.feed.facts().counters["lines.bad.total"]).toBe(1);

    const later = [spotLine(1, 1000), spotLine(2, 61_000), spotLine(3, years), spotLine(4, years + 61_000)];
    writeFileSync(folder.join("later.txt"), [...later, spotLine(5, years + 122_000)].join("\n"));
    const twice = await replay([folder.join("later.txt")], ["BTCUSDT"]);
    const minutes = shown(twice.out.candles).map(([minute]) => minute);
    expect(minutes).toEqual([0, 1, years / MINUTE_MS + 1, years / MINUTE_MS + 2]);
    expect(twice.out.gaps.length).toBe(1);
  });

  test("Binance's public trade CSV is read with and without header, in milliseconds and microseconds", async () => {
    using folder = tempFolder();
    const row = (id: number, time: number, unit: string) =>
      `${id},100.${id},0.5,50.25,${time}${unit},${id % 2 === 0 ? "True" : "false"}`;
    const rows = (unit: string, tail: string) =>
      [row(1, START + 59_000, unit), row(2, START + 61_000, unit), row(3, START + 121_000, unit)].map(
        (line) => line + tail,
      );
    writeFileSync(folder.join("spot.csv"), `${rows("000", ",True").join("\n")}\n`);
    writeFileSync(
      folder.join("usdm.csv"),
      `${["id,price,qty,quote_qty,time,is_buyer_maker", ...rows("", "")].join("\r\n")}\r\nnonsense,row\r\n`,
    );
    const spot = await replay([folder.join("spot.csv")], ["ETHUSDT"]);
    const usdm = await replay([folder.join("usdm.csv")], ["ETHUSDT"]);
    expect(spot.feed.venue).toBe("binance-spot");
    expect(usdm.feed.venue).toBe("binance-usdm");
    for (const { out } of [spot, usdm]) {
      expect(shown(out.candles)).toEqual([
        [0, "partial", 1],
        [1, "complete", 1],
        [2, "partial", 1],
      ]);
      expect(out.candles[1]).toMatchObject({
        symbol: "ETHUSDT",
        open: 100.2,
        volume: 0.5,
        quoteVolume: 50.1,
        takerBuyVolume: 0,
      });
    }
    expect(usdm.feed.facts().counters["lines.bad.total"]).toBe(1);
  });

  test("Parquet rows come through the reader that is given", async () => {
    using folder = tempFolder();
    writeFileSync(folder.join("trades.parquet"), "PAR1 the reader's business");
    const rows = [
      { id: 1n, price: 1e-7, qty: 2.5, quote_qty: 0, time: BigInt(START + 1000), is_buyer_maker: false },
      { id: 2, price: "0.00000015", qty: "1", quote_qty: "0", time: (START + 61_000) * 1000, is_buyer_maker: true },
      { id: 3, price: 1, qty: 1, quote_qty: 1, time: new Date(START + 121_000), is_buyer_maker: true },
      { id: "x", price: 1, qty: 1, quote_qty: 1, time: 0, is_buyer_maker: true },
    ];
    const feed = await ReplayFeed.open(
      { files: [folder.join("trades.parquet")], symbols: ["PEPEUSDT"], speed: "max" },
      {
        ...deps,
        parquetRows: async function* () {
          yield* rows;
        },
      },
    );
    const { ingest, out } = collect(feed, ["PEPEUSDT"]);
    await ingest.run();
    expect(shown(out.candles)).toEqual([
      [0, "partial", 1],
      [1, "complete", 1],
      [2, "partial", 1],
    ]);
    expect(out.candles[0]).toMatchObject({ open: 1e-7, quoteVolume: 2.5e-7 });
    expect(feed.facts().counters["lines.bad.total"]).toBe(1);
  });

  test("what cannot be replayed is refused at once, by name", async () => {
    using folder = tempFolder();
    const open = (files: readonly string[], symbols = ["BTCUSDT"]) =>
      ReplayFeed.open({ files: files.map((name) => folder.join(name)), symbols, speed: "max" }, deps);
    writeFileSync(folder.join("none.txt"), "hello\nworld\n");
    writeFileSync(folder.join("empty.gz"), gzipSync(""));
    writeFileSync(folder.join("trades.csv"), `1,100,1,100,${START},true,true\n`);
    writeFileSync(folder.join("t.parquet"), "PAR1");
    writeFileSync(folder.join("btc.txt"), spotLine(1, 1000));
    await expect(open(["missing.txt"])).rejects.toMatchObject({ code: "missing-input" });
    await expect(open(["none.txt"])).rejects.toMatchObject({ code: "bad-data" });
    await expect(open(["empty.gz"])).rejects.toMatchObject({ code: "bad-data" });
    await expect(open([])).rejects.toMatchObject({ code: "usage" });
    await expect(open(["trades.csv"], ["BTCUSDT", "ETHUSDT"])).rejects.toThrow(/must name exactly one, found 2/);
    await expect(open(["t.parquet"])).rejects.toThrow(/Parquet is not readable here/);
    await expect(replay([folder.join("btc.txt")], ["ETHUSDT"])).rejects.toThrow(
      /found no trade of ETHUSDT; it holds BTCUSDT of binance-spot/,
    );
  });

  test("a store without room holds the recording up, and nothing is lost or reordered", async () => {
    using folder = tempFolder();
    writeFileSync(
      folder.join("a.txt"),
      Array.from({ length: 40 }, (_, minute) => spotLine(minute + 1, minute * MINUTE_MS + 1000)).join("\n"),
    );
    const feed = await ReplayFeed.open({ files: [folder.join("a.txt")], symbols: ["BTCUSDT"], speed: "max" }, deps);
    let offers = 0;
    const taken: number[] = [];
    const { ingest } = collect(feed, ["BTCUSDT"], {
      emit: (batch) => {
        if (++offers % 3 !== 0) return "full";
        taken.push(...batch.candles.map((row) => (row.openTime - START) / MINUTE_MS));
        return "accepted";
      },
    });
    await ingest.run();
    expect(taken).toEqual(Array.from({ length: 40 }, (_, minute) => minute));
    expect(ingest.state().phase).toBe("ended");
  });

  test("a pace is kept, and stop ends it at once", async () => {
    using folder = tempFolder();
    writeFileSync(folder.join("a.txt"), [spotLine(1, 0), spotLine(2, 60_000), spotLine(3, 3_600_000)].join("\n"));
    const feed = await ReplayFeed.open({ files: [folder.join("a.txt")], symbols: ["BTCUSDT"], speed: 1000 }, deps);
    const { ingest } = collect(feed, ["BTCUSDT"]);
    const began = performance.now();
    const done = ingest.run();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(feed.facts()).toMatchObject({ speed: 1000, environment: "recording" });
    expect(feed.facts().counters["trades.total"]).toBeLessThanOrEqual(3);
    await ingest.stop();
    await done;
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

describe.skipIf(!hasRecordings)("Replay of captures of many venues", () => {
  test("takes every received line of the Binance captures without an error, and counts their trades", async () => {
    const counts: Record<string, number | undefined> = {};
    for (const [name, symbols] of [
      ["BINANCE.ws.1.0.gz", ["NKNUSDT", "LRCBTC", "BLZETH", "RUNEEUR"]],
      ["BINANCE_FUTURES.ws.1.0.gz", ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"]],
    ] as const) {
      const { feed } = await replay([`${recordings}/ws-captures/${name}`], symbols);
      const { counters } = feed.facts();
      expect(counters["lines.bad.total"]).toBe(0);
      counts[name] = counters["trades.total"];
    }
    expect(counts).toEqual({ "BINANCE.ws.1.0.gz": 2, "BINANCE_FUTURES.ws.1.0.gz": 91 });
  });

  test("refuses other venues' captures with one clear error", async () => {
    const names = readdirSync(`${recordings}/ws-captures`).filter((name) => !/BINANCE/.test(name));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      await expect(replay([`${recordings}/ws-captures/${name}`], ["BTCUSDT"])).rejects.toMatchObject({
        code: "bad-data",
      });
    }
  });

  test("a spot and a USD-M recording in one replay are not mixed: the first one's market counts", async () => {
    const { feed } = await replay(
      [`${SPOT}/spot_btcusdt.trades.ws.txt.gz`, `${USDM}/usdm_btcusdt.trades.ws.txt.gz`],
      ["BTCUSDT"],
    );
    expect(feed.venue).toBe("binance-spot");
    expect(feed.facts().counters).toMatchObject({ "trades.total": 19_904, "symbols.other.total": 21_313 });
  });

  test("real frames read the same through the scanner and through JSON.parse", async () => {
    const { FrameReader } = await import("../../src/feed/binance/frame-reader.ts");
    const { parseFrame } = await import("../../src/feed/binance/frame-json.ts");
    const reader = new FrameReader();
    for (const file of [`${SPOT}/spot_btcusdt.trades.ws.txt.gz`, `${USDM}/usdm_btcusdt.trades.ws.txt.gz`]) {
      const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
      for (const line of lines.slice(0, 5000)) {
        const at = line.indexOf("{");
        expect(reader.read(line, at)).toEqual(parseFrame(line.slice(at)));
      }
    }
  });
});
