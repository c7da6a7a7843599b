import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import { Actor } from "../../src/role/chaos/actor.ts";
import type { Part } from "../../src/role/chaos/cast.ts";
import { FileHand } from "../../src/role/chaos/file-hand.ts";
import { SCHEMA_VERSION } from "../../src/store/contract.ts";
import { encodeManifest } from "../../src/store/manifest.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";

const PART: Part = { name: "market-data", role: "market-data", words: ["60"], configured: null };
const ROWS = "rows of a segment";
const FILE = "candle-000000000001-000000000001-0a1b2c3d.parquet";

/** A published store of one segment, and a writer that is alive. */
function published(data: string): { readonly actor: Actor; readonly segment: string; publish(): void } {
  const segment = `${data}/published/segments/${FILE}`;
  const publish = () => {
    mkdirSync(`${data}/published/segments`, { recursive: true });
    writeFileSync(segment, ROWS);
    const [sha256, bytes] = [createHash("sha256").update(ROWS).digest("hex"), ROWS.length];
    const range = { firstSeq: 1, lastSeq: 1, rows: 1, minOpenTime: 0, maxOpenTime: 0 };
    const segments = [{ file: FILE, kind: "candle", ...range, bytes, sha256, settled: true } as const];
    const about = { format: SCHEMA_VERSION, storeId: "s", venue: "binance-spot", environment: "sim:seed=1" };
    const rest = { throughSeq: 1, closedThrough: null, cleanStop: false, heads: [] };
    writeFileSync(`${data}/published/manifest.json`, encodeManifest({ ...about, ...rest, segments }));
  };
  publish();
  const actor = new Actor(PART, ["sleep"], { mark: data, clock: platform.clock, onExit: () => undefined });
  actor.start(null);
  return { actor, segment, publish };
}

test("A flipped byte leaves the segment's size, and counts as healed only once its very bytes are back", async () => {
  using folder = tempFolder();
  const { actor, segment, publish } = published(folder.path);
  const hand = new FileHand(folder.path, [actor], () => false);
  expect(hand.hurt({ kind: "file", fault: "segment", node: "market-data", how: "flip", pick: 5 })).toBe(true);
  const hurt = readFileSync(segment);
  expect([hurt.length, hurt.toString("latin1")]).toEqual([
    ROWS.length,
    expect.stringMatching(/^rows [^o]f a segment$/s),
  ]);
  // Looked at more than once with all sizes right.
  const [lookedMs, startMs] = [200, performance.now()];
  await eventually(() => performance.now() - startMs > lookedMs);
  expect([hand.watching, hand.healings.length]).toEqual([true, 0]);
  publish();
  await eventually(() => !hand.watching);
  expect(hand.healings).toEqual([{ fault: "segment", what: "segment, a byte flipped", backMs: expect.any(Number) }]);
  hand.close();
  actor.kill();
  await actor.stop();
});

test("What was taken away from a node that was killed meanwhile is looked at once more at the end", async () => {
  using folder = tempFolder();
  const { actor, publish } = published(folder.path);
  const hand = new FileHand(folder.path, [actor], () => false);
  expect(hand.hurt({ kind: "file", fault: "published", node: "market-data", how: "delete", pick: 0 })).toBe(true);
  actor.kill();
  await actor.stop();
  await eventually(() => !hand.watching);
  expect(hand.healings).toEqual([]);
  actor.start(null);
  hand.lookAgain();
  expect(hand.watching).toBe(true);
  publish();
  await eventually(() => !hand.watching);
  expect(hand.healings.map(({ what, backMs }) => [what, backMs === null])).toEqual([["the published store", false]]);
  rmSync(`${folder.path}/published`, { recursive: true });
  hand.lookAgain();
  await eventually(() => !hand.watching, 10_000);
  expect(hand.healings.at(-1)?.backMs).toBeNull();
  hand.close();
  actor.kill();
  await actor.stop();
}, 15_000);
