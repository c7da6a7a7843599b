import type { DeliveryCursor, DeliveryEvent } from "../../src/core/delivery.ts";
import { FabricError } from "../../src/core/errors.ts";
import { DualRailProvider } from "../../src/provider/dual-rail-provider.ts";
import { ZmqMarket } from "../../src/provider/zmq-market.ts";
import { takeNameLock } from "../../src/role/lifecycle/name-lock.ts";
import type { StoreReader } from "../../src/store/contract.ts";
import { openStoreReaderOn } from "../../src/store/reader.ts";
import type { Life } from "./life.ts";
import { DATA, MARKET_ADDRESS, type Machine, RUN } from "./machine.ts";
import type { ScannerSpec } from "./scenario.ts";
import { SimSegments } from "./sim-segments.ts";

/** What a consumer that keeps its place has kept: events and cursor together, as one transaction would. */
export interface ScannerMemory {
  cursor: DeliveryCursor | null;
  /** Of the manifest the consumer began at; null before. */
  startSeq: number | null;
  readonly events: DeliveryEvent[];
  provider: DualRailProvider | null;
  life: Life | null;
}

export function freshMemory(): ScannerMemory {
  return { cursor: null, startSeq: null, events: [], provider: null, life: null };
}

/** A bare consumer of the delivery: slow at times, and it keeps every event with the cursor that came with it. */
export async function scannerLife(
  machine: Machine,
  spec: ScannerSpec,
  memory: ScannerMemory,
  life: Life,
  stop: AbortSignal,
): Promise<void> {
  const lock = takeNameLock(RUN, life.node, machine.sqlite.opener(life));
  if (!lock) throw new FabricError("refused", `${life.node} runs already`);
  machine.claim(life);
  const files = machine.disk.view(life);
  const { clock, timers, log } = life;
  const reader = openStoreReaderOn(new SimSegments(machine.disk, life), { folder: DATA }, { files, clock, timers });
  const market = new ZmqMarket(
    { symbols: spec.symbols, endpoints: [MARKET_ADDRESS] },
    { backend: machine.wire.backend(life), clock, log },
  );
  const isNew = memory.cursor === null;
  if (isNew) memory.startSeq = null;
  const watched = {
    ...bound(reader),
    view: async () => {
      const view = await reader.view();
      if (isNew && life.alive && view !== null && view.closedThrough !== null) memory.startSeq ??= view.throughSeq;
      return view;
    },
  };
  const provider = new DualRailProvider(
    { reader: watched, market, clock, timers, log },
    { symbols: spec.symbols, cursor: memory.cursor, includePartial: spec.includePartial, pageRows: spec.pageRows },
  );
  memory.provider = provider;
  memory.life = life;
  stop.addEventListener("abort", () => void provider.close(), { once: true });
  try {
    await provider.run((event, cursor) => take(memory, life, event, cursor));
  } finally {
    await reader.close();
    machine.yield(life);
    lock.release();
  }
}

async function take(memory: ScannerMemory, life: Life, event: DeliveryEvent, cursor: DeliveryCursor): Promise<void> {
  if (life.chance.chance(0.1)) await life.call("thinking", life.chance.below(60), () => {});
  life.step("keeping an event");
  memory.events.push(event);
  memory.cursor = { storeId: cursor.storeId, throughSeq: cursor.throughSeq, symbols: new Map(cursor.symbols) };
  if (event.type === "candle") life.note(`keeps ${event.candle.symbol} ${event.candle.commitSeq}`);
  else life.note(`keeps a gap of ${event.symbol}`);
}

/** A reader's methods as an object of their own, so that one of them can be watched. */
function bound(reader: StoreReader): StoreReader {
  return {
    view: () => reader.view(),
    delivery: (afterSeq, limit, symbols) => reader.delivery(afterSeq, limit, symbols),
    history: (symbol, from, to) => reader.history(symbol, from, to),
    latest: (symbol, limit) => reader.latest(symbol, limit),
    gaps: (symbol) => reader.gaps(symbol),
    close: () => reader.close(),
  };
}
