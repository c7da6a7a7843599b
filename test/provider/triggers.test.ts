import { expect, test } from "bun:test";
import { minute, Rig } from "./sim/rig.ts";

const HOURS = 3_600_000;

test("a fast candle that follows the last row is delivered at once, without a poll", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  const polls = rig.counter("polls.total");
  for (let index = 1; index <= 5; index++) rig.node.close("A", minute(index));
  await rig.time.advance(0);
  expect(rig.told()).toEqual(["A 0", "A 1", "A 2", "A 3", "A 4", "A 5"]);
  expect(rig.counter("polls.total")).toBe(polls);
  expect(rig.counter("fast.delivered.total")).toBe(5);
  await rig.provider.close();
});

test("a hole (prevOpenTime is not the last row seen) triggers a poll at once, and nothing is delivered past it before", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  rig.unheard(() => rig.node.close("A", minute(1)));
  rig.node.close("A", minute(2));
  await rig.time.advance(0);
  expect(rig.told()).toEqual(["A 0"]);
  expect(rig.rail("A")?.rail).toBe("FALLBACK");
  expect(rig.rail("A")?.reason).toContain("hole");
  await rig.time.advance(rig.readMs);
  expect(rig.told()).toEqual(["A 0", "A 1", "A 2"]);
  expect(rig.counter("holes.total")).toBe(1);
  expect(rig.counter("polls.asked.hole.total")).toBe(1);
  await rig.provider.close();
});

test("a hole of one symbol does not hold up another", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  for (const symbol of ["A", "B"]) rig.node.close(symbol, minute(0));
  await rig.start();
  rig.readMs = 500;
  rig.unheard(() => rig.node.close("A", minute(1)));
  rig.node.close("A", minute(2));
  rig.node.close("B", minute(1));
  await rig.time.advance(100);
  expect(rig.told()).toEqual(["A 0", "B 0", "B 1"]);
  await rig.time.advance(600);
  expect(rig.told().slice(3)).toEqual(["A 1", "A 2"]);
  await rig.provider.close();
});

test("a hole whose row is published but not yet sealed is asked for again with growing delays until the manifest has it", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  rig.node.commit("A", minute(1));
  rig.node.publish(rig.node.commit("A", minute(2)));
  await rig.time.advance(10_000);
  expect(rig.told()).toEqual(["A 0"]);
  const asked = rig.counter("polls.asked.retry.total");
  expect(asked).toBeGreaterThan(5);
  expect(asked).toBeLessThan(25);
  rig.store.seal();
  await rig.time.advance(1_100);
  expect(rig.told()).toEqual(["A 0", "A 1", "A 2"]);
  const after = rig.counter("polls.total");
  await rig.time.advance(10_000);
  expect(rig.counter("polls.total")).toBe(after);
  await rig.provider.close();
});

for (const symbols of ["all", ["A", "B"]] as const) {
  test(`a heartbeat that tells of rows not seen triggers a poll after the grace for candles in flight (symbols ${symbols})`, async () => {
    const rig = new Rig({ symbols, safetyPollMs: HOURS, dueGraceMs: 250 });
    for (const symbol of ["A", "B"]) rig.node.close(symbol, minute(0));
    await rig.start();
    rig.unheard(() => rig.node.close("B", minute(1)));
    rig.node.heartbeat({ exchangeTime: null });
    await rig.time.advance(240);
    expect(rig.told()).toEqual(["A 0", "B 0"]);
    expect(rig.counter("polls.asked.heartbeat.total")).toBe(0);
    await rig.time.advance(20);
    expect(rig.told()).toEqual(["A 0", "B 0", "B 1"]);
    expect(rig.counter("polls.asked.heartbeat.total")).toBe(1);
    await rig.provider.close();
  });
}

test("a heartbeat tells a consumer of all symbols of one it never heard of", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  rig.unheard(() => rig.node.close("NEW", minute(0)));
  rig.node.heartbeat({ exchangeTime: null });
  await rig.time.advance(300);
  expect(rig.told()).toEqual(["A 0", "NEW 0"]);
  await rig.provider.close();
});

test("a heartbeat whose candles were only in flight triggers no poll", async () => {
  const rig = new Rig({ symbols: ["A"], safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  const row = rig.node.commit("A", minute(1));
  rig.store.closedThrough = minute(1);
  rig.node.heartbeat({ exchangeTime: null });
  await rig.time.advance(90);
  rig.node.publish(row);
  await rig.time.advance(5_000);
  expect(rig.told()).toEqual(["A 0", "A 1"]);
  expect(rig.counter("polls.asked.heartbeat.total")).toBe(0);
  await rig.provider.close();
});

test("a heartbeat whose rows the manifest lacks is asked for again until it has them", async () => {
  const rig = new Rig({ symbols: ["A"], safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  rig.node.commit("A", minute(1));
  rig.store.closedThrough = minute(1);
  rig.node.heartbeat({ exchangeTime: null });
  await rig.time.advance(2_000);
  expect(rig.counter("polls.asked.retry.total")).toBeGreaterThan(3);
  expect(rig.rail("A")?.reason).toContain("closed through");
  rig.store.seal();
  await rig.time.advance(1_100);
  expect(rig.told()).toEqual(["A 0", "A 1"]);
  await rig.provider.close();
});

test("a poll that finds no row for a closed minute makes it a known gap: nothing asks for it again", async () => {
  const rig = new Rig({ symbols: ["A", "B"], safetyPollMs: HOURS });
  for (const symbol of ["A", "B"]) rig.node.close(symbol, minute(0));
  await rig.start();
  for (const symbol of ["C", "A"]) rig.node.close(symbol, minute(1));
  for (let second = 0; second < 5; second++) {
    rig.node.heartbeat({ exchangeTime: null });
    await rig.time.advance(1_000);
  }
  expect(rig.counter("polls.asked.heartbeat.total")).toBe(1);
  expect(rig.counter("polls.asked.retry.total")).toBe(0);
  rig.node.close("B", minute(2));
  await rig.time.advance(0);
  expect(rig.told()).toEqual(["A 0", "B 0", "A 1", "B gap 1-1", "B 2"]);
  await rig.provider.close();
});

for (const speed of [1, 60, 600]) {
  test(`a due time missed triggers a poll when candles and heartbeats stay away, at speed ${speed}`, async () => {
    const rig = new Rig({ symbols: ["A"], safetyPollMs: HOURS, dueGraceMs: 20 }, undefined, speed);
    const minuteMs = 60_000 / speed;
    rig.node.close("A", minute(0));
    await rig.start();
    rig.node.heartbeat({ exchangeTime: minute(1) });
    rig.unheard(() => rig.node.close("A", minute(1)));
    await rig.time.advance(minuteMs * 0.9);
    expect(rig.counter("polls.asked.due.total")).toBe(0);
    await rig.time.advance(minuteMs * 0.2 + 40);
    expect(rig.told()).toEqual(["A 0", "A 1"]);
    expect(rig.counter("polls.asked.due.total")).toBeGreaterThan(0);
    await rig.provider.close();
  });
}

test("a row that comes long after its minute fell due is found within a look, with no heartbeat to tell of it", async () => {
  const rig = new Rig({ symbols: ["A"], safetyPollMs: HOURS }, undefined, 1);
  rig.node.close("A", minute(0));
  await rig.start();
  rig.node.heartbeat({ exchangeTime: minute(2) - 1_000 });
  await rig.time.advance(10_000);
  expect(rig.counter("polls.asked.due.total")).toBe(1);
  expect(rig.told()).toEqual(["A 0"]);
  rig.unheard(() => rig.node.close("A", minute(1)));
  await rig.time.advance(110 + rig.readMs);
  expect(rig.told()).toEqual(["A 0", "A 1"]);
  const looks = rig.counter("polls.asked.overdue.total");
  expect(looks).toBeGreaterThan(50);
  await rig.time.advance(10_000);
  expect(rig.counter("polls.asked.overdue.total")).toBe(looks);
  await rig.provider.close();
});

test("where no heartbeat comes at all the store is looked at until one does", async () => {
  const rig = new Rig({ symbols: ["A"], safetyPollMs: HOURS, silentAfterMs: 2_500 });
  rig.node.close("A", minute(0));
  await rig.start();
  await rig.time.advance(2_400);
  expect(rig.counter("polls.asked.silence.total")).toBe(0);
  await rig.time.advance(5_000);
  rig.unheard(() => rig.node.close("A", minute(1)));
  await rig.time.advance(110 + rig.readMs);
  expect(rig.told()).toEqual(["A 0", "A 1"]);
  rig.node.heartbeat({ exchangeTime: null });
  const looks = rig.counter("polls.asked.silence.total");
  expect(looks).toBeGreaterThan(45);
  await rig.time.advance(2_400);
  expect(rig.counter("polls.asked.silence.total")).toBe(looks);
  await rig.provider.close();
});

test("a publisher's restart (a new epoch, counters from the start) is counted, and its candles and heartbeats are taken", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  for (let index = 0; index < 5; index++) rig.node.heartbeat();
  rig.node.restart();
  rig.node.heartbeat();
  rig.node.close("A", minute(1));
  await rig.time.advance(0);
  expect(rig.counter("epochs.total")).toBe(2);
  expect(rig.counter("heartbeats.total")).toBe(6);
  expect(rig.told()).toEqual(["A 0", "A 1"]);
  await rig.provider.close();
});

test("heartbeats that are repeated or overtaken are left out", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  rig.node.close("A", minute(0));
  await rig.start();
  rig.node.heartbeat({ seq: 100, exchangeTime: minute(5) });
  rig.node.heartbeat({ seq: 99, exchangeTime: minute(1) });
  rig.node.heartbeat({ seq: 100, exchangeTime: minute(1) });
  expect(rig.provider.exchangeTimeMs()).toBe(minute(5));
  expect(rig.counter("heartbeats.total")).toBe(1);
  await rig.provider.close();
});

test("the slow safety poll finds rows that nothing told of", async () => {
  const rig = new Rig({ safetyPollMs: 2_000 });
  rig.node.close("A", minute(0));
  await rig.start();
  rig.unheard(() => rig.node.close("A", minute(1)));
  await rig.time.advance(1_900);
  expect(rig.told()).toEqual(["A 0"]);
  await rig.time.advance(200);
  expect(rig.told()).toEqual(["A 0", "A 1"]);
  await rig.provider.close();
});

test("polls never overlap and keep their distance, however many triggers come", async () => {
  const rig = new Rig({ safetyPollMs: HOURS, pollMinGapMs: 100 });
  for (let index = 0; index < 20; index++) rig.node.close(`S${index}`, minute(0));
  await rig.start();
  rig.readMs = 30;
  const before = rig.counter("polls.total");
  for (let index = 0; index < 20; index++) {
    rig.unheard(() => rig.node.close(`S${index}`, minute(1)));
    rig.node.close(`S${index}`, minute(2));
    await rig.time.advance(10);
  }
  await rig.time.advance(1_000);
  expect(rig.events.length).toBe(60);
  expect(rig.counter("polls.total") - before).toBeLessThanOrEqual(5);
  await rig.provider.close();
});

test("throughSeq moves with fast candles in turn, and by polls for a consumer of some symbols", async () => {
  const rig = new Rig({ safetyPollMs: HOURS });
  await rig.start();
  rig.store.closedThrough = minute(0);
  for (let index = 0; index < 3; index++) for (const symbol of ["A", "B"]) rig.node.close(symbol, minute(index));
  await rig.time.advance(1_000);
  expect(rig.provider.cursor()?.throughSeq).toBe(6);
  await rig.provider.close();

  const some = new Rig({ symbols: ["A"], safetyPollMs: 5_000 }, rig.store);
  await some.start();
  for (let index = 3; index < 6; index++) for (const symbol of ["B", "A"]) some.node.close(symbol, minute(index));
  await some.time.advance(0);
  expect(some.provider.cursor()?.throughSeq).toBe(6);
  await some.time.advance(6_000);
  expect(some.provider.cursor()?.throughSeq).toBe(12);
  expect(some.told()).toEqual(["A 0", "A 1", "A 2", "A 3", "A 4", "A 5"]);
  await some.provider.close();
});
