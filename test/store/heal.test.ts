import { expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { platform } from "#platform";
import type { Files } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import { CommitPipeline } from "../../src/store/commit-pipeline.ts";
import type { StoreWriter } from "../../src/store/contract.ts";
import { decodeManifest, type Manifest } from "../../src/store/manifest.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, deliverAll, failureOf, fill, keepingLog, openReader, openWriter, START } from "./support.ts";

const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  deleted: (path) => rmSync(path),
  truncated: (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
  emptied: (path) => truncateSync(path, 0),
  "changed in one bit": (path) => {
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  },
};

for (const [name, damage] of Object.entries(DAMAGES)) {
  test(`A segment ${name} under the running writer is rebuilt by the next look, without any commit, and said once`, async () => {
    using folder = tempFolder();
    const log = keepingLog();
    const writer = await openWriter(folder.path, { log, tuning: { deletionGraceMs: 0 } });
    await fill(writer, ["A", "B"], 0, 4);
    await writer.heal();
    expect(log.lines).toEqual([]);
    await eventually(() => Date.now() - statSync(segmentsOf(folder.path)[1] ?? "").mtimeMs > 20);
    damage(segmentsOf(folder.path)[1] ?? "");
    await writer.heal();
    expect(writer.counters()).toMatchObject({ rebuiltSegments: 1, rebuiltManifests: 0, segments: 5 });
    await writer.heal();
    expect(writer.counters().rebuiltSegments).toBe(1);
    expect(log.lines.filter((line) => line.startsWith("warn:")).length).toBe(1);
    await expectWhole(folder.path, writer);
    await writer.close();
  });
}

const MANIFEST_DAMAGES: Readonly<Record<string, (path: string, older: string) => void>> = {
  missing: (path) => rmSync(path),
  torn: (path) => truncateSync(path, 200),
  "changed within its length": (path) =>
    writeFileSync(path, readFileSync(path, "utf8").replace('"rows":2', '"rows":3')),
  "an older one": (path, older) => writeFileSync(path, older),
};

for (const [name, damage] of Object.entries(MANIFEST_DAMAGES)) {
  test(`A manifest that is ${name} is written again by the next look, without any commit, and said once`, async () => {
    using folder = tempFolder();
    const log = keepingLog();
    const writer = await openWriter(folder.path, { log });
    await fill(writer, ["A", "B"], 0, 1);
    const path = folder.join("published", "manifest.json");
    const older = readFileSync(path, "utf8");
    await fill(writer, ["A", "B"], 2, 4);
    damage(path, older);
    await writer.heal();
    await writer.heal();
    expect(writer.counters()).toMatchObject({ rebuiltSegments: 0, rebuiltManifests: 1 });
    expect(log.lines.filter((line) => line.includes("manifest")).length).toBe(1);
    await expectWhole(folder.path, writer);
    await writer.close();
  });
}

test("A published folder that vanishes whole is made again, the newest rows first and the rest within the next looks", async () => {
  using folder = tempFolder();
  const log = keepingLog();
  const writer = await openWriter(folder.path, { log, tuning: { rowsPerCall: 4, mergeWidth: 99 } });
  await fill(writer, ["A", "B"], 0, 9);
  rmSync(folder.join("published"), { recursive: true });
  await writer.heal();
  const reader = openReader(folder.path);
  expect((await reader.delivery(16, 10, "all"))?.candles.map((row) => row.commitSeq)).toEqual([17, 18, 19, 20]);
  expect((await failureOf(() => deliverAll(reader))).code).toBe("unavailable");
  for (let look = 0; look < 4; look++) await writer.heal();
  expect(writer.counters()).toMatchObject({ rebuiltSegments: 10, rebuiltManifests: 1 });
  expect(log.lines.filter((line) => line.includes("Rebuilding published segments")).length).toBe(1);
  await reader.close();
  await expectWhole(folder.path, writer);
  await writer.close();
});

test("Damage that no stamp and no size tells of is found within a round of hashing", async () => {
  using folder = tempFolder();
  // A disk that rots: every file shows the stamp it always had.
  const files: Files = {
    ...platform.files,
    stat: (path) => {
      const stat = platform.files.stat(path);
      return stat && { ...stat, modifiedMs: 1 };
    },
  };
  const writer = await openWriter(folder.path, { files, tuning: { deletionGraceMs: 0 } });
  await fill(writer, ["A", "B"], 0, 99);
  await writer.heal();
  DAMAGES["changed in one bit"]?.(segmentsOf(folder.path)[70] ?? "");
  for (let look = 0; look < 8; look++) await writer.heal();
  expect(writer.counters().rebuiltSegments).toBe(1);
  await expectWhole(folder.path, writer);
  await writer.close();
});

test("A segment that was hashed since it was written is not hashed again by a start after a kill", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 9);
  await writer.heal();
  await writer.commit(batch([candle("A", 10)]));
  await writer.seal();
  const settled = manifestOf(folder.path).segments.map((segment) => segment.settled);
  expect(settled).toEqual([...Array.from({ length: 10 }, () => true), false]);
  await writer.close();
});

test("While the folder cannot be written healing fails, says so once and in health, and works by itself afterwards without any commit", async () => {
  using folder = tempFolder();
  const log = keepingLog();
  let isReadOnly = false;
  const files: Files = {
    ...platform.files,
    writeDurably(path, data) {
      if (isReadOnly) throw new FabricError("io", `Cannot write ${path}: EROFS: read-only file system`);
      platform.files.writeDurably(path, data);
    },
  };
  const writer = await openWriter(folder.path, { log, files, tuning: { deletionGraceMs: 0 } });
  await fill(writer, ["A", "B"], 0, 4);
  const pipeline = new CommitPipeline({ writer, onCommitted: () => undefined }, { ...platform, log });
  isReadOnly = true;
  rmSync(folder.join("published"), { recursive: true });
  for (let look = 0; look < 3; look++) {
    pipeline.heal();
    await eventually(() => pipeline.counters().failedSeals === look + 1);
    await writer.compact();
  }
  expect(pipeline.sealFailure).toContain("read-only");
  expect(log.lines.filter((line) => line.startsWith("warn: Cannot publish segments now")).length).toBe(1);
  isReadOnly = false;
  pipeline.heal();
  await eventually(() => pipeline.sealFailure === null);
  expect(log.lines.at(-1)).toContain("can be published again");
  await pipeline.close();
  await expectWhole(folder.path, writer);
  await writer.close();
});

test("Rows whose seal failed are published by the next look, also where no further commit comes", async () => {
  using folder = tempFolder();
  let failures = 1;
  const files: Files = {
    ...platform.files,
    rename(from, to) {
      if (from.endsWith(".parquet.tmp") && failures-- > 0)
        throw new FabricError("io", `Cannot rename ${from}: no space`);
      platform.files.rename(from, to);
    },
  };
  const writer = await openWriter(folder.path, { files, tuning: { deletionGraceMs: 0 } });
  await writer.commit(
    batch([candle("A", 0)], START, [{ symbol: "B", fromOpenTime: START, toOpenTime: START, reason: "x" }]),
  );
  expect((await failureOf(() => writer.seal())).code).toBe("io");
  await writer.heal();
  expect(manifestOf(folder.path).throughSeq).toBe(1);
  await expectWhole(folder.path, writer);
  await writer.close();
});

test("A writer starts beside a published folder that cannot be used, commits, and publishes everything once it can", async () => {
  using folder = tempFolder();
  const log = keepingLog();
  await (await openWriter(folder.path)).close();
  rmSync(folder.join("published"), { recursive: true });
  writeFileSync(folder.join("published"), "in the way");
  const writer = await openWriter(folder.path, { log, tuning: { deletionGraceMs: 0 } });
  expect(log.lines.filter((line) => line.startsWith("warn:")).length).toBe(2);
  await writer.commit(batch([candle("A", 0)], START));
  expect((await failureOf(() => writer.heal())).code).toBe("io");
  await writer.compact();
  rmSync(folder.join("published"));
  await writer.heal();
  await expectWhole(folder.path, writer);
  await writer.close();
});

test("Invariant 2 (durable before visible): a store whose manifest was lost is listed in one step once all of it is written, and commits go on meanwhile", async () => {
  using folder = tempFolder();
  const tuning = { rowsPerCall: 4, maxSegmentRows: 2, mergeWidth: 99, deletionGraceMs: 0 };
  const first = await openWriter(folder.path, { tuning });
  await fill(first, ["A", "B"], 0, 9);
  await first.close();
  const manifest = folder.join("published", "manifest.json");
  rmSync(manifest);
  const reader = openReader(folder.path);
  const writer = await openWriter(folder.path, { tuning });
  for (let look = 1; look <= 5; look++) {
    expect(await reader.view()).toBeNull();
    if (look === 3) await writer.commit(batch([candle("A", 10), candle("B", 10)], START + 600_000));
    await writer.heal();
  }
  expect(await reader.view()).toMatchObject({ throughSeq: 22, closedThrough: START + 600_000 });
  expect(writer.counters().rebuiltSegments).toBe(11);
  await expectWhole(folder.path, writer);
  await reader.close();
  // A life too short to publish everything makes no manifest either: the next one goes on from nothing.
  await writer.close();
  rmSync(manifest);
  await (await openWriter(folder.path, { tuning })).close();
  expect(statSync(manifest, { throwIfNoEntry: false })).toBeUndefined();
  const last = await openWriter(folder.path, { tuning });
  for (let look = 0; look < 5; look++) await last.heal();
  await expectWhole(folder.path, last);
  await last.close();
});

test("What was written and not yet listed is written again where it vanishes", async () => {
  using folder = tempFolder();
  let isFull = false;
  const files: Files = {
    ...platform.files,
    writeDurably(path, data) {
      if (isFull) throw new FabricError("io", `Cannot write ${path}: no space`);
      platform.files.writeDurably(path, data);
    },
  };
  const writer = await openWriter(folder.path, { files, tuning: { deletionGraceMs: 0 } });
  await fill(writer, ["A"], 0, 1);
  isFull = true;
  for (const minute of [2, 3]) {
    await writer.commit(batch([candle("A", minute)], START + minute * 60_000));
    expect((await failureOf(() => writer.seal())).code).toBe("io");
  }
  rmSync(segmentsOf(folder.path)[2] ?? "");
  isFull = false;
  await writer.seal();
  await expectWhole(folder.path, writer);
  await writer.close();
});

type Step = readonly ["commit" | "seal" | "compact" | "heal" | "restart" | "damage" | "manifest", number];

test("Invariants 2 and 3: whatever is damaged while the writer lives, one look later exactly the committed rows are published, and nothing is left over", async () => {
  const step: fc.Arbitrary<Step> = fc.tuple(
    fc.constantFrom("commit", "commit", "seal", "compact", "heal", "damage", "damage", "manifest", "restart" as const),
    fc.nat(1000),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), async (steps) => {
      using folder = tempFolder();
      const tuning = { mergeWidth: 3, maxSegmentRows: 12, deletionGraceMs: 0 };
      let writer = await openWriter(folder.path, { tuning });
      const committed = [];
      let minute = 0;
      for (const [action, number] of steps) {
        if (action === "commit") {
          const rows = Array.from({ length: 1 + (number % 3) }, (_, index) => candle(`S${index}`, minute));
          committed.push(...(await writer.commit(batch(rows, START + minute++ * 60_000))));
        } else if (action === "restart") {
          await writer.close();
          writer = await openWriter(folder.path, { tuning });
        } else if (action === "damage") {
          const path = segmentsOf(folder.path)[number % Math.max(1, segmentsOf(folder.path).length)];
          const kinds = Object.values(DAMAGES).slice(0, 3);
          if (path !== undefined) kinds[number % kinds.length]?.(path);
        } else if (action === "manifest") {
          const path = folder.join("published", "manifest.json");
          if (statSync(path, { throwIfNoEntry: false })) (number % 2 ? rmSync : truncateSync)(path);
        } else await writer[action]();
      }
      // The first look may only find the damage of a file that is then merged; the second has nothing left to do.
      await writer.heal();
      await writer.heal();
      await expectWhole(folder.path, writer);
      const reader = openReader(folder.path);
      expect(await deliverAll(reader, 7)).toEqual(committed);
      await reader.close();
      await writer.close();
    }),
    { numRuns: 15 },
  );
}, 120_000);

/** The manifest is the writer's, and the folder holds what it lists and nothing else; a reader gets every row. */
async function expectWhole(folder: string, writer: StoreWriter): Promise<void> {
  const { segments, throughSeq } = manifestOf(folder);
  expect(throughSeq).toBe(writer.commitSeq);
  const listed = segments.map((segment) => segment.file).sort();
  await eventually(() => Bun.deepEquals(readdirSync(`${folder}/published/segments`).sort(), listed));
  for (const segment of segments)
    expect(platform.files.sha256(`${folder}/published/segments/${segment.file}`)).toBe(segment.sha256);
  const reader = openReader(folder);
  expect((await deliverAll(reader)).map((row) => row.commitSeq)).toEqual(
    Array.from({ length: writer.commitSeq }, (_, index) => index + 1),
  );
  await reader.close();
}

function manifestOf(folder: string): Manifest {
  const found = decodeManifest(readFileSync(`${folder}/published/manifest.json`, "utf8"));
  if (typeof found === "string" || "otherFormat" in found)
    throw new Error(`Expected a manifest, found ${String(found)}`);
  return found;
}

/** Paths of the listed kinds' files, oldest rows first. */
function segmentsOf(folder: string): readonly string[] {
  const path = `${folder}/published/segments`;
  return statSync(path, { throwIfNoEntry: false })
    ? readdirSync(path)
        .sort()
        .map((name) => `${path}/${name}`)
    : [];
}
