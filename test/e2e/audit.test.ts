import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { Candle, FeedGap } from "../../src/core/candle.ts";
import { batch, candle, openWriter, START } from "../store/support.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, RECORDINGS, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { makeStore } from "./support-store.ts";

const audit = (data: string, against: string, ...words: string[]) =>
  fabric(["audit", "--against", against, "--data", data, ...words]);

interface Report {
  readonly ok: boolean;
  readonly minutes: number;
  readonly equal: number;
  readonly explained: number;
  readonly wrong: number;
  readonly rows: readonly { openTime: string; verdict: string; why: string; differences: readonly object[] }[];
  readonly rowsLeftOut: number;
}

async function reportOf(data: string, against: string, ...words: string[]): Promise<Report & { code: number | null }> {
  const done = await audit(data, against, "--json", ...words);
  if (done.out === "") throw new Error(`audit told nothing: ${done.err}`);
  return { ...JSON.parse(done.out), code: done.code };
}

const RECORDED = [
  { name: "spot", folder: "binance-spot-btcusdt", trades: "spot_btcusdt.trades.ws.txt.gz", equal: 10, explained: 2 },
  // Its last minute lacks 357 ms in which nobody traded: partial, and equal all the same.
  { name: "USD-M", folder: "binance-usdm-btcusdt", trades: "usdm_btcusdt.trades.ws.txt.gz", equal: 5, explained: 1 },
] as const;

describe.skipIf(RECORDINGS === null)("fabric audit of a replayed recording against the exchange's klines", () => {
  for (const recording of RECORDED) {
    test(`finds every full minute of ${recording.name} equal in each figure, and the others partial`, async () => {
      using folder = tempFolder();
      const path = (file: string) => join(RECORDINGS ?? "", recording.folder, file);
      const replay = ["market-data", "--feed", "replay", "--symbols", "BTCUSDT", "--data", folder.join("d")];
      expect((await fabric([...replay, "--file", path(recording.trades)])).code).toBe(0);
      const klines = path("klines_1m_BTCUSDT.csv");
      const { rows, ...report } = await reportOf(folder.join("d"), klines, "--symbol", "BTCUSDT");
      const { equal, explained } = recording;
      expect(report).toMatchObject({ code: 0, ok: true, minutes: equal + explained, equal, explained, wrong: 0 });
      expect(rows.map(({ why }) => why)).toEqual(rows.map(() => "partial: not all of the minute was heard"));
      const people = await audit(folder.join("d"), klines);
      expect(people.out).toContain(
        `nothing is wrong: ${equal} of ${equal + explained} minutes equal, ${explained} explained`,
      );

      // One figure of one full minute, changed in a digit that matters to nobody else.
      const changed = readFileSync(klines, "utf8")
        .split("\n")
        .map((line) => {
          const cells = line.split(",");
          return cells[0] === "1723161360000" ? cells.with(5, `${cells[5]}1`).join(",") : line;
        });
      writeFileSync(folder.join("other.csv"), changed.join("\n"));
      const found = await reportOf(folder.join("d"), folder.join("other.csv"));
      expect(found).toMatchObject({ code: 65, ok: false, equal: equal - 1, explained, wrong: 1 });
      const [wrong] = found.rows.filter(({ verdict }) => verdict === "wrong");
      expect(wrong).toMatchObject({ openTime: "2024-08-08T23:56:00Z", differences: [{ field: "volume" }] });
    }, 30_000);
  }
});

describe("fabric audit against a file", () => {
  test("of what was imported finds all of it equal, in Parquet, too, and tells minutes outside and bad rows", async () => {
    using folder = tempFolder();
    const data = folder.join("d");
    await makeStore(data);
    for (const ending of ["csv", "parquet"]) {
      const file = folder.join(`all.${ending}`);
      expect((await fabric(["data", "export", "--symbol", "BTCUSDT", "-o", file, "--data", data])).code).toBe(0);
      const report = await reportOf(data, file);
      expect(report).toMatchObject({ code: 0, equal: report.minutes, explained: 0, wrong: 0, rows: [] });
      const some = await reportOf(data, file, "--from", "2024-08-09T00:02Z", "--to", "2024-08-09T00:04Z");
      expect(some).toMatchObject({ minutes: 3, equal: 3 });
    }
    const lines = readFileSync(folder.join("all.csv"), "utf8").trim().split("\n");
    writeFileSync(folder.join("bad.csv"), [...lines, "1723161600000,1"].join("\n"));
    const told = await audit(data, folder.join("bad.csv"));
    expect([told.code, told.err]).toEqual([0, expect.stringContaining(`line ${lines.length + 1} is left out`)]);
  });

  test("agrees with a plain model on whatever is stored, recorded as a gap and told by the klines", async () => {
    const kinds = fc.constantFrom("equal", "other", "partial", "absent", "gap", "unlisted", "quiet-unlisted");
    await fc.assert(
      fc.asyncProperty(fc.array(kinds, { minLength: 3, maxLength: 60 }), async (drawn) => {
        using folder = tempFolder();
        const minutes = ["equal", ...drawn, "equal"];
        const rows: Candle[] = [];
        const gaps: FeedGap[] = [];
        const lines = ["open_time,open,high,low,close,volume,trades"];
        let lastId = 0;
        for (const [minute, kind] of minutes.entries()) {
          const quiet = { volume: 0, quoteVolume: 0, trades: 0, takerBuyVolume: 0, takerBuyQuoteVolume: 0 };
          const made = {
            ...candle("A", minute, kind === "partial" ? "partial" : kind === "quiet-unlisted" ? "empty" : "complete"),
            ...(kind === "quiet-unlisted"
              ? { ...quiet, high: 100, low: 100, close: 100, firstTradeId: null, lastTradeId: null }
              : { firstTradeId: lastId + 1, lastTradeId: lastId + 12 }),
          };
          const isStored = kind !== "absent" && kind !== "gap";
          if (isStored) rows.push(made);
          if (isStored && made.lastTradeId !== null) lastId = made.lastTradeId;
          if (kind === "gap")
            gaps.push({ symbol: "A", fromOpenTime: made.openTime, toOpenTime: made.openTime, reason: "why" });
          if (kind === "unlisted" || kind === "quiet-unlisted") continue;
          const { open, high, low, close, trades } = made;
          const volume = kind === "other" || kind === "partial" ? made.volume + 1 : made.volume;
          lines.push([made.openTime, open, high, low, close, volume, trades].join(","));
        }
        const writer = await openWriter(folder.join("d"), { venue: "binance-spot" });
        await writer.commit(batch(rows, null, gaps));
        await writer.close();
        writeFileSync(folder.join("klines.csv"), lines.join("\n"));
        const verdicts: Readonly<Record<string, string>> = {
          other: "wrong: volume 3.1 instead of 4.1",
          partial: "explained: partial: not all of the minute was heard",
          absent: "wrong: not stored, and no gap says why",
          gap: "explained: gap: why",
          unlisted: "wrong: the klines do not have this minute",
          "quiet-unlisted": "explained: no trade: the klines leave such minutes out",
        };
        const expected = minutes.flatMap((kind, minute) => {
          const time = new Date(START + minute * 60_000).toISOString().replace(".000Z", "Z");
          return verdicts[kind] === undefined ? [] : [`${time} ${verdicts[kind]}`];
        });
        const report = await reportOf(folder.join("d"), folder.join("klines.csv"));
        expect(report.rows.map(({ openTime, verdict, why }) => `${openTime} ${verdict}: ${why}`)).toEqual(expected);
        expect(report).toMatchObject({ minutes: minutes.length, equal: minutes.length - expected.length });
        expect(report.code).toBe(expected.some((line) => line.includes(" wrong: ")) ? 65 : 0);
      }),
      { numRuns: 12 },
    );
  }, 60_000);

  test("tells where trade ids do not follow on, over quiet minutes, too, and what was corrected counts as corrected", async () => {
    using folder = tempFolder();
    const ids = (minute: number, firstTradeId: number | null, lastTradeId: number | null, quiet = false): Candle => ({
      ...candle("A", minute, quiet ? "empty" : "complete"),
      ...(quiet ? { volume: 0, quoteVolume: 0, trades: 0, takerBuyVolume: 0, takerBuyQuoteVolume: 0 } : {}),
      ...(quiet ? { open: 100, high: 100, low: 100, close: 100 } : {}),
      firstTradeId,
      lastTradeId,
    });
    const backfilled = { ...ids(5, null, null), provenance: "backfilled" as const };
    const rows = [
      ids(0, 1, 12),
      ids(1, 13, 20),
      ids(2, null, null, true),
      ids(3, 21, 30),
      ids(4, 33, 40),
      backfilled,
      ids(6, 60, 70),
      ids(7, 70, 80),
    ];
    const writer = await openWriter(folder.join("d"), { venue: "binance-spot" });
    await writer.commit(batch(rows));
    await writer.close();
    await fabric(["data", "export", "--symbol", "A", "-o", folder.join("a.csv"), "--data", folder.join("d")]);
    const again = await openWriter(folder.join("d"), { venue: "binance-spot" });
    await again.revise([{ ...ids(1, 13, 20), volume: 9 }]);
    await again.close();
    const report = await reportOf(folder.join("d"), folder.join("a.csv"));
    expect(report.rows.map(({ openTime, verdict, why }) => `${openTime.slice(14, 16)} ${verdict}: ${why}`)).toEqual([
      "01 wrong: volume 9 instead of 3.1",
      "04 explained: trade ids jump from 30 to 33, and every figure is the klines'",
      "07 explained: trade id 70 follows 70, and every figure is the klines'",
    ]);
  });

  test("counts what it does not tell one by one, and never leaves a wrong minute out for explained ones", async () => {
    using folder = tempFolder();
    const writer = await openWriter(folder.join("d"), { venue: "binance-spot" });
    const rows = Array.from({ length: 1500 }, (_, minute) =>
      candle("A", minute, minute === 1400 ? "backfilled" : "partial"),
    );
    await writer.commit(batch(rows));
    await writer.close();
    const lines = rows.map(({ openTime, open, high, low, close }) => [openTime, open, high, low, close, 7].join(","));
    writeFileSync(folder.join("a.csv"), lines.join("\n"));
    const report = await reportOf(folder.join("d"), folder.join("a.csv"));
    expect(report).toMatchObject({ code: 65, minutes: 1500, equal: 0, explained: 1499, wrong: 1, rowsLeftOut: 499 });
    expect(report.rows.filter(({ verdict }) => verdict === "wrong").length).toBe(1);
    const people = await audit(folder.join("d"), folder.join("a.csv"));
    expect(people.out).toContain("and 1479 more (--json tells more of them)\n\n1 minutes are wrong");
  });

  test("needs a file (66) with klines in it (65) of that time (66), a symbol where there are several (64), and a store (66)", async () => {
    using folder = tempFolder();
    const data = folder.join("d");
    const writer = await openWriter(data);
    await writer.commit(batch([candle("A", 0), candle("B", 0)]));
    await writer.close();
    const file = folder.join("a.csv");
    writeFileSync(file, `${START + 60_000},100,102.5,97.5,101.25,3.1\n`);
    writeFileSync(folder.join("empty.csv"), "");
    expect((await audit(data, folder.join("none.csv"))).code).toBe(66);
    expect((await audit(data, folder.join("empty.csv"), "--symbol", "A")).code).toBe(65);
    const apart = await audit(data, file, "--symbol", "A");
    expect([apart.code, apart.err]).toEqual([66, expect.stringContaining("nothing of both")]);
    const several = await audit(data, file);
    expect([several.code, several.err]).toEqual([64, expect.stringContaining("Missing --symbol")]);
    expect((await audit(data, file, "--symbol", "C")).code).toBe(66);
    expect((await audit(folder.join("nowhere"), file)).code).toBe(66);
    expect((await fabric(["audit", "--data", data])).code).toBe(64);
    expect((await audit(data, file, "--url", "ws://127.0.0.1:1")).code).toBe(64);
    const venue = await audit(data, "venue", "--symbol", "A");
    expect([venue.code, venue.err]).toEqual([64, expect.stringContaining("Cannot audit against the venue binance:")]);
  });
});

describe("fabric audit against the venue", () => {
  test("asks the folder's own simulated exchange, or one by address, and finds each minute equal", async () => {
    using folder = tempFolder();
    const data = folder.join("d");
    await using sim = start(["sim", "--symbols", "BTCUSDT,ETHUSDT", "--speed", "600", "--data", data]);
    const url = (await sim.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
    const words = ["--feed", "sim", "--symbols", "BTCUSDT,ETHUSDT", "--history", "30", "--data", data];
    await using node = start(["market-data", ...words]);
    const sql = "select count(*) n from candle where provenance in ('complete', 'empty')";
    await eventually(async () => {
      const done = await fabric(["query", sql, "--json", "--data", data]);
      return done.code === 0 && JSON.parse(done.out)[0].n >= 10;
    }, 20_000);
    // Beside the living node; what it stores meanwhile is in the next audit.
    const beside = await reportOf(data, "venue");
    expect(beside).toMatchObject({ code: 0, ok: true, wrong: 0 });
    expect(beside.equal).toBeGreaterThan(60);
    expect(await node.stop()).toBe(0);
    const byAddress = await reportOf(data, "venue", "--url", url, "--symbol", "ETHUSDT");
    expect(byAddress).toMatchObject({ code: 0, ok: true, wrong: 0, equal: byAddress.minutes - byAddress.explained });

    await using other = start(["sim", "--symbols", "BTCUSDT", "--seed", "7"]);
    const elsewhere = (await other.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
    expect((await audit(data, "venue", "--url", elsewhere)).code).toBe(77);
    await sim.stop();
    expect((await audit(data, "venue")).code).toBe(69);
  }, 60_000);
});
