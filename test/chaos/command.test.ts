import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { platform } from "#platform";
import { exitCodeOf } from "../../src/core/errors.ts";
import { nodeName } from "../../src/core/symbol.ts";
import type { Timeframe } from "../../src/core/timeframe.ts";
import { openJournal } from "../../src/execution/journal.ts";
import { readMark, writeMark } from "../../src/role/chaos/earlier.ts";
import { claimGrounds } from "../../src/role/chaos/folder.ts";
import { dataFolder } from "../../src/role/lifecycle/data-folder.ts";
import { SCHEMA_VERSION } from "../../src/store/contract.ts";
import { encodeManifest } from "../../src/store/manifest.ts";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("chaos refuses (77) a folder that holds other data, and touches nothing in it", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  mkdirSync(`${data}/journal`, { recursive: true });
  writeFileSync(`${data}/market.duckdb`, "precious");
  const refused = await fabric(["chaos", "--for", "10s", "--data", data]);
  expect(refused.code).toBe(77);
  expect(refused.err).toMatch(
    /^fabric: Cannot hurt .*needs a folder that is new, empty, or of an earlier chaos.*choose another --data/,
  );
  expect(refused.out).toBe("");
  expect(readFileSync(`${data}/market.duckdb`, "utf8")).toBe("precious");
  expect(readdirSync(data).sort()).toEqual(["journal", "market.duckdb"]);
  writeFileSync(folder.join("file"), "");
  expect((await fabric(["chaos", "--for", "10s", "--data", folder.join("file")])).code).toBe(77);
});

test("chaos refuses (77) an earlier chaos's folder in which a node lives, and names it", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  mkdirSync(data);
  writeFileSync(`${data}/chaos.json`, "{}");
  await using node = start(["sim", "--port", "0", "--symbols", "BTCUSDT", "--data", data]);
  await node.says(/Listening on/);
  const refused = await fabric(["chaos", "--for", "10s", "--data", data]);
  expect([refused.code, refused.err]).toEqual([77, expect.stringContaining(`sim (process ${node.pid}) runs in it`)]);
  expect(existsSync(`${data}/sim.json`)).toBe(true);
  expect(await node.stop()).toBe(0);
});

test("chaos does not take the data folder of everything else for its own: FABRIC_DATA is not looked at", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  mkdirSync(data);
  writeFileSync(`${data}/market.duckdb`, "precious");
  await using running = start(["chaos", "--for", "10s"], { env: { FABRIC_DATA: data, TMPDIR: folder.path } });
  await running.says(/data in .*fabric-chaos-/);
  expect(await running.stop("SIGINT")).toBe(75);
  expect(readdirSync(folder.path)).toEqual(["data"]);
  expect(readdirSync(data)).toEqual(["market.duckdb"]);
});

/** A folder as a run of chaos leaves it, with a store and a journal of the simulated market. */
function earlierChaos(data: string): void {
  for (const path of ["run", "journal", "published/segments", "halt"])
    mkdirSync(`${data}/${path}`, { recursive: true });
  writeMark(data, { chaos: true, seed: 5, storeId: "store-1" });
  writeFileSync(`${data}/market.duckdb`, "rows");
  writeFileSync(`${data}/run/busy~alive.lock`, "");
  writeFileSync(`${data}/published/segments/candle-000000000001-000000000720-0a1b2c3d.parquet`, "rows");
  writeManifest(data, "store-1", "sim:seed=5:start=2025-01-01T00:00Z");
  writeJournal(data, "busy", "store-1");
}

function writeManifest(data: string, storeId: string, environment: string): void {
  const rest = { throughSeq: 0, closedThrough: null, cleanStop: true, heads: [], segments: [] };
  const manifest = { format: SCHEMA_VERSION, storeId, venue: "binance-spot", environment, ...rest };
  writeFileSync(`${data}/published/manifest.json`, encodeManifest(manifest));
}

function writeJournal(data: string, runner: string, storeId: string): void {
  const binding = { storeId, mode: "paper", strategy: "s", version: "1", params: "{}", symbols: "all" } as const;
  openJournal(platform, data, { ...binding, runner: nodeName(runner), timeframe: "1m" as Timeframe }).close();
}

test("A folder that holds nothing but what an earlier chaos left is taken and emptied", () => {
  using folder = tempFolder();
  const data = folder.join("data");
  earlierChaos(data);
  const { work, temporary } = claimGrounds(data, 9);
  rmSync(work, { recursive: true });
  expect([temporary, readdirSync(data), readMark(data)?.seed]).toEqual([false, ["chaos.json"], 9]);
});

test("Where a data folder's path is too long for sockets, the folder that they are in instead is chaos's to look at", () => {
  using folder = tempFolder();
  const data = folder.join("x".repeat(100));
  const { work, sockets, device } = claimGrounds(data, 9);
  rmSync(work, { recursive: true });
  expect([dataFolder(data).ipcEndpoint("busy"), basename(work)]).toEqual([`ipc://${sockets}/busy.ipc`, device]);
  const short = claimGrounds(folder.join("short"), 9);
  rmSync(short.work, { recursive: true });
  expect(short.sockets).toBeNull();
});

const BECAME: readonly (readonly [string, (data: string) => void, RegExp])[] = [
  ["another store", (data) => writeManifest(data, "store-2", "sim:seed=5"), /holds store store-2 and the mark says/],
  ["a store of the real exchange", (data) => writeManifest(data, "store-1", "production"), /production, not simulated/],
  ["a store without a manifest", (data) => rmSync(`${data}/published`, { recursive: true }), /no manifest that tells/],
  ["a damaged manifest", (data) => writeFileSync(`${data}/published/manifest.json`, "{"), /checksum/],
  [
    "the journal of another runner",
    (data) => writeJournal(data, "mine", "store-1"),
    /journal\/mine\.sqlite is no file/,
  ],
  [
    "a journal of another store",
    (data) => writeJournal(data, "saver", "store-2"),
    /journal of saver belongs to store store-2/,
  ],
  ["a configuration", (data) => writeFileSync(`${data}/fabric.toml`, ""), /fabric\.toml is no file/],
  ["a key file", (data) => writeFileSync(`${data}/run/keys`, ""), /run\/keys is no file/],
  ["a link", (data) => symlinkSync("/etc", `${data}/chaos.log`), /chaos\.log is no file/],
  ["no mark that can be read", (data) => writeFileSync(`${data}/chaos.json`, "{}"), /cannot be read as its mark/],
  [
    "a mark from before there was a store",
    (data) => writeMark(data, { chaos: true, seed: 5, storeId: null }),
    /mark says none/,
  ],
];

for (const [what, become, says] of BECAME)
  test(`A marked folder with ${what} is refused (77) and stays as it is`, () => {
    using folder = tempFolder();
    const data = folder.join("data");
    earlierChaos(data);
    become(data);
    const before = readdirSync(data, { recursive: true }).sort();
    let refusal: unknown;
    try {
      claimGrounds(data, 9);
    } catch (error) {
      refusal = error;
    }
    expect([exitCodeOf(refusal), String(refusal)]).toEqual([77, expect.stringMatching(says)]);
    expect(String(refusal)).toMatch(/choose another --data, or remove the folder yourself/);
    const after = readdirSync(data, { recursive: true }).filter((name) => !/sqlite-(wal|shm)$/.test(String(name)));
    expect(after.sort()).toEqual(before);
  });

test("chaos tells what is wrong with a flag (64)", async () => {
  for (const words of [
    ["--for", "1s"],
    ["--for", "2h"],
    ["--seed", "-1"],
    ["--kill", "runners"],
    ["--drop", "wires"],
    ["--disk", "empty"],
    ["--files", "log"],
  ]) {
    const refused = await fabric(["chaos", ...words]);
    expect([refused.code, refused.err]).toEqual([64, expect.stringMatching(new RegExp(`${words[0]}.*expected`))]);
  }
});
