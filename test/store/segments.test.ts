import { expect, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import type { Files } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import { driverMessage, storeFailure } from "../../src/store/duckdb.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, deliverAll, failureOf, fill, keepingLog, openReader, openWriter, START } from "./support.ts";

interface Told {
  readonly cleanStop: boolean;
  readonly throughSeq: number;
  readonly closedThrough: number | null;
  readonly heads: readonly (readonly (string | number | null)[])[];
  readonly segments: readonly Listed[];
}

interface Listed {
  readonly file: string;
  readonly kind: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly rows: number;
}

function manifestOf(folder: string): Told {
  return JSON.parse(readFileSync(`${folder}/published/manifest.json`, "utf8")).manifest;
}

function segmentFiles(folder: string): string[] {
  return readdirSync(`${folder}/published/segments`).sort();
}

test("Invariant 2 (durable before visible): a reader sees a row only after the commit that holds it was sealed", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const reader = openReader(folder.path);
  await writer.commit(batch([candle("A", 0)]));
  expect((await reader.view())?.throughSeq).toBe(0);
  expect(await deliverAll(reader)).toEqual([]);
  await writer.seal();
  expect((await deliverAll(reader)).map((row) => row.commitSeq)).toEqual([1]);
  await reader.close();
  await writer.close();
});

test("Invariant 2 (durable before visible): rows committed but not sealed before a kill are published by the next start", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path, { files: filesThatFail("manifest.json", 1) });
  const acknowledged = await writer.commit(batch([candle("A", 0), candle("B", 0)]));
  expect((await failureOf(() => writer.seal())).code).toBe("io");
  expect(manifestOf(folder.path).throughSeq).toBe(0);
  await writer.seal();
  expect(manifestOf(folder.path).throughSeq).toBe(acknowledged.length);
  await writer.close();
});

test("Invariant 3 (append-only truth): a revision changes neither the delivered row nor history, only SQL's view", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 2);
  const reader = openReader(folder.path);
  const before = await deliverAll(reader);
  await writer.revise([candle("A", 1, "backfilled", 500)]);
  await writer.seal();
  expect(await deliverAll(reader)).toEqual(before);
  expect(await reader.history("A", START, START + 600_000)).toEqual(before);
  expect(await reader.latest("A", 5)).toEqual(before);
  await reader.close();
  await writer.close();
});

test("Ranges of the manifest follow each other without overlap or hole, also after compaction", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path, { tuning: { mergeWidth: 4, deletionGraceMs: 0 } });
  await fill(writer, ["A", "B", "C"], 0, 40);
  const sealed = manifestOf(folder.path).segments.length;
  await writer.compact();
  const { segments, throughSeq } = manifestOf(folder.path);
  expect(segments.length).toBeLessThan(sealed / 3);
  let through = 0;
  for (const segment of segments) {
    expect(segment.firstSeq).toBe(through + 1);
    expect(segment.rows).toBe(segment.lastSeq - segment.firstSeq + 1);
    through = segment.lastSeq;
  }
  expect(through).toBe(throughSeq);
  expect(throughSeq).toBe(123);
  await eventually(() => segmentFiles(folder.path).length === segments.length);
  const reader = openReader(folder.path);
  expect((await deliverAll(reader)).map((row) => row.commitSeq)).toEqual(Array.from({ length: 123 }, (_, i) => i + 1));
  await reader.close();
  await writer.close();
});

test("Merged segments keep to the row limit", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path, { tuning: { mergeWidth: 4, deletionGraceMs: 0, maxSegmentRows: 10 } });
  await fill(writer, ["A", "B"], 0, 30);
  await writer.commit(batch(Array.from({ length: 35 }, (_, index) => candle("C", index))));
  await writer.seal();
  await writer.compact();
  const { segments } = manifestOf(folder.path);
  expect(Math.max(...segments.map((segment) => segment.rows))).toBeLessThanOrEqual(10);
  expect(segments.reduce((sum, segment) => sum + segment.rows, 0)).toBe(97);
  await writer.close();
});

test("Files merged away stay for the grace period, and a start sweeps what a killed life left behind", async () => {
  using folder = tempFolder();
  const first = await openWriter(folder.path, { tuning: { mergeWidth: 4, deletionGraceMs: 3_600_000 } });
  await fill(first, ["A"], 0, 3);
  await first.compact();
  expect(manifestOf(folder.path).segments.length).toBe(1);
  expect(segmentFiles(folder.path).length).toBe(5);
  await first.close();
  writeFileSync(`${folder.path}/published/segments/candle-x.parquet.tmp`, "torn");
  writeFileSync(`${folder.path}/published/manifest.json.123-4.tmp`, "torn");
  const second = await openWriter(folder.path, { tuning: { deletionGraceMs: 0 } });
  await eventually(() => segmentFiles(folder.path).length === 1);
  expect(readdirSync(`${folder.path}/published`).sort()).toEqual(["manifest.json", "segments"]);
  await second.close();
});

const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  deleted: (path) => rmSync(path),
  truncated: (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
  emptied: (path) => truncateSync(path, 0),
};

for (const [name, damage] of Object.entries(DAMAGES)) {
  test(`A ${name} segment is rebuilt from the truth at the next start, and counted`, async () => {
    using folder = tempFolder();
    const first = await openWriter(folder.path);
    await fill(first, ["A", "B"], 0, 4);
    await first.close();
    const victim = manifestOf(folder.path).segments[2]?.file ?? "";
    damage(`${folder.path}/published/segments/${victim}`);
    const second = await openWriter(folder.path);
    expect(second.counters().rebuiltSegments).toBe(1);
    const reader = openReader(folder.path);
    expect((await deliverAll(reader)).map((row) => row.commitSeq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await reader.close();
    await second.close();
  });
}

test("A flipped byte in a segment written since the last clean stop is found by its hash and rebuilt", async () => {
  using folder = tempFolder();
  const log = keepingLog();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 3);
  // What a kill leaves: the manifest and segments as they stand while the writer lives.
  const manifest = readFileSync(`${folder.path}/published/manifest.json`);
  expect(manifestOf(folder.path).cleanStop).toBe(false);
  await writer.close();
  expect(manifestOf(folder.path).cleanStop).toBe(true);
  writeFileSync(`${folder.path}/published/manifest.json`, manifest);
  const path = `${folder.path}/published/segments/${manifestOf(folder.path).segments[1]?.file}`;
  const bytes = readFileSync(path);
  bytes[20] = (bytes[20] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
  const second = await openWriter(folder.path, { log });
  expect(second.counters().rebuiltSegments).toBe(1);
  expect(log.lines.join("\n")).toContain("is damaged");
  await second.close();
});

const MANIFEST_DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  lost: (path) => rmSync(path),
  torn: (path) => truncateSync(path, 300),
  edited: (path) => writeFileSync(path, readFileSync(path, "utf8").replace('"firstSeq":1', '"firstSeq":2')),
  "another store's": (path) => writeFileSync(path, "{}"),
};

for (const [name, damage] of Object.entries(MANIFEST_DAMAGES)) {
  test(`A manifest that is ${name} is rebuilt with all segments, heads and numbers`, async () => {
    using folder = tempFolder();
    const first = await openWriter(folder.path);
    await fill(first, ["A", "B"], 0, 4);
    const heads = new Map(first.heads);
    await first.close();
    damage(`${folder.path}/published/manifest.json`);
    const second = await openWriter(folder.path, { tuning: { deletionGraceMs: 0 } });
    expect(second.counters().rebuiltSegments).toBeGreaterThan(0);
    expect(new Map(second.heads)).toEqual(heads);
    const reader = openReader(folder.path);
    expect((await deliverAll(reader)).length).toBe(10);
    await eventually(() => segmentFiles(folder.path).length === second.counters().segments);
    await reader.close();
    await second.close();
  });
}

test("A seal that fails publishes nothing, loses nothing, and works when repeated", async () => {
  using folder = tempFolder();
  const log = keepingLog();
  const writer = await openWriter(folder.path, {
    log,
    files: filesThatFail("manifest.json", 2),
    tuning: { deletionGraceMs: 0 },
  });
  await writer.commit(batch([candle("A", 0)]));
  for (let attempt = 0; attempt < 2; attempt++) expect((await failureOf(() => writer.seal())).code).toBe("io");
  await writer.commit(batch([candle("A", 1)]));
  await writer.seal();
  const reader = openReader(folder.path);
  expect((await deliverAll(reader)).map((row) => row.commitSeq)).toEqual([1, 2]);
  // The row written first is listed by the seal that works, not written again, and nothing is left over.
  await eventually(() => segmentFiles(folder.path).length === writer.counters().segments);
  await reader.close();
  await writer.close();
});

test("A seal rebuilds the segments that vanished under the running writer, and only those", async () => {
  using folder = tempFolder();
  const log = keepingLog();
  const writer = await openWriter(folder.path, { log });
  await fill(writer, ["A", "B"], 0, 4);
  const kept = segmentFiles(folder.path).slice(2);
  for (const file of segmentFiles(folder.path).slice(0, 2)) rmSync(`${folder.path}/published/segments/${file}`);
  await writer.commit(batch([candle("A", 5)]));
  await writer.seal();
  expect(writer.counters().rebuiltSegments).toBe(2);
  expect(log.lines.filter((line) => line.includes("is missing")).length).toBe(1);
  expect(segmentFiles(folder.path)).toEqual(expect.arrayContaining(kept));
  const reader = openReader(folder.path);
  expect((await deliverAll(reader)).map((row) => row.commitSeq)).toEqual(Array.from({ length: 11 }, (_, i) => i + 1));
  await reader.close();
  await writer.close();
});

test("A seal that cannot make its folder says so on one line, and afterwards mends a segment that was cut short meanwhile", async () => {
  using folder = tempFolder();
  const segments = `${folder.path}/published/segments`;
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 4);
  renameSync(segments, `${folder.path}/aside`);
  writeFileSync(segments, "in the way");
  await writer.commit(batch([candle("A", 5)]));
  const failure = await failureOf(() => writer.seal());
  expect(failure.code).toBe("io");
  expect(failure.message).not.toContain("\n");
  rmSync(segments);
  renameSync(`${folder.path}/aside`, segments);
  truncateSync(`${segments}/${segmentFiles(folder.path)[0]}`, 7);
  await writer.seal();
  expect(writer.counters().rebuiltSegments).toBe(1);
  const reader = openReader(folder.path);
  expect((await deliverAll(reader)).length).toBe(6);
  await reader.close();
  await writer.close();
});

test("A merge whose parts were rebuilt meanwhile is dropped, and the ranges stay whole", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path, { tuning: { mergeWidth: 4, deletionGraceMs: 0 } });
  await fill(writer, ["A"], 0, 7);
  for (const file of segmentFiles(folder.path)) rmSync(`${folder.path}/published/segments/${file}`);
  await writer.commit(batch([candle("A", 8)]));
  // The merge chooses its parts at once and writes beside the seal, which replaces them before the merge can be listed.
  await Promise.all([writer.compact(), writer.seal()]);
  let through = 0;
  for (const segment of manifestOf(folder.path).segments) {
    expect(segment.firstSeq).toBe(through + 1);
    through = segment.lastSeq;
  }
  const reader = openReader(folder.path);
  expect((await deliverAll(reader)).length).toBe(9);
  await reader.close();
  await writer.close();
});

test("Invariant 4 (a merge between a commit and its seal): the manifest tells nothing of rows that no segment holds", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path, { tuning: { mergeWidth: 4 } });
  await fill(writer, ["A"], 0, 3);
  const sealed = manifestOf(folder.path);
  await writer.commit(batch([candle("A", 4)], START + 4 * 60_000));
  await writer.compact();
  expect(writer.counters().compactions).toBe(1);
  const merged = manifestOf(folder.path);
  expect(merged.throughSeq).toBe(4);
  expect(merged.closedThrough).toBe(sealed.closedThrough);
  expect(merged.heads).toEqual(sealed.heads);
  await writer.seal();
  expect(manifestOf(folder.path).heads[0]?.[1]).toBe(START + 4 * 60_000);
  await writer.close();
});

test("A driver's error is told on one line: its first, and the hint that follows where there is one", () => {
  const marked = "Binder Error: no such column\n\nLINE 2: SELECT x FROM y\n               ^";
  expect(driverMessage(new Error(marked))).toBe("Binder Error: no such column");
  const hinted = 'Catalog Error: no table x!\nDid you mean "y"?\n\nLINE 1: FROM x\n             ^';
  expect(driverMessage(new Error(hinted))).toBe('Catalog Error: no table x! Did you mean "y"?');
  const failure = storeFailure("read segments in", "here", new Error(marked));
  expect(failure.message).toBe("Cannot read segments in here: Binder Error: no such column");
});

/** Real files, but for durable writes of one name: after the first (made by the start), `times` of them fail. */
function filesThatFail(name: string, times: number): Files {
  let [writes, left] = [0, times];
  return {
    ...platform.files,
    writeDurably(path, data) {
      if (path.endsWith(name) && writes++ > 0 && left-- > 0)
        throw new FabricError("io", `Cannot write ${path}: no space`);
      platform.files.writeDurably(path, data);
    },
  };
}
