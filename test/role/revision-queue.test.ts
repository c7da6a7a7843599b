import { expect, test } from "bun:test";
import type { Candle } from "../../src/core/candle.ts";
import type { Log } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import { RevisionQueue } from "../../src/role/market-data/revision-queue.ts";
import { candleAt, FIRST_MINUTE } from "../provider/sim/market-node.ts";
import { VirtualTime } from "../provider/sim/virtual-time.ts";

/** A store that refuses as long as it is told to, and keeps what it takes. */
class Store {
  readonly stored: Candle[] = [];
  refusal: FabricError | null = null;
  seals = 0;

  async revise(candles: readonly Candle[]): Promise<void> {
    if (this.refusal !== null) throw this.refusal;
    this.stored.push(...candles);
  }

  async seal(): Promise<void> {
    this.seals++;
  }
}

function rig() {
  const time = new VirtualTime();
  const writer = new Store();
  const told: string[] = [];
  const note = (message: string) => void told.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  return { time, writer, told, queue: new RevisionQueue({ writer, timers: time, log }) };
}

const NO_SPACE = new FabricError("io", "Cannot commit to the market store: no space left");
const NO_ROW = new FabricError("bad-data", "Cannot revise A: no such row");

test("Invariant 3 (corrections live in their own table): one that cannot be stored now is stored when the disk has room", async () => {
  const { time, writer, told, queue } = rig();
  writer.refusal = NO_SPACE;
  queue.offer([candleAt("A", FIRST_MINUTE)]);
  queue.offer([candleAt("B", FIRST_MINUTE)]);
  await time.advance(120_000);
  expect(queue.counters()).toEqual({ waiting: 2, stored: 0, dropped: 0 });
  expect(told.length).toBe(1);
  writer.refusal = null;
  await time.advance(2000);
  expect(writer.stored.map(({ symbol }) => symbol)).toEqual(["A", "B"]);
  expect(writer.seals).toBe(2);
  expect(queue.counters()).toEqual({ waiting: 0, stored: 2, dropped: 0 });
});

test("A correction of a row that is not committed yet waits for it, and does not hold up the others", async () => {
  const { time, writer, queue } = rig();
  writer.refusal = NO_ROW;
  queue.offer([candleAt("A", FIRST_MINUTE)]);
  queue.offer([candleAt("B", FIRST_MINUTE)]);
  await time.advance(500);
  writer.refusal = null;
  await time.advance(1000);
  expect(writer.stored.map(({ symbol }) => symbol).sort()).toEqual(["A", "B"]);
});

test("Invariant 8: a correction whose row never comes is dropped after a minute, and counted", async () => {
  const { time, writer, queue } = rig();
  writer.refusal = NO_ROW;
  queue.offer([candleAt("A", FIRST_MINUTE)]);
  await time.advance(58_000);
  expect(queue.counters()).toEqual({ waiting: 1, stored: 0, dropped: 0 });
  await time.advance(3000);
  expect(queue.counters()).toEqual({ waiting: 0, stored: 0, dropped: 1 });
});

test("Invariant 8: beyond 10,000 candles that wait the newest corrections are dropped, and counted", async () => {
  const { time, writer, queue } = rig();
  writer.refusal = NO_SPACE;
  const many = Array.from({ length: 6000 }, (_, at) => candleAt("A", FIRST_MINUTE + at * 60_000));
  queue.offer(many);
  queue.offer(many);
  await time.advance(10);
  expect(queue.counters()).toEqual({ waiting: 6000, stored: 0, dropped: 6000 });
});

test("A closed queue tries nothing any more", async () => {
  const { time, writer, queue } = rig();
  writer.refusal = NO_SPACE;
  queue.offer([candleAt("A", FIRST_MINUTE)]);
  await time.advance(10);
  queue.close();
  writer.refusal = null;
  await time.advance(10_000);
  expect(writer.stored).toEqual([]);
  expect(time.pending).toBe(0);
});
