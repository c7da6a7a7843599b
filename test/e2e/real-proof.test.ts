import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { eventually } from "../support/eventually.ts";
import { fabric, RECORDINGS, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type Heard, listen } from "./support-wire.ts";

const SYMBOLS = ["--symbols", "BTCUSDT"];
/** Fast enough for a test, slow enough for a subscriber to be there before the first full minute closes. */
const PACED = "100";

interface Recording {
  readonly name: string;
  readonly folder: string;
  readonly trades: string;
  readonly raw: readonly string[];
  /** Full minutes, both ends inclusive. */
  readonly first: number;
  readonly last: number;
}

const BOTH: readonly Recording[] = [
  {
    name: "spot",
    folder: "binance-spot-btcusdt",
    trades: "spot_btcusdt.trades.ws.txt.gz",
    raw: ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"],
    first: 1723161300000,
    last: 1723161840000,
  },
  {
    name: "USD-M",
    folder: "binance-usdm-btcusdt",
    trades: "usdm_btcusdt.trades.ws.txt.gz",
    raw: ["usdm_btcusdt_20240808.gz"],
    first: 1723161300000,
    last: 1723161480000,
  },
];

/** The exchange's column, ours in SQL, ours on the wire. */
const COLUMNS: Readonly<Record<string, readonly [string, string]>> = {
  open: ["open", "open"],
  high: ["high", "high"],
  low: ["low", "low"],
  close: ["close", "close"],
  volume: ["volume", "volume"],
  quote_volume: ["quote_volume", "quoteVolume"],
  count: ["trades", "trades"],
  taker_buy_volume: ["taker_buy_volume", "takerBuyVolume"],
  taker_buy_quote_volume: ["taker_buy_quote_volume", "takerBuyQuoteVolume"],
};

type Row = Readonly<Record<string, unknown>>;

/** One candle of ours: its minute, and its figures by the exchange's names. */
type Candles = ReadonlyMap<number, Readonly<Record<string, number>>>;

const table: Row[] = [];
afterAll(() => {
  const by = (row: Row) => `${row.recording} ${row.path}`;
  if (table.length > 0) console.table(table.toSorted((a, b) => by(a).localeCompare(by(b))));
});

describe.skipIf(RECORDINGS === null)("The exchange's own klines", () => {
  for (const recording of BOTH) {
    test.concurrent(`of the ${recording.name} recording come out of a replay, in the store, in the segments and through query`, async () => {
      using folder = tempFolder();
      const files = filesOf(recording, [recording.trades]);
      const replay = ["market-data", "--feed", "replay", "--speed", "max", ...SYMBOLS, "--data", folder.path];
      const done = await fabric([...replay, ...files.flatMap((file) => ["--file", file])]);
      expect([done.code, done.out]).toEqual([0, ""]);
      expect(done.err).toContain("Replay ended");
      await proveStored(recording, "replay", folder.path);
    }, 30_000);

    test.concurrent(`of the raw ${recording.name} recording, other streams and all, come out of a replay`, async () => {
      using folder = tempFolder();
      const files = filesOf(recording, recording.raw);
      const replay = ["market-data", "--feed", "replay", ...SYMBOLS, "--data", folder.path];
      const done = await fabric([...replay, ...files.flatMap((file) => ["--file", file])]);
      expect(done.code).toBe(0);
      await proveStored(recording, "raw replay", folder.path);
    }, 30_000);

    test.concurrent(`of the ${recording.name} recording are heard on the wire during a replay`, async () => {
      using folder = tempFolder();
      await using heard = await listen(join(folder.path, "run", "market-data.ipc"));
      const replay = ["market-data", "--feed", "replay", "--speed", PACED, "--stay", ...SYMBOLS, "--data", folder.path];
      await using node = start([
        ...replay,
        ...filesOf(recording, [recording.trades]).flatMap((file) => ["--file", file]),
      ]);
      await node.says(/Staying up/, 30_000);
      await proveHeard(recording, "replay", heard);
      expect(await node.stop()).toBe(0);
      await proveStored(recording, "replay, paced", folder.path);
    }, 45_000);

    test.concurrent(`of the ${recording.name} recording cross a real WebSocket, into the store, the segments and onto the wire`, async () => {
      using folder = tempFolder();
      await using heard = await listen(join(folder.path, "run", "market-data.ipc"));
      const [file = ""] = filesOf(recording, [recording.trades]);
      await using sim = start(["sim", "--file", file, "--speed", PACED, ...SYMBOLS]);
      const url = (await sim.says(/ws:\/\/127\.0\.0\.1:\d+/))[0];
      await using node = start(["market-data", "--feed", "binance", "--url", url, ...SYMBOLS, "--data", folder.path]);
      await eventually(() => heard.candles.some((body) => body.openTime === recording.last), 30_000, "the last minute");
      await proveHeard(recording, "WebSocket", heard);
      expect(await node.stop()).toBe(0);
      await proveStored(recording, "WebSocket", folder.path);
    }, 45_000);
  }
});

async function proveHeard(recording: Recording, path: string, heard: Heard): Promise<void> {
  await eventually(() => heard.candles.some((body) => body.openTime === recording.last));
  prove(
    recording,
    path,
    "wire",
    heard.candles.map((body) => ({ ...body })),
    1,
  );
  const seqs = heard.candles.map((body) => body.commitSeq);
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  for (const [at, body] of heard.candles.entries()) {
    expect(body.closeTime).toBe(body.openTime + 59_999);
    if (at > 0) expect(body.prevOpenTime).toBe(heard.candles[at - 1]?.openTime ?? null);
  }
}

/** The node has ended: its file may be opened by anyone. */
async function proveStored(recording: Recording, path: string, folder: string): Promise<void> {
  const select = "SELECT *, epoch_ms(open_time)::DOUBLE AS t FROM";
  const store = await rowsOf(join(folder, "market.duckdb"), `${select} candle ORDER BY commit_seq`);
  prove(recording, path, "market.duckdb", store, 0);

  const { manifest } = JSON.parse(readFileSync(join(folder, "published/manifest.json"), "utf8"));
  const segments = (manifest.segments as readonly { kind: string; file: string }[])
    .filter((segment) => segment.kind === "candle")
    .map((segment) => `'${join(folder, "published/segments", segment.file)}'`);
  const published = await rowsOf(":memory:", `${select} read_parquet([${segments}]) ORDER BY commit_seq`);
  prove(recording, path, "segments", published, 0);
  expect(published.map(plain)).toEqual(store.map(plain));

  const asked = await fabric(["query", `${select} candle ORDER BY commit_seq`, "--json", "--data", folder]);
  expect(asked.err).toBe("");
  prove(recording, path, "query", JSON.parse(asked.out), 0);
}

/** Every full minute once, from trades alone, each field the very number that the exchange's text stands for. */
function prove(recording: Recording, path: string, place: string, rows: readonly Row[], naming: 0 | 1): void {
  const { fields, minutes } = klinesOf(recording);
  const full = rows.filter((row) => minutes.has(timeOf(row)));
  expect(full.map(timeOf)).toEqual([...minutes.keys()]);
  expect(full.map((row) => row.provenance)).toEqual(full.map(() => "complete"));
  const ours = full.map((row) =>
    Object.fromEntries(fields.map((field) => [field, Number(row[nameOf(field, naming)])])),
  );
  expect(ours).toEqual([...minutes.values()]);
  table.push({ recording: recording.name, path, place, minutes: full.length, fields: fields.length, equal: true });
}

function klinesOf(recording: Recording): { readonly fields: readonly string[]; readonly minutes: Candles } {
  const [header = "", ...lines] = readFileSync(path(recording, "klines_1m_BTCUSDT.csv"), "utf8").trim().split("\n");
  const names = header.split(",");
  const fields = names.filter((name) => COLUMNS[name] !== undefined);
  const minutes = new Map<number, Record<string, number>>();
  for (const line of lines) {
    const cells = line.split(",");
    const openTime = Number(cells[names.indexOf("open_time")]);
    if (openTime < recording.first || openTime > recording.last) continue;
    minutes.set(openTime, Object.fromEntries(fields.map((field) => [field, Number(cells[names.indexOf(field)])])));
  }
  expect(minutes.size).toBe((recording.last - recording.first) / 60_000 + 1);
  return { fields, minutes };
}

async function rowsOf(database: string, sql: string): Promise<Row[]> {
  const instance = await DuckDBInstance.create(database, database === ":memory:" ? {} : { access_mode: "READ_ONLY" });
  try {
    const connection = await instance.connect();
    const rows = (await connection.runAndReadAll(sql)).getRowObjects();
    connection.closeSync();
    return rows;
  } finally {
    instance.closeSync();
  }
}

function timeOf(row: Row): number {
  return Number(row.t ?? row.openTime);
}

function nameOf(field: string, naming: 0 | 1): string {
  return COLUMNS[field]?.[naming] ?? field;
}

function plain(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)]));
}

function path(recording: Recording, file: string): string {
  return join(RECORDINGS ?? "", recording.folder, file);
}

function filesOf(recording: Recording, names: readonly string[]): readonly string[] {
  return names.map((name) => path(recording, name));
}
