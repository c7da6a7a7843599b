import { expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import { Database } from "../../src/store/duckdb.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, deliverAll, failureOf, fill, openReader, openWriter, START } from "./support.ts";

test("A fresh store numbers rows from 1 without holes and links each to its symbol's previous one", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  expect(writer.commitSeq).toBe(0);
  expect(writer.closedThrough).toBeNull();
  const first = await writer.commit(batch([candle("A", 0), candle("B", 0), candle("A", 1)], START));
  expect(first.map((row) => [row.symbol, row.commitSeq, row.prevOpenTime])).toEqual([
    ["A", 1, null],
    ["B", 2, null],
    ["A", 3, START],
  ]);
  const second = await writer.commit(batch([candle("B", 5)]));
  expect(second.map((row) => [row.commitSeq, row.prevOpenTime])).toEqual([[4, START]]);
  expect(writer.closedThrough).toBe(START);
  await writer.close();
});

test("A row whose minute is not above its symbol's newest is left out and counted", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await writer.commit(batch([candle("A", 3)]));
  const rows = await writer.commit(batch([candle("A", 3), candle("A", 2), candle("A", 4), candle("A", 4)]));
  expect(rows.map((row) => [row.openTime, row.commitSeq])).toEqual([[START + 240_000, 2]]);
  expect(writer.counters().skipped).toBe(3);
  await writer.close();
});

test("Imports are history: stored once a minute below the head, never delivered, and they do not move the head", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await writer.commit(batch([candle("A", 0, "imported"), candle("A", 1, "imported"), candle("A", 1, "imported")]));
  expect(writer.heads.size).toBe(0);
  const live = await writer.commit(batch([candle("A", 1, "backfilled"), candle("A", 2, "backfilled")]));
  expect(live.map((row) => [row.openTime, row.prevOpenTime])).toEqual([[START + 120_000, null]]);
  await writer.commit(batch([candle("A", 9)]));
  const late = await writer.commit(
    batch([candle("A", 5, "imported"), candle("A", 1, "imported"), candle("A", 10, "imported")]),
  );
  expect(late.map((row) => row.openTime)).toEqual([START + 300_000]);
  await writer.seal();
  const reader = openReader(folder.path);
  expect((await deliverAll(reader)).map((row) => row.openTime)).toEqual([START + 120_000, START + 540_000]);
  const history = await reader.history("A", START, START + 3_600_000);
  expect(history.map((row) => (row.openTime - START) / 60_000)).toEqual([0, 1, 2, 5, 9]);
  await reader.close();
  await writer.close();
});

test("A minute imported and told live in one batch is stored once", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const rows = await writer.commit(batch([candle("A", 0, "imported"), candle("A", 0), candle("A", 1)]));
  expect(rows.map((row) => [row.openTime, row.provenance])).toEqual([
    [START, "imported"],
    [START + 60_000, "complete"],
  ]);
  await writer.close();
});

test("Calls take effect in the order they were made, also when nobody waits for them", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const commits = Array.from({ length: 20 }, (_, minute) => writer.commit(batch([candle("A", minute)])));
  const rows = (await Promise.all(commits)).flat();
  expect(rows.map((row) => row.commitSeq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  await writer.close();
});

test("A batch with a candle that cannot be one is refused whole", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const bad = { ...candle("A", 1), high: 1 };
  expect((await failureOf(() => writer.commit(batch([candle("A", 0), bad])))).code).toBe("bad-data");
  const gap = { symbol: "A", fromOpenTime: START + 60_000, toOpenTime: START, reason: "none" };
  expect((await failureOf(() => writer.commit(batch([], null, [gap])))).code).toBe("bad-data");
  expect(writer.commitSeq).toBe(0);
  await writer.close();
});

test("A reopened store continues with the same identity, numbers, heads, environment and closedThrough", async () => {
  using folder = tempFolder();
  const first = await openWriter(folder.path);
  await first.bind("live");
  await fill(first, ["A", "B"], 0, 4);
  await first.commit(batch([candle("A", 5)])); // committed, never sealed by name
  const { storeId, heads } = first;
  const before = new Map(heads);
  await first.close();
  const second = await openWriter(folder.path);
  expect(second.storeId).toBe(storeId);
  expect(second.environment).toBe("live");
  expect(second.commitSeq).toBe(11);
  expect(second.closedThrough).toBe(START + 240_000);
  expect(new Map(second.heads)).toEqual(before);
  const rows = await second.commit(batch([candle("A", 6)]));
  expect(rows[0]?.prevOpenTime).toBe(START + 300_000);
  await second.close();
});

test("Every writer start leaves a row in node_start that says where it began and whether the last stop was clean", async () => {
  using folder = tempFolder();
  const first = await openWriter(folder.path);
  await fill(first, ["A"], 0, 2);
  await first.close();
  await (await openWriter(folder.path)).close();
  const database = await Database.file(folder.join("market.duckdb"), {}, platform.files);
  const rows = await (await database.connect()).rows(
    "SELECT commit_seq, after_clean_stop FROM node_start ORDER BY started_at, commit_seq",
  );
  database.close();
  expect(rows.map((row) => [...row])).toEqual([
    [0n, false],
    [3n, true],
  ]);
});

test("A store of another venue, environment or schema version is refused with the remedy", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await writer.bind("sim seed 1");
  const wrong = await failureOf(() => writer.bind("live"));
  expect(wrong.code).toBe("refused");
  expect(wrong.message).toContain('it holds "sim seed 1"; use another data folder');
  await writer.bind("sim seed 1");
  await writer.close();
  const venue = await failureOf(() => openWriter(folder.path, { venue: "kraken" }));
  expect([venue.code, venue.message.includes('it holds venue "binance"')]).toEqual(["refused", true]);
  const database = await Database.file(folder.join("market.duckdb"), {}, platform.files);
  await (await database.connect()).run("UPDATE meta SET schema_version = 99");
  database.close();
  const version = await failureOf(() => openWriter(folder.path));
  expect([version.code, version.message.includes("schema version 99")]).toEqual(["config", true]);
});

test("A file that is no database and a folder that cannot be made are told apart", async () => {
  using folder = tempFolder();
  writeFileSync(folder.join("market.duckdb"), "not a database, just text ".repeat(1000));
  expect((await failureOf(() => openWriter(folder.path))).code).toBe("config");
  writeFileSync(folder.join("file"), "x");
  expect((await failureOf(() => openWriter(folder.join("file", "data")))).code).toBe("io");
});

test("Gaps and revisions reach the readers; a revision of a row that does not exist is refused", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const gap = { symbol: "A", fromOpenTime: START + 60_000, toOpenTime: START + 120_000, reason: "it's closed" };
  await writer.commit(batch([candle("A", 0)], START + 120_000, [gap]));
  await writer.revise([candle("A", 0, "backfilled", 200), candle("A", 0, "backfilled", 300)]);
  expect((await failureOf(() => writer.revise([candle("A", 7)]))).code).toBe("bad-data");
  await writer.seal();
  const reader = openReader(folder.path);
  expect(await reader.gaps(null)).toEqual([gap]);
  expect(await reader.gaps("B")).toEqual([]);
  expect((await reader.view())?.closedThrough).toBe(START + 120_000);
  expect(writer.counters()).toMatchObject({ revisions: 2, gaps: 1, rows: 1, segments: 3 });
  await reader.close();
  await writer.close();
});

test("A closed writer takes no more calls and leaves no temporary file", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 3);
  await Promise.all([writer.close(), writer.close()]);
  expect((await failureOf(() => writer.commit(batch([candle("A", 9)])))).code).toBe("unavailable");
  const files = readdirSync(folder.path, { recursive: true }).map(String);
  expect(files.filter((file) => file.includes("tmp"))).toEqual([]);
});
