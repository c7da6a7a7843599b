import { expect, test } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import fc from "fast-check";
import { platform } from "#platform";
import type { StoredCandle } from "../../src/core/candle.ts";
import type { Files } from "../../src/core/env.ts";
import { isPassing } from "../../src/core/errors.ts";
import type { StoreReader } from "../../src/store/contract.ts";
import { DuckDbSegments } from "../../src/store/duckdb-segments.ts";
import { openStoreReader } from "../../src/store/reader.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, deliverAll, failureOf, fill, openReader, openWriter, START, storeDeps } from "./support.ts";

/** What somebody may do to a published file, with two numbers to choose where. */
const DAMAGES: Readonly<Record<string, (path: string, one: number, other: number) => void>> = {
  deleted: (path) => rmSync(path),
  truncated: (path, one) => truncateSync(path, one % statSync(path).size),
  "one bit flipped": (path, one, other) => rewrite(path, (bytes) => flip(bytes, one, 1 << (other % 8))),
  "a byte changed": (path, one, other) => rewrite(path, (bytes) => flip(bytes, one, 1 + (other % 255))),
  "a run zeroed": (path, one, other) =>
    rewrite(path, (bytes) => bytes.fill(0, one % bytes.length, (one % bytes.length) + 1 + (other % 64))),
  "zeroed whole": (path) => rewrite(path, (bytes) => bytes.fill(0)),
  "made longer": (path, one) => writeFileSync(path, Buffer.alloc(1 + (one % 100), 7), { flag: "a" }),
  "replaced by a neighbour": (path, one) => {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const names = readdirSync(folder).filter((name) => name !== path.slice(folder.length + 1));
    const name = names[one % names.length];
    if (name !== undefined && statSync(`${folder}/${name}`).isFile()) copyFileSync(`${folder}/${name}`, path);
  },
  "replaced by a folder": (path) => {
    rmSync(path);
    mkdirSync(path);
  },
};

function rewrite(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
}

function flip(bytes: Buffer, at: number, bits: number): void {
  const index = at % bytes.length;
  bytes[index] = (bytes[index] ?? 0) ^ bits;
}

type Read = (reader: StoreReader) => Promise<unknown>;
const READS: Readonly<Record<string, Read>> = {
  view: (reader) => reader.view(),
  delivery: (reader) => deliverAll(reader, 7),
  "delivery of one symbol": (reader) => deliverAll(reader, 100, new Set(["B"])),
  "the newest page": async (reader) => (await reader.delivery(18, 100, "all"))?.candles,
  history: (reader) => reader.history("A", START + 60_000, START + 6 * 60_000),
  latest: (reader) => reader.latest("B", 3),
  gaps: (reader) => reader.gaps(null),
};

test("Whatever is done to published files, a read gives the right rows or an error that passes, and never wrong rows", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A", "B"], 0, 9);
  await writer.commit(batch([], null, [{ symbol: "A", fromOpenTime: START, toOpenTime: START, reason: "told" }]));
  await writer.seal();
  const good = new Map(publishedFiles(folder.path).map((path) => [path, readFileSync(path)] as const));
  const expected = new Map<string, unknown>();
  await using used = openReaderFor(folder.path);
  for (const [name, read] of Object.entries(READS)) expected.set(name, await read(used.reader));

  const damage = fc.record({
    file: fc.nat(good.size - 1),
    kind: fc.constantFrom(...Object.keys(DAMAGES)),
    one: fc.nat(),
    other: fc.nat(),
  });
  const seen = { right: 0, passing: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), fc.boolean(), async (damages, isFresh) => {
      await using fresh = openReaderFor(folder.path);
      const { reader } = isFresh ? fresh : used;
      if (isFresh) await reader.view();
      try {
        for (const { file, kind, one, other } of damages) {
          const path = [...good.keys()][file] ?? "";
          if (statSync(path, { throwIfNoEntry: false })?.isFile()) attempt(() => DAMAGES[kind]?.(path, one, other));
        }
        for (const [name, read] of Object.entries(READS)) {
          const answer = await read(reader).catch((error: unknown) => error);
          if (answer instanceof Error) {
            expect(`${name}: ${answer.message} ${isPassing(answer)}`).toEndWith(" true");
            expect(answer.message).not.toContain("\n");
            seen.passing++;
          } else {
            expect({ [name]: answer }).toEqual({ [name]: expected.get(name) });
            seen.right++;
          }
        }
      } finally {
        restore(good);
      }
      for (const [name, read] of Object.entries(READS)) expect(await read(reader)).toEqual(expected.get(name));
    }),
    { numRuns: 120 },
  );
  // Both answers must really come up, or this test shows nothing.
  expect(seen.right).toBeGreaterThan(100);
  expect(seen.passing).toBeGreaterThan(100);
  await writer.close();
}, 120_000);

test("Invariant 4 (exactly once): a bit that flips in a file already read once is noticed, though the file still decodes", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await writer.commit(batch(Array.from({ length: 300 }, (_, minute) => candle("A", minute))));
  await writer.seal();
  const [, path = ""] = publishedFiles(folder.path);
  const good = readFileSync(path);
  await using used = openReaderFor(folder.path);
  const rows = await deliverAll(used.reader);
  let decodedWrong = 0;
  for (let at = 4; at < good.length; at += 101) {
    rewrite(path, (bytes) => flip(bytes, at, 1));
    const bare = new DuckDbSegments();
    const found = await bare.delivery([path], 0, 1000, "all").catch(() => rows);
    await bare.close();
    if (!Bun.deepEquals(found, rows)) decodedWrong++;
    expect((await failureOf(() => deliverAll(used.reader))).code).toBe("unavailable");
    writeFileSync(path, good);
    expect(await deliverAll(used.reader)).toEqual(rows);
  }
  // Without the checksum these would have been handed to a strategy.
  expect(decodedWrong).toBeGreaterThan(0);
  await writer.close();
});

test("A file that changes between its check and its reading is noticed by the check after, whatever its time stamp shows", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await writer.commit(batch(Array.from({ length: 300 }, (_, minute) => candle("A", minute))));
  await writer.seal();
  await writer.close();
  const [, path = ""] = publishedFiles(folder.path);
  const good = readFileSync(path);
  const at = await silentFlip(path);
  for (const stamps of ["fine", "coarse"]) {
    let damages = 1;
    const files: Files = {
      ...platform.files,
      // A coarse stamp does not move with a change that follows at once.
      stat: (name) => {
        const stat = platform.files.stat(name);
        return stat && stamps === "coarse" ? { ...stat, modifiedMs: 5_000 } : stat;
      },
      sha256(name) {
        const sum = platform.files.sha256(name);
        if (damages-- > 0) rewrite(name, (bytes) => flip(bytes, at, 1));
        return sum;
      },
    };
    const clock = { ...platform.clock, nowMs: () => (stamps === "coarse" ? 5_050 : Date.now() + 60_000) };
    const reader = openStoreReader({ folder: folder.path }, { ...storeDeps(), files, clock });
    expect((await failureOf(() => deliverAll(reader))).code).toBe("unavailable");
    writeFileSync(path, good);
    expect((await deliverAll(reader)).length).toBe(300);
    // And between two reads.
    rewrite(path, (bytes) => flip(bytes, at, 1));
    expect((await failureOf(() => deliverAll(reader))).code).toBe("unavailable");
    writeFileSync(path, good);
    await reader.close();
  }
});

/** A byte of the file whose lowest bit, flipped, still decodes, to other values. */
async function silentFlip(path: string): Promise<number> {
  const good = readFileSync(path);
  const rows = new DuckDbSegments();
  const expected = await rows.delivery([path], 0, 1000, "all");
  try {
    for (let at = 4; at < good.length; at++) {
      rewrite(path, (bytes) => flip(bytes, at, 1));
      const found = await rows.delivery([path], 0, 1000, "all").catch(() => expected);
      writeFileSync(path, good);
      if (!Bun.deepEquals(found, expected)) return at;
    }
  } finally {
    await rows.close();
  }
  throw new Error("No flip decodes silently: this test shows nothing");
}

test("DuckDB's errors on a torn Parquet file all pass, cut anywhere and changed anywhere", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await writer.commit(batch(Array.from({ length: 60 }, (_, index) => candle(`S${index % 3}`, Math.floor(index / 3)))));
  await writer.seal();
  await writer.close();
  const [, path = ""] = publishedFiles(folder.path);
  const good = readFileSync(path);
  const rows = new DuckDbSegments();
  const torn = folder.join("torn.parquet");
  const texts = new Set<string>();
  const readTorn = async (bytes: Uint8Array) => {
    writeFileSync(torn, bytes);
    const answer = await rows.delivery([torn], 0, 1000, "all").catch((error: unknown) => error);
    if (!(answer instanceof Error)) return;
    expect(`${answer.message} ${isPassing(answer)}`).toEndWith(" true");
    texts.add(answer.message.replaceAll(/"[^"]*"|\d+/g, "#").slice(0, 120));
  };
  for (let length = 0; length < good.length; length += 37) await readTorn(good.subarray(0, length));
  for (let at = 0; at < good.length; at += 5) {
    const bytes = Buffer.from(good);
    flip(bytes, at, at % 2 === 0 ? 0xff : 1 << (at % 8));
    await readTorn(bytes);
  }
  await readTorn(Buffer.alloc(good.length));
  rmSync(torn);
  mkdirSync(torn);
  expect(isPassing(await failureOf(() => rows.delivery([torn], 0, 1, "all")))).toBe(true);
  expect((await failureOf(() => rows.delivery([folder.join("none.parquet")], 0, 1, "all"))).code).toBe("missing-input");
  expect(texts.size).toBeGreaterThan(8);
  await rows.close();
}, 60_000);

test("A manifest that goes missing or goes back after a reader saw it is waited for, and never read as an empty store", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  await fill(writer, ["A"], 0, 2);
  const older = readFileSync(folder.join("published", "manifest.json"));
  await fill(writer, ["A"], 3, 4);
  const manifest = folder.join("published", "manifest.json");
  const newer = readFileSync(manifest);
  await using used = openReaderFor(folder.path);
  const { reader } = used;
  expect((await reader.view())?.throughSeq).toBe(5);
  const all: readonly Read[] = [...Object.values(READS)];
  const codes = async () => {
    const found = await Promise.all(all.map((read) => failureOf(() => read(reader))));
    return new Set(found.map((error) => error.code));
  };
  rmSync(manifest);
  expect(await codes()).toEqual(new Set(["unavailable"]));
  writeFileSync(manifest, older);
  expect(await codes()).toEqual(new Set(["unavailable"]));
  writeFileSync(manifest, newer);
  expect(await minutesOf(reader)).toEqual([0, 1, 2, 3, 4]);
  rmSync(folder.join("published"), { recursive: true });
  expect(await codes()).toEqual(new Set(["unavailable"]));
  await writer.close();
});

async function minutesOf(reader: StoreReader): Promise<readonly number[]> {
  const rows: readonly StoredCandle[] = await reader.history("A", START, START + 86_400_000);
  return rows.map((row) => (row.openTime - START) / 60_000);
}

/** The manifest, then the segments. */
function publishedFiles(folder: string): readonly string[] {
  const segments = `${folder}/published/segments`;
  return [`${folder}/published/manifest.json`, ...readdirSync(segments).map((name) => `${segments}/${name}`)];
}

function restore(good: ReadonlyMap<string, Buffer>): void {
  for (const [path, bytes] of good) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) rmSync(path, { recursive: true });
    writeFileSync(path, bytes);
  }
}

/** A damage may not apply to what an earlier one left (an empty file has no byte to flip). */
function attempt(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

function openReaderFor(folder: string) {
  const reader = openReader(folder);
  return { reader, [Symbol.asyncDispose]: () => reader.close() };
}
