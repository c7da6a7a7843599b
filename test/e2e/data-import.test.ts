import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { eventually } from "../support/eventually.ts";
import { fabric, RECORDINGS, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { makeStore } from "./support-store.ts";

const START = 1_735_689_600_000;
const HEADER = "open_time,open,high,low,close,volume";

function csv(minutes: number, from = START): string {
  const rows = Array.from(
    { length: minutes },
    (_, minute) => `${from + minute * 60_000},10,12,9,${9 + (minute % 3)},1.5`,
  );
  return `${[HEADER, ...rows].join("\n")}\n`;
}

const imports = (data: string, files: readonly string[], ...words: string[]) =>
  fabric(["data", "import", ...files, "--data", data, ...words]);

describe("fabric data import", () => {
  test("brings files in as history, tells what became of each, adds nothing the second time, and leaves a sound store", async () => {
    using folder = tempFolder();
    const [one, two] = [folder.join("one.csv"), folder.join("two.csv")];
    writeFileSync(one, csv(100));
    writeFileSync(two, `${csv(50, START + 90 * 60_000)}${START},1\n`);
    const data = folder.join("data");
    const first = await imports(data, [one, two], "--symbol", "BTCUSDT");
    expect(first).toEqual({
      code: 0,
      out: `${one}: 2025-01-01T00:00:00Z to 2025-01-01T01:39:00Z, 100 rows: 100 added, 0 stored already, 0 bad
${two}: 2025-01-01T01:30:00Z to 2025-01-01T02:19:00Z, 51 rows: 40 added, 10 stored already, 1 bad

BTCUSDT of binance-spot: 140 added, 10 stored already, 1 bad
`,
      err: `fabric: ${two} line 52 is left out: expected 6 columns, found 2\n`,
    });
    const again = await imports(data, [one, two], "--symbol", "BTCUSDT", "--json");
    expect(JSON.parse(again.out)).toMatchObject({ symbol: "BTCUSDT", added: 0, stored: 150, beyond: 0, bad: 1 });
    const sql = "select count(*) n, count(distinct open_time) m, min(provenance) p, min(volume) v from candle";
    const rows = await fabric(["query", sql, "--json", "--data", data]);
    expect(JSON.parse(rows.out)).toEqual([{ n: 140, m: 140, p: "imported", v: 1.5 }]);
    expect((await fabric(["data", "verify", "--data", data])).code).toBe(0);
    expect(readdirSync(join(data, "run"))).toEqual(["market-data.lock"]);
  });

  test("leaves a store's own rows as they are, and what is later than its newest to market-data", async () => {
    using folder = tempFolder();
    const data = folder.join("data");
    await makeStore(data);
    const sql = "select * from candle where provenance <> 'imported' order by open_time";
    const before = await fabric(["query", sql, "--json", "--data", data]);
    const rows = JSON.parse(before.out);
    const first = Date.parse(rows[0].open_time);
    writeFileSync(folder.join("more.csv"), csv(20 + rows.length, first - 10 * 60_000));
    const done = await imports(data, [folder.join("more.csv")], "--symbol", "BTCUSDT", "--json");
    expect(JSON.parse(done.out)).toMatchObject({ added: 10, stored: rows.length, beyond: 10, bad: 0 });
    expect(await fabric(["query", sql, "--json", "--data", data])).toEqual(before);
    expect((await fabric(["data", "verify", "--data", data])).code).toBe(0);
  });

  test("writes nothing where one of the files cannot be used (65, 66), the venue is another (77) or words lack (64)", async () => {
    using folder = tempFolder();
    const [good, bad] = [folder.join("good.csv"), folder.join("bad.csv")];
    writeFileSync(good, csv(3));
    writeFileSync(bad, "open_time,open\n1,2\n");
    const data = folder.join("data");
    const symbol = ["--symbol", "BTCUSDT"];
    expect((await imports(data, [good, bad], ...symbol)).code).toBe(65);
    expect((await imports(data, [good, folder.join("none")], ...symbol)).code).toBe(66);
    expect((await imports(data, [good])).code).toBe(64);
    expect((await imports(data, [], ...symbol)).code).toBe(64);
    expect((await imports(data, [good], ...symbol, "--venue", "Binance!")).code).toBe(64);
    expect(existsSync(data)).toBe(false);
    const known = await imports(data, [good], ...symbol, "--venue", "kraken");
    expect([known.code, known.err]).toEqual([0, ""]);
    const typo = await imports(folder.join("typo"), [good], ...symbol, "--venue", "binance");
    expect([typo.code, typo.err]).toEqual([0, expect.stringContaining("market-data knows no venue binance")]);
    const other = await imports(data, [good], ...symbol, "--venue", "binance-spot");
    expect([other.code, other.err]).toEqual([77, expect.stringContaining('it holds venue "kraken"')]);
    expect((await imports(data, [good], ...symbol)).out).toContain("of kraken: 0 added, 3 stored already");
  });

  test("Invariant 1 (one writer): data import is refused (69) beside a living market-data, whose process it names", async () => {
    using folder = tempFolder();
    const data = folder.join("data");
    writeFileSync(folder.join("a.csv"), csv(3));
    await using node = start(["market-data", "--feed", "sim", "--symbols", "BTCUSDT", "--data", data]);
    await node.says(/Store .* at row 0/);
    const refused = await imports(data, [folder.join("a.csv")], "--symbol", "BTCUSDT");
    expect(refused.code).toBe(69);
    expect(refused.err).toContain(`process ${node.pid} holds it`);
    expect(await node.stop()).toBe(0);
  });

  test("imported history comes before a feed's rows: a replay goes on in the same store", async () => {
    using folder = tempFolder();
    const data = folder.join("data");
    writeFileSync(folder.join("a.csv"), csv(5, 1_723_161_600_000 - 5 * 60_000));
    const venue = ["--venue", "binance-usdm"];
    expect((await imports(data, [folder.join("a.csv")], "--symbol", "BTCUSDT", ...venue)).code).toBe(0);
    await makeStore(data);
    const sql = "select provenance, max(open_time) through, count(*) n from candle group by 1 order by 2";
    const rows = JSON.parse((await fabric(["query", sql, "--json", "--data", data])).out);
    expect(rows[0]).toEqual({ provenance: "imported", through: "2024-08-08T23:59:00Z", n: 5 });
    expect(rows.length).toBeGreaterThan(1);
    expect((await fabric(["data", "verify", "--data", data])).code).toBe(0);
  });
});

describe("A long import", () => {
  const ROWS = 200_000;
  const symbol = ["--symbol", "BTCUSDT"];
  const stored = async (data: string) => {
    const done = await fabric(["query", "select count(*) n from candle", "--json", "--data", data]);
    return done.code === 0 ? JSON.parse(done.out)[0].n : 0;
  };

  test("shows no bar off a terminal; a market-data that starts meanwhile is told its pid (69); killed, it is finished by repeating it", async () => {
    using folder = tempFolder();
    const [data, file] = [folder.join("d"), folder.join("long.csv")];
    writeFileSync(file, csv(ROWS));
    await using importing = start(["data", "import", file, ...symbol, "--data", data]);
    await eventually(() => existsSync(join(data, "run/market-data.json")), 10_000);
    const refused = await fabric(["market-data", "--feed", "sim", "--symbols", "BTCUSDT", "--data", data]);
    expect([refused.code, refused.err]).toEqual([69, expect.stringContaining(`process ${importing.pid} holds it`)]);
    await eventually(() => existsSync(join(data, "market.duckdb.wal")), 10_000);
    importing.process.kill("SIGKILL");
    await importing.process.exited;
    expect([importing.out(), importing.err()]).toEqual(["", ""]);

    const again = await imports(data, [file], ...symbol, "--json");
    const { added, stored: there } = JSON.parse(again.out);
    expect(added + there).toBe(ROWS);
    expect(await stored(data)).toBe(ROWS);
    expect((await fabric(["data", "verify", "--data", data])).code).toBe(0);
  }, 60_000);

  test("ends in order where it is asked to (75), says how far it came, and goes on when it is repeated", async () => {
    using folder = tempFolder();
    const [data, file] = [folder.join("d"), folder.join("long.csv")];
    writeFileSync(file, csv(ROWS));
    await using importing = start(["data", "import", file, ...symbol, "--json", "--data", data]);
    await eventually(() => existsSync(join(data, "market.duckdb.wal")), 10_000);
    expect(await importing.stop("SIGINT")).toBe(75);
    await importing.drained;
    const { added } = JSON.parse(importing.out());
    expect(added).toBeLessThan(ROWS);
    expect(await stored(data)).toBe(added);
    expect(JSON.parse((await imports(data, [file], ...symbol, "--json")).out)).toMatchObject({
      added: ROWS - added,
      stored: added,
    });
  }, 60_000);
});

interface History {
  readonly file: string;
  readonly symbol: string;
  readonly rows: number;
  /** Stretches of absent minutes, and the minutes in them. */
  readonly stretches: number;
  readonly absent: number;
  readonly zeroVolume: number;
}

const HISTORIES: readonly History[] = [
  {
    file: "kraken_BTCUSDC_20230101_20230331_sparse.csv.gz",
    symbol: "BTCUSDC",
    rows: 56_717,
    stretches: 26_746,
    absent: 72_883,
    zeroVolume: 0,
  },
  {
    file: "binanceus_BTCUSDC_20230301_20230321.csv.gz",
    symbol: "BTCUSDC",
    rows: 30_240,
    stretches: 0,
    absent: 0,
    zeroVolume: 12_971,
  },
  {
    file: "binance_spot_BTCUSDT_20230405_20230505.csv.gz",
    symbol: "BTCUSDT",
    rows: 43_199,
    stretches: 0,
    absent: 0,
    zeroVolume: 0,
  },
  {
    file: "binance_spot_BTCUSDT_20240726_20240825.csv.gz",
    symbol: "BTCUSDT",
    rows: 43_209,
    stretches: 0,
    absent: 0,
    zeroVolume: 0,
  },
  {
    file: "binance_usdm_ETHUSDT_20250504_20250615.csv.gz",
    symbol: "ETHUSDT",
    rows: 60_191,
    stretches: 0,
    absent: 0,
    zeroVolume: 0,
  },
];

describe.skipIf(RECORDINGS === null)("Weeks of the exchanges' own 1-minute candles", () => {
  for (const history of HISTORIES) {
    test(`${history.file}: every row comes in as it stands, and its gaps are told to the minute`, async () => {
      using folder = tempFolder();
      const path = join(RECORDINGS ?? "", "history-1m", history.file);
      const done = await imports(folder.path, [path], "--symbol", history.symbol, "--json");
      expect(JSON.parse(done.out)).toMatchObject({ added: history.rows, stored: 0, bad: 0 });
      const gaps = JSON.parse((await fabric(["data", "gaps", "--json", "--data", folder.path])).out);
      expect(gaps.length).toBe(history.stretches);
      expect(gaps.reduce((sum: number, gap: { minutes: number }) => sum + gap.minutes, 0)).toBe(history.absent);
      const audit = await fabric(["audit", "--against", path, "--json", "--data", folder.path]);
      expect([audit.code, JSON.parse(audit.out)]).toMatchObject([0, { equal: history.rows, minutes: history.rows }]);
      const sql = "select count(*) n, count(*) filter (volume = 0) zero from candle";
      const [stored] = JSON.parse((await fabric(["query", sql, "--json", "--data", folder.path])).out);
      expect([stored.n, stored.zero]).toEqual([history.rows, history.zeroVolume]);
      const [, ...lines] = gunzipSync(readFileSync(path)).toString().trim().split("\n");
      const told = await fabric([
        "query",
        "select epoch_ms(open_time) t, open, high, low, close, volume from candle order by 1 limit 500",
        "--json",
        "--data",
        folder.path,
      ]);
      const unit = Number(lines[0]?.split(",")[0]) < 1e11 ? 1000 : 1;
      expect(JSON.parse(told.out).map((row: object) => Object.values(row))).toEqual(
        lines.slice(0, 500).map((text) => {
          const [time, ...figures] = text.split(",").slice(0, 6).map(Number);
          return [(time ?? 0) * unit, ...figures];
        }),
      );
    }, 30_000);
  }
});
