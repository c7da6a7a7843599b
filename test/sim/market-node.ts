import { MessagePublisher } from "../../src/bus/message-publisher.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import { FabricError } from "../../src/core/errors.ts";
import { takeNameLock } from "../../src/role/lifecycle/name-lock.ts";
import { MarketCore } from "../../src/role/market-data/market-core.ts";
import { grantWriter } from "../../src/store/grant.ts";
import { openStoreWriterOn } from "../../src/store/writer.ts";
import type { Life } from "./life.ts";
import { DATA, MARKET_ADDRESS, type Machine, RUN } from "./machine.ts";
import { SimFeed } from "./sim-feed.ts";
import { SimTruth } from "./sim-truth.ts";
import { tellOf, watched } from "./telemetry.ts";

const HISTORY_BOUND_ROWS = 5000;
/** A tenth of what it is in life, so that minutes are given up within a run. */
const BACKFILL_WAIT_MS = 1000;

/** What a run's checks want to know of a living market-data. */
export interface MarketFacts {
  core: MarketCore | null;
  life: Life | null;
}

/** The market-data node: the product's own parts, wired as its composition root wires them. */
export async function marketLife(machine: Machine, facts: MarketFacts, life: Life, stop: AbortSignal): Promise<void> {
  const { scenario } = machine.world;
  const files = machine.disk.view(life);
  const lock = takeNameLock(RUN, life.node, machine.sqlite.opener(life));
  if (!lock) throw new FabricError("unavailable", "market-data runs already");
  machine.claim(life);
  let socket: ZmqPublisher | null = null;
  try {
    const deps = { clock: life.clock, timers: life.timers, random: life.random, log: life.log };
    socket = new ZmqPublisher(
      { endpoints: { bind: [MARKET_ADDRESS] } },
      { ...deps, backend: machine.wire.backend(life) },
    );
    const messages = new MessagePublisher(
      { node: life.node, epoch: life.random.uuid() },
      { ...deps, publisher: socket },
    );
    const feed = new SimFeed(life, machine.market);
    const tuning = { deletionGraceMs: 2000, mergeWidth: scenario.mergeWidth };
    const grant = grantWriter("market-data");
    const truth = new SimTruth(machine.truth, machine.disk, life, files);
    const writer = await openStoreWriterOn(
      truth,
      { folder: DATA, venue: feed.venue, grant, tuning },
      { ...deps, files },
    );
    try {
      const publisher = watched(life, messages);
      if (scenario.hasTelemetry) tellOf(life, { role: "market-data", state: () => "running", runner: null }, publisher);
      const own = new AbortController();
      const core = new MarketCore(
        {
          symbols: machine.market.symbols,
          historyMinutes: scenario.historyMinutes,
          maxWaitingRows: scenario.maxWaitingRows,
          backfillWaitMs: BACKFILL_WAIT_MS,
        },
        { ...deps, feed, writer, publisher, onFatal: () => own.abort() },
      );
      facts.core = core;
      facts.life = life;
      watchBounds(life, core, scenario.maxWaitingRows);
      await core.run(AbortSignal.any([stop, own.signal]));
    } finally {
      await writer.close();
    }
  } finally {
    machine.yield(life);
    socket?.close();
    lock.release();
  }
}

/** Looks at the pipeline from outside, not on the node's own timers. */
function watchBounds(life: Life, core: MarketCore, bound: number): void {
  const { world } = life;
  const look = () => {
    if (!life.alive) return;
    const { waitingRows, waitingBatches } = core.pipeline;
    // One batch larger than the bound is taken where nothing else waits.
    const most = waitingBatches <= 1 ? HISTORY_BOUND_ROWS : bound;
    world.check(8, waitingRows <= most, () => `${life.name}: ${waitingRows} rows wait for the store, bound ${most}`);
    world.time.after(120, look);
  };
  look();
}
