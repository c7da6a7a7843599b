import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import type { StoredCandle } from "../../src/core/candle.ts";
import { encodeManifest, type Manifest } from "../../src/store/manifest.ts";
import { openStoreReader } from "../../src/store/reader.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, deliverAll, failureOf, fill, openReader, openWriter, START, storeDeps } from "./support.ts";

test("A reader opened before the store exists says so, and sees the store once it is there", async () => {
  using folder = tempFolder();
  const reader = openReader(folder.join("data"));
  expect(await reader.view()).toBeNull();
  expect(await reader.delivery(0, 10, "all")).toBeNull();
  expect(await reader.history("A", 0, START)).toEqual([]);
  expect(await reader.latest("A", 3)).toEqual([]);
  expect(await reader.gaps(null)).toEqual([]);
  const writer = await openWriter(folder.join("data"));
  expect(await reader.view()).toMatchObject({ storeId: writer.storeId, throughSeq: 0, environment: null });
  await writer.bind("live");
  await fill(writer, ["A"], 0, 0);
  expect(await reader.view()).toMatchObject({ throughSeq: 1, environment: "live", closedThrough: START });
  expect((await reader.view())?.heads.get("A")).toEqual({
    lastOpenTime: START,
    lastCommitSeq: 1,
    lastClose: 101.25,
    lastTradeId: 12,
  });
  await reader.close();
  await writer.close();
});

test("Pages of any size and any symbols give the same delivery, in commitSeq order", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A", "B", "C"], 0, 9);
  const reader = openReader(folder.path);
  const whole = await deliverAll(reader);
  expect(whole.length).toBe(30);
  for (const pageRows of [1, 2, 7, 29, 30, 31]) expect(await deliverAll(reader, pageRows)).toEqual(whole);
  const wanted = new Set(["A", "C"]);
  const some = whole.filter((row) => wanted.has(row.symbol));
  for (const pageRows of [1, 3, 100]) expect(await deliverAll(reader, pageRows, wanted)).toEqual(some);
  expect(await deliverAll(reader, 5, new Set())).toEqual([]);
  await reader.close();
  await writer.close();
});

test("What comes back is what was committed, field by field, nulls and small differences included", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const odd = { ...candle("1000SATS-X/Y", 1, "empty"), open: 0.1 + 0.2, high: 1e15 + 0.25, low: 5e-324, close: 1 / 3 };
  const rows = await writer.commit(batch([candle("A", 0), odd]));
  await writer.seal();
  const reader = openReader(folder.path);
  expect(await deliverAll(reader)).toEqual([...rows]);
  await reader.close();
  await writer.close();
});

test("Where nothing is new a poll costs a stat: no file is read and no DuckDB is loaded", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 3);
  await writer.close();
  let reads = 0;
  const files = {
    ...platform.files,
    readText: (path: string) => {
      reads++;
      return platform.files.readText(path);
    },
  };
  let laterMs = 0;
  const clock = { ...platform.clock, monotonicMs: () => platform.clock.monotonicMs() + laterMs };
  const reader = openStoreReader({ folder: folder.path }, { ...storeDeps(), files, clock });
  expect((await reader.delivery(4, 10, "all"))?.throughSeq).toBe(4);
  laterMs = 10_000;
  await reader.delivery(4, 10, "all");
  reads = 0;
  // With every segment gone, a read of one would fail.
  rmSync(folder.join("published", "segments"), { recursive: true });
  for (let poll = 0; poll < 100; poll++)
    expect(await reader.delivery(4, 10, "all")).toMatchObject({ candles: [], throughSeq: 4 });
  expect(reads).toBe(0);
  expect((await failureOf(() => reader.delivery(3, 10, "all"))).code).toBe("unavailable");
  await reader.close();
});

test("A page reads only as many files as its rows need, however far behind its consumer is", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A", "B"], 0, 49);
  const opened = new Set<string>();
  const files = {
    ...platform.files,
    sha256: (path: string) => {
      opened.add(path);
      return platform.files.sha256(path);
    },
  };
  const reader = openStoreReader({ folder: folder.path }, { ...storeDeps(), files });
  const page = await reader.delivery(0, 10, "all");
  expect(page?.candles.map((row) => row.commitSeq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(page?.throughSeq).toBe(10);
  expect(opened.size).toBe(5);
  const next = await reader.delivery(9, 10, "all");
  expect(next?.candles.length).toBe(10);
  expect(opened.size).toBe(10);
  await reader.close();
  await writer.close();
});

test("A manifest of another format is refused as configuration, a damaged one passes and names the remedy", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await writer.close();
  const path = folder.join("published", "manifest.json");
  const manifest = JSON.parse(platform.files.readText(path)).manifest as Manifest;
  writeFileSync(path, encodeManifest({ ...manifest, format: 99 }));
  const reader = openReader(folder.path);
  const other = await failureOf(() => reader.view());
  expect([other.code, other.message.includes("it has format 99")]).toEqual(["config", true]);
  writeFileSync(path, "{");
  const damaged = await failureOf(() => reader.view());
  expect([damaged.code, damaged.message.includes("a running market-data node writes it again")]).toEqual([
    "unavailable",
    true,
  ]);
  await reader.close();
});

test("The latest rows of a symbol come oldest first, also of one that has been quiet for many segments", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A", "OLD"], 0, 2);
  await fill(writer, ["A"], 3, 40);
  const reader = openReader(folder.path);
  const minutes = (rows: readonly StoredCandle[]) => rows.map((row) => (row.openTime - START) / 60_000);
  expect(minutes(await reader.latest("A", 3))).toEqual([38, 39, 40]);
  expect(minutes(await reader.latest("OLD", 2))).toEqual([1, 2]);
  expect(minutes(await reader.latest("OLD", 20))).toEqual([0, 1, 2]);
  expect(await reader.latest("NONE", 5)).toEqual([]);
  expect(minutes(await reader.history("A", START + 5 * 60_000, START + 7 * 60_000))).toEqual([5, 6, 7]);
  await reader.close();
  await writer.close();
});

test("Readers polling while segments are merged and deleted see no error, no duplicate and no gap", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path, { tuning: { mergeWidth: 4, deletionGraceMs: 30 } });
  let isWriting = true;
  const poll = async () => {
    const reader = openReader(folder.path);
    const seen: number[] = [];
    for (let after = 0; isWriting || after < writer.commitSeq; ) {
      const page = await reader.delivery(after, 50, "all");
      seen.push(...(page?.candles ?? []).map((row) => row.commitSeq));
      after = page?.throughSeq ?? after;
      const again = await reader.history("A", START, START + 86_400_000);
      expect(again.map((row) => row.openTime)).toEqual(again.map((_, minute) => START + minute * 60_000));
      // A poll that finds nothing new resolves without ever leaving the event loop's turn.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await reader.close();
    return seen;
  };
  const polls = [poll(), poll()];
  for (let minute = 0; minute < 150; minute += 5) {
    await fill(writer, ["A", "B"], minute, minute + 4);
    await writer.compact();
  }
  isWriting = false;
  for (const seen of await Promise.all(polls)) expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  expect(writer.counters().compactions).toBeGreaterThan(20);
  await writer.close();
}, 60_000);
