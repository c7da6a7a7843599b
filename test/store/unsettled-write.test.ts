import { expect, test } from "bun:test";
import type { StoredCandle } from "../../src/core/candle.ts";
import type { Revision, TruthChange, TruthState } from "../../src/store/ports.ts";
import { UnsettledWrite } from "../../src/store/unsettled-write.ts";
import { candle } from "./support.ts";

const BEFORE: TruthState = { commitSeq: 4, revisionSeq: 0, gapSeq: 0, closedThrough: 60_000, environment: "sim:1" };
const NOTHING: TruthChange = { rows: [], revisions: [], gaps: [], start: null };
const ROW: StoredCandle = { ...candle("A", 5), commitSeq: 5, prevOpenTime: null };
const REVISION: Revision = { ...candle("A", 4), commitSeq: 4, revision: 1 };
const COMMIT = { after: { ...BEFORE, commitSeq: 5, closedThrough: 120_000 }, change: { ...NOTHING, rows: [ROW] } };
const REVISED = { after: { ...BEFORE, revisionSeq: 1 }, change: { ...NOTHING, revisions: [REVISION] } };

test("Invariant 2 (commits in order): a commit that failed and is in the store counts as done when it is repeated", () => {
  const unsettled = new UnsettledWrite();
  unsettled.doubt(COMMIT.after, COMMIT.change);
  expect(unsettled.settle(COMMIT.after, BEFORE, COMMIT.after)).toBe("done");
  expect(unsettled.isPending).toBe(false);
});

test("A commit that failed and is not in the store is written", () => {
  const unsettled = new UnsettledWrite();
  unsettled.doubt(COMMIT.after, COMMIT.change);
  expect(unsettled.settle(BEFORE, BEFORE, COMMIT.after)).toBe("write");
});

test("Invariant 3 (append-only): another transaction waits until a commit's caller knows that its rows are in the store", () => {
  const unsettled = new UnsettledWrite();
  unsettled.doubt(COMMIT.after, COMMIT.change);
  expect(unsettled.settle(COMMIT.after, BEFORE, REVISED.after)).toBe("wait");
  expect(unsettled.settle(COMMIT.after, BEFORE, COMMIT.after)).toBe("done");
});

test("Invariant 10: a correction that failed, is in the store and is never repeated does not stop the commits after it", () => {
  const unsettled = new UnsettledWrite();
  unsettled.doubt(REVISED.after, REVISED.change);
  expect(unsettled.settle(REVISED.after, BEFORE, COMMIT.after)).toBe("rework");
  const reworked = { ...COMMIT.after, revisionSeq: 1 };
  expect(unsettled.settle(REVISED.after, REVISED.after, reworked)).toBe("write");
});

test("What is neither the state before nor the one after is a bug, and is said so", () => {
  const unsettled = new UnsettledWrite();
  unsettled.doubt(COMMIT.after, COMMIT.change);
  expect(() => unsettled.settle({ ...BEFORE, commitSeq: 9 }, BEFORE, COMMIT.after)).toThrow(
    "either wholly in the store",
  );
});
