import { expect, test } from "bun:test";
import type { DeliveryCursor } from "../../src/core/delivery.ts";
import { FabricError } from "../../src/core/errors.ts";
import { ModelStore } from "./sim/model-store.ts";
import { fromStart, minute, Rig } from "./sim/rig.ts";

test("a new consumer starts at the store's end: what lies before is never delivered, and shows as no gap", async () => {
  const rig = new Rig({ cursor: null });
  for (let index = 0; index < 5; index++) rig.node.close("A", minute(index));
  await rig.start();
  expect(rig.told()).toEqual([]);
  rig.node.close("A", minute(5));
  await rig.time.advance(0);
  expect(rig.told()).toEqual(["A 5"]);
  await rig.provider.close();
});

test("a new consumer that starts before the store does not get the history that a fresh store takes first", async () => {
  const rig = new Rig({ cursor: null });
  await rig.start();
  expect(rig.rail("A")).toBeUndefined();
  rig.store.seal();
  for (let index = -5; index < 0; index++) {
    rig.node.commit("A", minute(index), "backfilled");
    rig.store.seal();
    await rig.time.advance(1_500);
  }
  rig.store.closedThrough = minute(-1);
  rig.store.seal();
  await rig.time.advance(1_500);
  for (let index = 0; index < 3; index++) rig.node.close("A", minute(index));
  await rig.time.advance(0);
  expect(rig.told()).toEqual(["A 0", "A 1", "A 2"]);
  await rig.provider.close();
});

test("what the socket gathered while the store was read is handed on once, and what overlaps is dropped", async () => {
  const rig = new Rig();
  rig.readMs = 200;
  rig.node.close("A", minute(0));
  await rig.start();
  for (let index = 1; index < 4; index++) rig.node.close("A", minute(index));
  expect(rig.told()).toEqual([]);
  await rig.time.advance(1_000);
  expect(rig.told()).toEqual(["A 0", "A 1", "A 2", "A 3"]);
  expect(rig.counter("duplicates.total")).toBe(3);
  await rig.provider.close();
});

test("a consumer that kept a gap's cursor gets the candle next, and not the gap again", async () => {
  const rig = new Rig();
  rig.node.close("A", minute(0));
  rig.node.close("A", minute(3));
  const kept: DeliveryCursor[] = [];
  await rig.start((event, cursor) => {
    if (event.type === "gap")
      kept.push({ ...fromStart(), throughSeq: cursor.throughSeq, symbols: new Map(cursor.symbols) });
  });
  expect(rig.told()).toEqual(["A 0", "A gap 1-2", "A 3"]);
  await rig.provider.close();
  const next = new Rig({ cursor: kept[0] ?? null }, rig.store);
  await next.start();
  expect(next.told()).toEqual(["A 3"]);
  expect(next.rail("A")?.digest).toBe(rig.rail("A")?.digest ?? "");
  await next.provider.close();
});

test("partial candles are left out unless asked for: they show as a gap and the digest does not cover them", async () => {
  const rig = new Rig();
  const whole = new Rig({ includePartial: true }, rig.store);
  rig.node.close("A", minute(0));
  await Promise.all([rig.start(), whole.start()]);
  for (const index of [1, 2]) {
    const row = rig.node.close("A", minute(index), index === 1 ? "partial" : "complete");
    whole.node.publish(row);
  }
  await rig.time.advance(0);
  await whole.time.advance(0);
  expect(rig.told()).toEqual(["A 0", "A gap 1-1", "A 2"]);
  expect(whole.told()).toEqual(["A 0", "A 1", "A 2"]);
  expect(rig.counter("partial.skipped.total")).toBe(1);
  expect(rig.rail("A")?.digest).not.toBe(whole.rail("A")?.digest ?? "");
  await Promise.all([rig.provider.close(), whole.provider.close()]);
});

test("a candle of another store is refused with a remedy", async () => {
  const rig = new Rig();
  rig.node.close("A", minute(0));
  await rig.start();
  const row = rig.node.commit("A", minute(1));
  rig.wire.candle({ ...rig.node.bodyOf(row), storeId: "store-2" });
  await rig.time.advance(0);
  expectRefusal(rig.ended, "store-2");
  expect(rig.told()).toEqual(["A 0"]);
});

test("a heartbeat of another store is refused with a remedy, also one heard before the store was read", async () => {
  for (const isEarly of [false, true]) {
    const rig = new Rig();
    if (!isEarly) rig.node.close("A", minute(0));
    await rig.start();
    rig.node.heartbeat({ storeId: "store-2" });
    if (isEarly) rig.node.close("A", minute(0));
    await rig.time.advance(2_000);
    expectRefusal(rig.ended, "store-2");
  }
});

test("a manifest of another store than the cursor's is refused with a remedy", async () => {
  const rig = new Rig({ cursor: fromStart("store-0") }, new ModelStore("store-9"));
  rig.node.close("A", minute(0));
  await rig.start();
  expectRefusal(rig.ended, "store-9");
  expect(rig.told()).toEqual([]);
});

test("a reader's failures are counted, logged at most once a second and tried again; a refusal ends the run", async () => {
  const rig = new Rig();
  rig.readError = new FabricError("io", "Cannot read the manifest: input/output error");
  rig.node.close("A", minute(0));
  await rig.start();
  await rig.time.advance(10_000);
  expect(rig.counter("reader.errors.total")).toBeGreaterThan(10);
  expect(rig.logged.length).toBeLessThanOrEqual(11);
  rig.readError = null;
  await rig.time.advance(2_000);
  expect(rig.told()).toEqual(["A 0"]);
  rig.readError = new FabricError("config", "Cannot read the store: schema version 2, expected 1");
  await rig.time.advance(3_000);
  expect(rig.ended).toBe(rig.readError);
});

test("a reader that gives no rows though it has some is a failure to try again with delays, not a loop", async () => {
  const rig = new Rig();
  rig.node.close("A", minute(0));
  const page = rig.store.page.bind(rig.store);
  rig.store.page = (afterSeq, limit, symbols) => {
    const honest = page(afterSeq, limit, symbols);
    return honest && { ...honest, candles: [], throughSeq: afterSeq };
  };
  await rig.start();
  await rig.time.advance(10_000);
  expect(rig.counter("reader.errors.total")).toBeGreaterThan(5);
  expect(rig.counter("reads.total")).toBeLessThan(40);
  rig.store.page = page;
  await rig.time.advance(2_000);
  expect(rig.told()).toEqual(["A 0"]);
  await rig.provider.close();
});

test("what the consumer throws ends the run, and no event follows", async () => {
  const rig = new Rig();
  const failure = new Error("cannot journal");
  for (let index = 0; index < 3; index++) rig.node.close("A", minute(index));
  await rig.start((event) => {
    if (event.type === "candle" && event.candle.openTime === minute(1)) throw failure;
  });
  await rig.time.advance(5_000);
  expect(rig.ended).toBe(failure);
  expect(rig.told()).toEqual(["A 0", "A 1"]);
  expect(rig.time.pending).toBe(0);
});

test("each call to the consumer is awaited before the next, on both rails", async () => {
  const rig = new Rig();
  let running = 0;
  let most = 0;
  rig.node.close("A", minute(0));
  rig.node.close("A", minute(2));
  await rig.start(async () => {
    most = Math.max(most, ++running);
    await rig.time.sleep(50);
    running--;
  });
  for (let index = 3; index < 6; index++) rig.node.close("A", minute(index));
  await rig.time.advance(2_000);
  expect(rig.told()).toEqual(["A 0", "A gap 1-1", "A 2", "A 3", "A 4", "A 5"]);
  expect(most).toBe(1);
  await rig.provider.close();
});

test("close ends the run without a further event, leaves no timer, and does not wait for a consumer that never returns", async () => {
  const rig = new Rig();
  rig.node.close("A", minute(0));
  rig.node.close("A", minute(5));
  let release = () => {};
  await rig.start((event) => {
    if (event.type === "candle" && event.candle.openTime === minute(0)) return;
    return new Promise((resolve) => {
      release = resolve;
    });
  });
  expect(rig.told()).toEqual(["A 0", "A gap 1-4"]);
  await rig.provider.close();
  await rig.provider.close();
  expect(rig.ended).toBeUndefined();
  release();
  await rig.time.advance(5_000);
  expect(rig.ended).toBeNull();
  expect(rig.told()).toEqual(["A 0", "A gap 1-4"]);
  expect(rig.time.pending).toBe(0);
  expect(rig.wire.subscribers).toBe(0);
});

function expectRefusal(error: unknown, found: string): void {
  expect(error).toBeInstanceOf(FabricError);
  if (!(error instanceof FabricError)) return;
  expect(error.code).toBe("refused");
  expect(error.message).toContain(found);
  expect(error.message).toContain("--data");
}
