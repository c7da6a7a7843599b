import { expect, test } from "bun:test";
import { truncateSync } from "node:fs";
import fc from "fast-check";
import { findGaps } from "../../src/role/data/gaps.ts";
import { batch, candle, openWriter, START } from "../store/support.ts";
import { fabric } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

const at = (minute: number) => START + minute * 60_000;
const utc = (minute: number) => new Date(at(minute)).toISOString().replace(".000Z", "Z");

test("data gaps tells each absent stretch with both ends, its minutes and feed_gap's reasons; imports count as present", async () => {
  using folder = tempFolder();
  const writer = await openWriter(folder.path);
  const live = [0, 1, 5, 6, 10].map((minute) => candle("A", minute));
  await writer.commit(
    batch([...live, candle("B", 0), candle("B", 2)], null, [
      { symbol: "A", fromOpenTime: at(2), toOpenTime: at(3), reason: "the venue gave no klines" },
      { symbol: "A", fromOpenTime: at(4), toOpenTime: at(4), reason: "id hole" },
      { symbol: "A", fromOpenTime: at(20), toOpenTime: at(30), reason: "after the last" },
    ]),
  );
  await writer.commit(batch([candle("A", 8, "imported")]));
  await writer.close();

  const told = await fabric(["data", "gaps", "--json", "--data", folder.path]);
  expect([told.code, told.err]).toEqual([0, ""]);
  expect(JSON.parse(told.out)).toEqual([
    { symbol: "A", from: utc(2), to: utc(4), minutes: 3, reason: "id hole; the venue gave no klines" },
    { symbol: "A", from: utc(7), to: utc(7), minutes: 1, reason: null },
    { symbol: "A", from: utc(9), to: utc(9), minutes: 1, reason: null },
    { symbol: "B", from: utc(1), to: utc(1), minutes: 1, reason: null },
  ]);
  const table = await fabric(["data", "gaps", "--symbol", "B", "--data", folder.path]);
  expect(table.out).toContain("\n1 minutes absent in 1 stretches of 1 symbols\n");
});

test("data gaps: no store is 66, so is a symbol that it has not; wrong words and flags are 64; what is damaged is 69", async () => {
  using folder = tempFolder();
  const gaps = (...words: string[]) => fabric(["data", "gaps", "--data", folder.path, ...words]);
  expect((await gaps()).code).toBe(66);
  const writer = await openWriter(folder.path);
  await writer.commit(batch([candle("A", 0), candle("A", 2)]));
  await writer.close();
  const unknown = await gaps("--symbol", "B");
  expect([unknown.code, unknown.err]).toEqual([
    66,
    "fabric: Cannot look for gaps: the store has no candle of B; it has A\n",
  ]);
  expect((await gaps("--symbol", "A,B")).code).toBe(64);
  const misplaced = await fabric(["data", "verify", "--symbol", "A", "--data", folder.path]);
  expect([misplaced.code, misplaced.err]).toEqual([64, "fabric: --symbol does not go with fabric data verify\n"]);
  truncateSync(`${folder.path}/published/manifest.json`, 50);
  expect((await gaps()).code).toBe(69);
});

test("The absent minutes are those between first and last that no row has, whatever is stored", async () => {
  const minutes = fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(minutes, async (stored) => {
      using folder = tempFolder();
      const writer = await openWriter(folder.path);
      const sorted = stored.toSorted((one, other) => one - other);
      await writer.commit(batch(sorted.map((minute) => candle("A", minute))));
      await writer.close();
      const { stretches } = await findGaps(folder.path, "A");
      const absent = stretches.flatMap(({ from, minutes: length }) =>
        Array.from({ length }, (_, index) => (Date.parse(from) - START) / 60_000 + index),
      );
      const [first = 0, last = 0] = [sorted[0], sorted.at(-1)];
      const expected = Array.from({ length: last - first }, (_, index) => first + index);
      expect(absent).toEqual(expected.filter((minute) => !stored.includes(minute)));
      // Stretches are as long as they can be.
      for (const [index, { from }] of stretches.entries()) {
        const before = stretches[index - 1];
        if (before) expect(Date.parse(from) - Date.parse(before.to)).toBeGreaterThan(60_000);
      }
    }),
    { numRuns: 15 },
  );
}, 30_000);
