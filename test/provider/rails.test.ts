import { expect, test } from "bun:test";
import { minute, Rig } from "./sim/rig.ts";

test("a symbol is FAST while its candles come over the wire, FALLBACK when the store had to bring one, and FAST again", async () => {
  const rig = new Rig();
  rig.node.close("A", minute(0));
  await rig.start();
  expect(rig.rail("A")).toMatchObject({ rail: "FALLBACK", delivered: 1, lastOpenTime: minute(0) });
  rig.node.close("A", minute(1));
  await rig.time.advance(0);
  expect(rig.rail("A")).toMatchObject({ rail: "FAST", delivered: 2, ageMs: 0 });
  rig.unheard(() => rig.node.close("A", minute(2)));
  await rig.time.advance(3_000);
  expect(rig.rail("A")?.rail).toBe("FALLBACK");
  rig.node.close("A", minute(3));
  await rig.time.advance(100);
  expect(rig.rail("A")).toMatchObject({ rail: "FAST", ageMs: 100 });
  await rig.provider.close();
});

for (const speed of [1, 60]) {
  test(`a dead market is STALE, never FAST, once a minute at its speed and staleAfterMs went by without a candle (speed ${speed})`, async () => {
    const rig = new Rig({ staleAfterMs: 5_000 }, undefined, speed);
    rig.node.close("A", minute(0));
    await rig.start();
    rig.node.heartbeat();
    rig.node.close("A", minute(1));
    await rig.time.advance(60_000 / speed + 4_900);
    expect(rig.rail("A")?.rail).toBe("FAST");
    await rig.time.advance(200);
    expect(rig.rail("A")?.rail).toBe("STALE");
    expect(rig.rail("A")?.ageMs).toBe(60_000 / speed + 5_100);
    await rig.time.advance(600_000);
    expect(rig.rail("A")?.reason).toContain("no candle for");
    rig.node.close("A", minute(2));
    await rig.time.advance(0);
    expect(rig.rail("A")?.rail).toBe("FAST");
    await rig.provider.close();
  });
}

test("heartbeats alone do not keep a symbol fresh", async () => {
  const rig = new Rig({ symbols: ["A", "B"], staleAfterMs: 5_000 });
  for (const symbol of ["A", "B"]) rig.node.close(symbol, minute(0));
  await rig.start();
  for (let index = 1; index < 10; index++) {
    rig.node.close("A", minute(index));
    rig.node.heartbeat();
    await rig.time.advance(1_000);
  }
  expect(rig.rail("A")?.rail).toBe("FAST");
  expect(rig.rail("B")?.rail).toBe("STALE");
  await rig.provider.close();
});

test("a consumer is STALE while there is no store, and FALLBACK once it read one whose next candle is not due", async () => {
  const rig = new Rig({ symbols: ["A"], cursor: null });
  await rig.start();
  expect(rig.rail("A")).toMatchObject({ rail: "STALE", reason: "waiting for the store", lastOpenTime: null });
  rig.node.close("A", minute(0));
  rig.node.heartbeat({ exchangeTime: minute(1) });
  await rig.time.advance(100);
  expect(rig.rail("A")).toMatchObject({ rail: "FALLBACK", delivered: 0 });
  await rig.time.advance(30_000);
  expect(rig.rail("A")).toMatchObject({ rail: "STALE", reason: "no candle since the start" });
  await rig.provider.close();
});
