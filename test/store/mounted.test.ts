import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import { CommitPipeline } from "../../src/store/commit-pipeline.ts";
import { eventually } from "../support/eventually.ts";
import { batch, candle, deliverAll, keepingLog, openReader, openWriter, START } from "./support.ts";

// The published folder on a file system of its own, so that it can be full or read-only while market.duckdb is not.
const FOLDER = `${platform.files.realPath("/tmp")}/fabric-published-${process.pid}`;
const PUBLISHED = `${FOLDER}/published`;
const canMount =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  sh(
    `mkdir -p ${PUBLISHED} && mount -t tmpfs tmpfs ${PUBLISHED} && umount ${PUBLISHED}; code=$?; rm -r ${FOLDER}; exit $code`,
  );
if (!canMount) console.warn("SKIPPED: the tests of a full or read-only published folder need root and mount(8)");

function sh(command: string): boolean {
  return Bun.spawnSync(["sh", "-c", command]).exitCode === 0;
}

describe.skipIf(!canMount)("A published folder that cannot be written", () => {
  beforeAll(() => {
    mkdirSync(PUBLISHED, { recursive: true });
    expect(sh(`mount -t tmpfs -o size=2m,mode=700 tmpfs ${PUBLISHED}`)).toBe(true);
  });
  afterAll(() => {
    sh(`umount -l ${PUBLISHED}`);
    rmSync(FOLDER, { recursive: true, force: true });
  });

  const TROUBLES: readonly (readonly [name: string, begin: () => void, end: () => void])[] = [
    [
      "because the disk is full",
      () => {
        let free = 64 * 1024;
        for (const [file, bytes] of [["ballast", 1_700_000] as const, ["rest", free] as const])
          writeFileSync(`${PUBLISHED}/${file}`, Buffer.alloc(bytes));
        // To the last page.
        for (free = 0; free < 512; free++) if (!sh(`head -c 4096 /dev/zero > ${PUBLISHED}/fill-${free}`)) break;
      },
      () => sh(`rm ${PUBLISHED}/ballast ${PUBLISHED}/rest ${PUBLISHED}/fill-*`),
    ],
    [
      "because it is read-only",
      () => sh(`mount -o remount,ro ${PUBLISHED}`),
      () => sh(`mount -o remount,rw ${PUBLISHED}`),
    ],
  ];

  for (const [name, begin, end] of TROUBLES) {
    test(`${name} holds up no commit, is told once and shows in health, and is made up for when it ends, with or without a further commit`, async () => {
      const log = keepingLog();
      const writer = await openWriter(FOLDER, { log, tuning: { deletionGraceMs: 0 } });
      const published: number[] = [];
      const pipeline = new CommitPipeline(
        { writer, onCommitted: (rows) => published.push(...rows.map((row) => row.commitSeq)) },
        { ...platform, log },
      );
      const startSeq = writer.commitSeq;
      const minute = startSeq / 2;
      const close = (at: number) =>
        batch([candle("A", minute + at), candle("B", minute + at)], START + (minute + at) * 60_000);
      pipeline.offer(close(0));
      await pipeline.drain();
      expect(begin()).not.toBe(false);
      pipeline.offer(close(1));
      await eventually(() => pipeline.sealFailure !== null);
      await eventually(() => writer.commitSeq === startSeq + 4);
      // The seal waits for its next try, or for healing: whichever comes first, nobody offers anything more.
      expect(end()).not.toBe(false);
      pipeline.heal();
      await eventually(() => pipeline.sealFailure === null);
      await pipeline.drain();
      expect(published.length).toBe(4);
      expect(log.lines.filter((line) => line.startsWith("warn: Cannot publish segments now")).length).toBe(1);
      const reader = openReader(FOLDER);
      expect((await deliverAll(reader)).length).toBe(writer.commitSeq);
      await reader.close();
      await pipeline.close();
      await writer.close();
      // Attempts that failed have left nothing behind.
      const files = platform.files.list(`${PUBLISHED}/segments`);
      expect(files.filter((file) => file.endsWith(".tmp"))).toEqual([]);
      expect(platform.files.list(PUBLISHED).filter((file) => file.includes(".tmp"))).toEqual([]);
    }, 30_000);
  }
});
