import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { fabric, RECORDINGS } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { makeStore } from "./support-store.ts";

const root = tempFolder();
const STORE = root.join("store");
beforeAll(() => makeStore(STORE));
afterAll(() => root[Symbol.dispose]());

const exports = (data: string, output: string, ...words: string[]) =>
  fabric(["data", "export", "--symbol", "BTCUSDT", "-o", output, "--data", data, ...words]);
const imports = (data: string, file: string) => fabric(["data", "import", file, "--symbol", "BTCUSDT", "--data", data]);

/** Exports a store, imports that into another one, and exports again. */
async function roundTrip(data: string, folder: string, ending: string): Promise<readonly [Buffer, Buffer]> {
  const [one, two, other] = [join(folder, `one${ending}`), join(folder, `two${ending}`), join(folder, `d${ending}`)];
  expect((await exports(data, one)).code).toBe(0);
  const imported = await imports(other, one);
  expect(imported.err).toBe("");
  expect(imported.out).toContain(" 0 stored already, 0 bad");
  expect((await exports(other, two)).code).toBe(0);
  return [readFileSync(one), readFileSync(two)];
}

test("A round trip, export, import into another folder, export, gives the same bytes, ids and all, plain and gzip", async () => {
  using folder = tempFolder();
  const [one, two] = await roundTrip(STORE, folder.path, ".csv");
  expect(two.equals(one)).toBe(true);
  const [header = "", ...rows] = one.toString().trim().split("\n");
  expect(header).toBe(
    "open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_volume,taker_buy_quote_volume,first_trade_id,last_trade_id",
  );
  expect(rows.length).toBeGreaterThan(9);
  const packed = await roundTrip(STORE, folder.path, ".csv.gz");
  expect(packed.map((bytes) => gunzipSync(bytes).equals(one))).toEqual([true, true]);
});

test("Parquet goes round, too: what comes back is the same CSV", async () => {
  using folder = tempFolder();
  await roundTrip(STORE, folder.path, ".parquet");
  const [one, two] = [folder.join("one.csv"), folder.join("two.csv")];
  await exports(STORE, one);
  await exports(folder.join("d.parquet"), two);
  expect(readFileSync(two).equals(readFileSync(one))).toBe(true);
});

test.skipIf(RECORDINGS === null)(
  "Weeks of an exchange's candles go round to the byte, and hold every figure of its file",
  async () => {
    using folder = tempFolder();
    const source = join(RECORDINGS ?? "", "history-1m", "binance_spot_BTCUSDT_20230405_20230505.csv.gz");
    expect((await imports(folder.join("d"), source)).code).toBe(0);
    const [one, two] = await roundTrip(folder.join("d"), folder.path, ".csv");
    expect(two.equals(one)).toBe(true);
    const figures = (text: string) =>
      text
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.split(",").slice(0, 6).map(Number).join(","));
    expect(figures(one.toString())).toEqual(figures(gunzipSync(readFileSync(source)).toString()));
  },
  30_000,
);

test("An export holds the minutes asked for, and says in words or JSON what it wrote", async () => {
  using folder = tempFolder();
  const some = folder.join("some.csv");
  const range = ["--from", "2024-08-09T00:02Z", "--to", "2024-08-09T00:04Z"];
  const done = await exports(STORE, some, ...range);
  expect(done).toEqual({
    code: 0,
    out: `3 candles of BTCUSDT, 2024-08-09T00:02:00Z to 2024-08-09T00:04:00Z, in ${some}\n`,
    err: "",
  });
  expect(readFileSync(some, "utf8").trim().split("\n").length).toBe(4);
  const told = await exports(
    STORE,
    some,
    "--force",
    "--json",
    "--from",
    "2024-08-09T00:02Z",
    "--to",
    "2024-08-09T00:02Z",
  );
  expect(JSON.parse(told.out)).toMatchObject({ symbol: "BTCUSDT", file: some, rows: 1 });
  expect(readdirSync(folder.path)).toEqual(["some.csv"]);
});

test("An export overwrites nothing without --force (77), and tells a wrong name (64), a lacking folder, symbol, time or store (66)", async () => {
  using folder = tempFolder();
  const there = folder.join("there.csv");
  writeFileSync(there, "mine");
  const refused = await exports(STORE, there);
  expect([refused.code, refused.err]).toEqual([77, expect.stringContaining("--force replaces it")]);
  expect(readFileSync(there, "utf8")).toBe("mine");
  expect((await exports(STORE, there, "--force")).code).toBe(0);
  expect((await exports(STORE, folder.join("a.txt"))).code).toBe(64);
  expect((await exports(STORE, folder.join("none", "a.csv"))).code).toBe(66);
  expect((await exports(STORE, folder.join("a.csv"), "--from", "2030-01-01")).code).toBe(66);
  expect((await exports(STORE, folder.join("a.csv"), "--from", "2024-01-02", "--to", "2024-01-01")).code).toBe(64);
  expect((await exports(folder.join("nowhere"), folder.join("a.csv"))).code).toBe(66);
  expect((await fabric(["data", "export", "--symbol", "X", "-o", folder.join("a.csv"), "--data", STORE])).code).toBe(
    66,
  );
  expect((await fabric(["data", "export", "--symbol", "BTCUSDT", "--data", STORE])).code).toBe(64);
  expect((await fabric(["data", "gaps", "-o", there, "--data", STORE])).code).toBe(64);
  expect(existsSync(folder.join("a.csv"))).toBe(false);
});
