import { expect, test } from "bun:test";
import { INBOX_BOUND, STASH_BOUND, STASH_SYMBOL_BOUND } from "../../src/provider/options.ts";
import { SeqWindow } from "../../src/provider/seq-window.ts";
import { minute, Rig } from "./sim/rig.ts";

const HOURS = 3_600_000;

test("the stash keeps to its bound per symbol, counts what it drops, and the store brings it", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  rig.readMs = 5_000;
  rig.unheard(() => rig.node.close("A", minute(1)));
  const last = STASH_SYMBOL_BOUND + 40;
  for (let index = 2; index <= last; index++) rig.node.close("A", minute(index));
  await rig.time.advance(100);
  expect(rig.counter("stash.size")).toBe(STASH_SYMBOL_BOUND);
  expect(rig.counter("stash.dropped.total")).toBe(last - 1 - STASH_SYMBOL_BOUND);
  await rig.time.advance(20_000);
  expect(rig.told()).toEqual(Array.from({ length: last + 1 }, (_, index) => `A ${index}`));
  expect(rig.counter("stash.size")).toBe(0);
  await rig.provider.close();
});

test("the stash keeps to its bound over all symbols", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  const symbols = Array.from({ length: STASH_BOUND / 32 + 20 }, (_, index) => `S${index}`);
  for (const symbol of symbols) rig.node.close(symbol, minute(0));
  await rig.start();
  rig.readMs = 5_000;
  for (let index = 1; index <= 33; index++) {
    if (index === 1) rig.unheard(() => symbols.forEach((symbol) => void rig.node.commit(symbol, minute(1))));
    else for (const symbol of symbols) rig.node.publish(rig.node.commit(symbol, minute(index)));
    await rig.time.advance(0);
  }
  rig.store.closedThrough = minute(33);
  rig.store.seal();
  expect(rig.counter("stash.size")).toBe(STASH_BOUND);
  expect(rig.counter("stash.dropped.total")).toBe(symbols.length * 32 - STASH_BOUND);
  rig.readMs = 1;
  await rig.time.advance(30_000);
  expect(rig.events.length).toBe(symbols.length * 34);
  await rig.provider.close();
});

test("a consumer that stands still leaves the inbox at its bound, and gets everything when it moves on", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  let release = () => {};
  let isHeld = true;
  await rig.start(() => {
    if (isHeld)
      return new Promise((resolve) => {
        release = resolve;
      });
  });
  const last = INBOX_BOUND + 500;
  for (let index = 1; index <= last; index++) rig.node.publish(rig.node.commit("A", minute(index)));
  rig.store.closedThrough = minute(last);
  rig.store.seal();
  await rig.time.advance(100);
  expect(rig.counter("inbox.size")).toBe(INBOX_BOUND);
  expect(rig.counter("inbox.dropped.total")).toBe(500);
  isHeld = false;
  release();
  await rig.time.advance(30_000);
  expect(rig.events.length).toBe(last + 1);
  expect(rig.counter("inbox.size")).toBe(0);
  await rig.provider.close();
}, 20_000);

test("rows ahead of the window's through are remembered up to the bound; a poll makes up for the rest", () => {
  const window = new SeqWindow(0, 3);
  for (const seq of [2, 3, 4, 5]) window.add(seq);
  expect(window.aheadSize).toBe(3);
  window.add(1);
  expect(window.through).toBe(4);
  window.add(9);
  window.advanceTo(12);
  window.prune();
  expect(window.aheadSize).toBe(0);
  window.add(7);
  expect(window.through).toBe(12);
});
