import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { platform } from "#platform";
import type { Manifest } from "../../src/store/manifest.ts";
import { type StoreReport, verifyStore } from "../../src/store/verify.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, failureOf, fill, openWriter, START } from "./support.ts";

/** Two symbols, five minutes, a recorded gap of two, five more, a revision; closed in order. */
async function soundStore(folder: string): Promise<void> {
  const writer = await openWriter(folder);
  try {
    await writer.bind("test");
    await fill(writer, ["BTCUSDT", "ETHUSDT"], 0, 4);
    const gaps = ["BTCUSDT", "ETHUSDT"].map((symbol) => {
      return { symbol, fromOpenTime: START + 5 * 60_000, toOpenTime: START + 6 * 60_000, reason: "test" };
    });
    await writer.commit(batch([], START + 6 * 60_000, gaps));
    await fill(writer, ["BTCUSDT", "ETHUSDT"], 7, 11);
    await writer.revise([candle("BTCUSDT", 3, "backfilled", 101)]);
    await writer.seal();
  } finally {
    await writer.close();
  }
}

async function change(folder: string, ...statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(join(folder, "market.duckdb"));
  const connection = await instance.connect();
  for (const sql of statements) await connection.run(sql);
  connection.closeSync();
  instance.closeSync();
}

function broken(report: StoreReport): readonly string[] {
  return report.checks.filter((check) => !check.ok).map((check) => check.id);
}

function manifestPath(folder: string): string {
  return join(folder, "published/manifest.json");
}

function readManifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(manifestPath(folder), "utf8")).manifest;
}

function writeManifest(folder: string, manifest: unknown): void {
  const body = JSON.stringify(manifest);
  const sha256 = createHash("sha256").update(body).digest("hex");
  writeFileSync(manifestPath(folder), `{"sha256":"${sha256}","manifest":${body}}\n`);
}

function segmentPath(folder: string, at = 0): string {
  return join(folder, "published/segments", readManifestOf(folder).segments[at]?.file ?? "");
}

test("A sound store passes every check, and verifying changes no byte of it", async () => {
  using folder = tempFolder();
  await soundStore(folder.path);
  const before = platform.files.sha256(folder.join("market.duckdb"));
  const report = await verifyStore(folder.path, platform.files);
  expect(broken(report)).toEqual([]);
  expect([report.rows, report.symbols, report.gaps, report.revisions]).toEqual([20, 2, 2, 1]);
  expect(report.checks.map((check) => check.id)).toEqual([
    "numbers",
    "revision-numbers",
    "gap-numbers",
    "keys",
    "order",
    "sanity",
    "contiguity",
    "gaps",
    "revisions",
    "manifest",
    "segments",
  ]);
  expect(platform.files.sha256(folder.join("market.duckdb"))).toBe(before);
});

const SECOND = "commit_seq = 2";
/** What is done to the truth, and the checks that must find it. The segments then differ from it, too. */
const FAULTS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["a hole in the numbers", [`DELETE FROM candle WHERE ${SECOND}`], ["numbers", "order", "segments"]],
  ["a number given twice", [`UPDATE candle SET commit_seq = 1 WHERE ${SECOND}`], ["numbers", "segments"]],
  [
    "a minute stored twice",
    [`UPDATE candle SET open_time = (SELECT open_time FROM candle WHERE commit_seq = 1) WHERE commit_seq = 3`],
    ["keys", "order", "contiguity", "segments"],
  ],
  [
    "a link to the wrong minute",
    ["UPDATE candle SET prev_open_time = NULL WHERE commit_seq = 5"],
    ["order", "segments"],
  ],
  ["a high below the close", ["UPDATE candle SET high = close - 1 WHERE commit_seq = 4"], ["sanity", "segments"]],
  ["a volume below zero", ["UPDATE candle SET volume = -1 WHERE commit_seq = 4"], ["sanity", "segments"]],
  [
    "an empty candle with trades",
    ["UPDATE candle SET provenance = 'empty' WHERE commit_seq = 4"],
    ["sanity", "segments"],
  ],
  [
    "a missing minute that no gap records",
    ["DELETE FROM feed_gap WHERE symbol = 'BTCUSDT'"],
    ["gap-numbers", "contiguity", "segments"],
  ],
  [
    "a gap that covers a part only",
    ["UPDATE feed_gap SET to_open_time = from_open_time WHERE symbol = 'BTCUSDT'"],
    ["contiguity", "segments"],
  ],
  [
    "a gap that ends before it begins",
    ["UPDATE feed_gap SET to_open_time = from_open_time - INTERVAL 1 MINUTE"],
    ["contiguity", "gaps", "segments"],
  ],
  ["a revision of no row", ["UPDATE candle_revision SET commit_seq = 99"], ["revisions", "segments"]],
  [
    "a row that was never published",
    [
      "INSERT INTO candle SELECT * REPLACE (21 AS commit_seq, open_time + INTERVAL 1 MINUTE AS open_time, open_time AS prev_open_time) FROM candle WHERE commit_seq = 20",
    ],
    ["manifest"],
  ],
];

for (const [what, statements, found] of FAULTS) {
  test(`Verifying finds ${what}`, async () => {
    using folder = tempFolder();
    await soundStore(folder.path);
    await change(folder.path, ...statements);
    const ids = broken(await verifyStore(folder.path, platform.files));
    expect(found.filter((id) => !ids.includes(id))).toEqual([]);
    expect(ids.filter((id) => !found.includes(id) && id !== "manifest" && id !== "numbers")).toEqual([]);
  });
}

test("Verifying finds a missing, a torn and an altered segment, and a damaged manifest", async () => {
  using folder = tempFolder();
  await soundStore(folder.path);
  const whole = readFileSync(segmentPath(folder.path));
  rmSync(segmentPath(folder.path));
  const missing = await verifyStore(folder.path, platform.files);
  expect(missing.checks.at(-1)).toMatchObject({
    id: "segments",
    ok: false,
    detail: expect.stringMatching(/is missing/),
  });

  writeFileSync(segmentPath(folder.path), whole);
  truncateSync(segmentPath(folder.path), whole.length - 10);
  expect(broken(await verifyStore(folder.path, platform.files))).toEqual(["segments"]);

  writeFileSync(segmentPath(folder.path), whole);
  expect(broken(await verifyStore(folder.path, platform.files))).toEqual([]);
  truncateSync(manifestPath(folder.path), 100);
  expect(broken(await verifyStore(folder.path, platform.files))).toEqual(["manifest"]);
  rmSync(manifestPath(folder.path));
  expect(broken(await verifyStore(folder.path, platform.files))).toEqual(["manifest"]);
});

test("Verifying finds one other value in a segment whose size and hash fit its manifest", async () => {
  using folder = tempFolder();
  await soundStore(folder.path);
  const manifest = readManifestOf(folder.path);
  const path = segmentPath(folder.path);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT * REPLACE (CASE WHEN commit_seq = 1 THEN volume + 0.5 ELSE volume END AS volume) FROM read_parquet('${path}')) TO '${path}.new' (FORMAT parquet)`,
  );
  connection.closeSync();
  instance.closeSync();
  const bytes = readFileSync(`${path}.new`);
  writeFileSync(path, bytes);
  rmSync(`${path}.new`);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const segments = manifest.segments.map((segment, at) =>
    at === 0 ? { ...segment, bytes: bytes.length, sha256 } : segment,
  );
  writeManifest(folder.path, { ...manifest, segments });
  const report = await verifyStore(folder.path, platform.files);
  expect(report.checks.at(-1)).toMatchObject({
    id: "segments",
    ok: false,
    detail: expect.stringMatching(/differs from the store in 2 rows/),
  });
});

test("Verifying finds heads, ranges and a store's identity that do not fit", async () => {
  using folder = tempFolder();
  await soundStore(folder.path);
  const manifest = readManifestOf(folder.path);
  const wrong: readonly Partial<Manifest>[] = [
    { storeId: "another" },
    { throughSeq: 3 },
    { heads: manifest.heads.slice(1) },
    { segments: manifest.segments.slice(1) },
  ];
  for (const part of wrong) {
    writeManifest(folder.path, { ...manifest, ...part });
    expect(broken(await verifyStore(folder.path, platform.files))).toEqual(["manifest"]);
  }
});

test("Verifying a folder without a store, or of another version, says so", async () => {
  using folder = tempFolder();
  expect((await failureOf(() => verifyStore(folder.path, platform.files))).code).toBe("missing-input");
  await soundStore(folder.path);
  await change(folder.path, "UPDATE meta SET schema_version = 99");
  expect((await failureOf(() => verifyStore(folder.path, platform.files))).code).toBe("config");
});
