import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { platform } from "#platform";
import type { Candle, StoredCandle } from "../../src/core/candle.ts";
import { isDelivered } from "../../src/core/delivery.ts";
import { CommitPipeline } from "../../src/store/commit-pipeline.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import {
  batch,
  candle,
  deliverAll,
  failureOf,
  keepingLog,
  openReader,
  openWriter,
  START,
  spawnFixture,
} from "./support.ts";

test("A writer killed in the middle of commits loses no acknowledged row, leaves no hole and no half close", async () => {
  using folder = tempFolder();
  let acknowledged = 0;
  for (let life = 0; life < 6; life++) {
    await using fixture = spawnFixture("writer", folder.path, "7");
    await eventually(() => fixture.lines.length > 8 + life * 7, 20_000, "commits");
    fixture.child.kill("SIGKILL");
    const lines = await fixture.ended();
    expect(lines[0]).toStartWith("open ");
    acknowledged = Number(lines.findLast((line) => line.startsWith("committed"))?.split(" ")[1]);
  }
  const writer = await openWriter(folder.path);
  expect(writer.commitSeq).toBeGreaterThanOrEqual(acknowledged);
  expect(writer.commitSeq % 7).toBe(0);
  const reader = openReader(folder.path);
  const rows = await deliverAll(reader);
  expect(rows.map((row) => row.commitSeq)).toEqual(Array.from({ length: writer.commitSeq }, (_, index) => index + 1));
  expectLinked(rows);
  expect((await reader.view())?.closedThrough).toBe(rows.at(-1)?.openTime ?? null);
  await reader.close();
  await writer.close();
}, 120_000);

/** A random day at the store: closes of some symbols (some repeated, late or imported), seals, merges, restarts. */
type Step =
  | { readonly do: "commit"; readonly rows: readonly (readonly [number, number, boolean])[] }
  | { readonly do: "seal" | "compact" | "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      rows: fc.array(
        fc.tuple(
          fc.nat(3),
          fc.nat(40),
          fc.boolean().map((flag) => flag),
        ),
        { maxLength: 8 },
      ),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: "seal" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "compact" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
);

test("Whatever is committed, sealed, merged and restarted, delivery is the committed rows by the contract's rule", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 25 }),
      fc.integer({ min: 1, max: 20 }),
      async (steps, pageRows) => {
        using folder = tempFolder();
        const tuning = { mergeWidth: 3, maxSegmentRows: 12, deletionGraceMs: 0 };
        let writer = await openWriter(folder.path, { tuning });
        const stored: StoredCandle[] = [];
        for (const action of steps) {
          if (action.do === "commit") {
            const candles: Candle[] = action.rows.map(([symbol, minute, isImport]) =>
              candle(`S${symbol}`, minute, isImport && minute % 3 === 0 ? "imported" : "complete"),
            );
            stored.push(...(await writer.commit(batch(candles))));
          } else if (action.do === "restart") {
            await writer.close();
            writer = await openWriter(folder.path, { tuning });
          } else {
            await writer[action.do]();
          }
        }
        await writer.seal();
        const delivered = stored.filter(isDelivered);
        const reader = openReader(folder.path);
        expect(stored.map((row) => row.commitSeq)).toEqual(stored.map((_, index) => index + 1));
        expect(await deliverAll(reader, pageRows)).toEqual(delivered);
        expectLinked(delivered);
        for (const symbol of ["S0", "S1"]) {
          const history = await reader.history(symbol, START, START + 86_400_000);
          const expected = stored.filter((row) => row.symbol === symbol).sort((a, b) => a.openTime - b.openTime);
          expect(history).toEqual(expected);
          expect(new Set(history.map((row) => row.openTime)).size).toBe(history.length);
        }
        const last = new Map(delivered.map((row) => [row.symbol, row.openTime]));
        expect(new Map([...writer.heads].map(([symbol, head]) => [symbol, head.lastOpenTime]))).toEqual(last);
        await reader.close();
        await writer.close();
      },
    ),
    { numRuns: 12 },
  );
}, 120_000);

function expectLinked(delivered: readonly StoredCandle[]): void {
  const last = new Map<string, number>();
  for (const row of delivered) {
    expect(row.prevOpenTime).toBe(last.get(row.symbol) ?? null);
    last.set(row.symbol, row.openTime);
  }
}

const MOUNT = `${platform.files.realPath("/tmp")}/fabric-full-${process.pid}`;
const MOUNT_IT = `mount -t tmpfs -o size=6m tmpfs ${MOUNT}`;
const canMount =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  Bun.spawnSync([
    "sh",
    "-c",
    `mkdir -p ${MOUNT} && ${MOUNT_IT} && umount ${MOUNT}; code=$?; rmdir ${MOUNT}; exit $code`,
  ]).exitCode === 0;
if (!canMount) console.warn("SKIPPED: the full-disk tests need root and mount(8)");

describe.skipIf(!canMount)("On a disk that is full", () => {
  beforeAll(() => {
    expect(Bun.spawnSync(["sh", "-c", `mkdir -p ${MOUNT} && ${MOUNT_IT}`]).exitCode).toBe(0);
  });
  afterAll(() => {
    Bun.spawnSync(["umount", "-l", MOUNT]);
    rmSync(MOUNT, { recursive: true, force: true });
  });

  const symbols = Array.from({ length: 200 }, (_, index) => `SYM${index}`);
  const close = (minute: number) =>
    batch(
      symbols.map((symbol) => candle(symbol, minute, "complete", 100 + Math.sin(minute) * 10)),
      START + minute * 60_000,
    );

  test("a failed commit changes nothing, the writer stays usable, and no number is lost when space returns", async () => {
    const folder = `${MOUNT}/data`;
    const log = keepingLog();
    const writer = await openWriter(folder, { log, tuning: { checkpointBytes: 1 } });
    await writer.commit(close(0));
    await writer.seal();
    writeFileSync(`${MOUNT}/ballast`, Buffer.alloc(3 * 1024 * 1024));
    let minute = 1;
    const failure = await failureOf(async () => {
      for (; minute < 2000; minute++) await writer.commit(close(minute));
    });
    expect(failure.code).toBe("io");
    const before = { seq: writer.commitSeq, through: writer.closedThrough, heads: new Map(writer.heads) };
    expect(before.seq).toBe(minute * 200);
    // Checkpointing on a full disk is fatal to DuckDB's instance: the next call has to open the file anew.
    let fatal = false;
    for (let attempt = 0; attempt < 3; attempt++) {
      expect((await failureOf(() => writer.commit(close(minute)))).code).toBe("io");
      const checkpoint = await writer.compact().then(() => "done", String);
      expect(checkpoint).toMatch(/done|Cannot checkpoint|Cannot publish|Cannot write/);
      fatal ||= checkpoint.includes("FATAL");
    }
    expect(fatal).toBe(true);
    expect({ seq: writer.commitSeq, through: writer.closedThrough, heads: new Map(writer.heads) }).toEqual(before);
    rmSync(`${MOUNT}/ballast`);
    const rows = await writer.commit(close(minute));
    expect([rows[0]?.commitSeq, rows.length]).toEqual([before.seq + 1, 200]);
    await writer.seal();
    const reader = openReader(folder);
    const delivered = await deliverAll(reader, 5000);
    expect(delivered.map((row) => row.commitSeq)).toEqual(Array.from({ length: writer.commitSeq }, (_, i) => i + 1));
    await reader.close();
    await writer.close();
    const again = await openWriter(folder);
    expect(again.commitSeq).toBe(before.seq + 200);
    await again.close();
    rmSync(folder, { recursive: true });
  }, 60_000);

  test("the pipeline stalls, publishes nothing that is not committed, and goes on by itself when space returns", async () => {
    const folder = `${MOUNT}/data`;
    const writer = await openWriter(folder);
    const published: number[] = [];
    const pipeline = new CommitPipeline(
      {
        writer,
        onCommitted: (rows) => {
          published.push(...rows.map((row) => row.commitSeq));
        },
        maxWaitingRows: 2000,
      },
      { timers: platform.timers, clock: platform.clock, log: keepingLog() },
    );
    writeFileSync(`${MOUNT}/ballast`, Buffer.alloc(4 * 1024 * 1024));
    let minute = 0;
    const stateNow = () => pipeline.state.kind;
    while (stateNow() === "writable") {
      if (pipeline.offer(close(minute)) === "accepted") minute++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    while (pipeline.offer(close(minute)) === "accepted") minute++;
    expect(published.length).toBe(writer.commitSeq);
    rmSync(`${MOUNT}/ballast`);
    await pipeline.drain();
    expect(stateNow()).toBe("writable");
    expect(published).toEqual(Array.from({ length: minute * 200 }, (_, index) => index + 1));
    await pipeline.close();
    await writer.close();
  }, 60_000);
});
