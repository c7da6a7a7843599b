import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { MessagePublisher } from "../../../src/bus/message-publisher.ts";
import { ZmqPublisher } from "../../../src/bus/zmq-publisher.ts";
import { type Candle, closeTimeOf } from "../../../src/core/candle.ts";
import { nodeName } from "../../../src/core/symbol.ts";
import { candleTopic, TOPICS } from "../../../src/core/topic.ts";
import { dataFolder } from "../../../src/role/lifecycle/data-folder.ts";
import { type Node, type NodeReport, runNode } from "../../../src/role/lifecycle/node.ts";
import { aborted } from "../../../src/role/lifecycle/stop-signal.ts";
import { CommitPipeline } from "../../../src/store/commit-pipeline.ts";
import { batch, openWriter, START } from "../../store/support.ts";

// A market-data node whose minutes are made up: market.ts FOLDER CANDLES_PER_SECOND SYMBOLS TELEMETRY_PER_SECOND. Closes are committed,
// published and sealed by the real parts, as fast as told and no faster than the pipeline takes them; beside them a second publisher
// sends the telemetry of made-up nodes. Runs until SIGUSR2, which ends the closing; SIGTERM ends the node. Prints `telemetry ADDRESS`.

const [folder = "", candlesPerSecond, symbolCount, telemetryPerSecond] = process.argv.slice(2);
const SYMBOLS = Array.from({ length: Number(symbolCount) }, (_, nth) => `SYM${nth}USDT`);
const CLOSE_MS = (1000 * SYMBOLS.length) / Number(candlesPerSecond);
/** Closes that may wait for the store; beyond it a close is put off and counted. */
const MOST_WAITING = 20;
const NODES = 20;
const TELEMETRY_MS = 50;
const counts = { closes: 0, put_off: 0, telemetry: 0 };
let closing = true;
process.on("SIGUSR2", () => {
  closing = false;
});

const data = dataFolder(folder);
process.exit(await runNode({ role: "market-data", name: nodeName("market-data"), folder: data, publish: [] }, run));

async function run(node: Node): Promise<number> {
  const writer = await openWriter(folder, { log: node.log });
  await writer.bind("soak");
  let minute = 0;
  const pipeline = new CommitPipeline(
    {
      writer,
      onCommitted: (rows) => {
        const { storeId } = writer;
        for (const row of rows)
          node.publisher.publish(candleTopic(row.symbol), { storeId, ...row, closeTime: closeTimeOf(row.openTime) });
      },
    },
    { ...platform, log: node.log },
  );
  const close = () => {
    if (pipeline.counters().waitingBatches >= MOST_WAITING) {
      counts.put_off++;
      return;
    }
    pipeline.offer(batch(closeOf(minute), START + minute * 60_000));
    minute++;
    counts.closes++;
  };
  close();
  await pipeline.drain();
  node.tell({
    report: (): NodeReport => ({
      state: "running",
      reason: pipeline.sealFailure,
      dataAgeMs: 0,
      mode: null,
      details: { closes: counts.closes },
      values: {
        ...prefixed("soak.", counts),
        ...prefixed("store.", { ...writer.counters() }),
        ...prefixed("pipeline.", { ...pipeline.counters() }),
        "store.commitSeq": writer.commitSeq,
      },
      rails: [],
    }),
  });
  const beat = setInterval(() => {
    const { storeId, commitSeq, closedThrough } = writer;
    const exchangeTime = START + (minute - 1) * 60_000 + 60_500;
    node.publisher.publish(TOPICS.heartbeat, {
      storeId,
      commitSeq,
      closedThrough,
      exchangeTime,
      speed: 60_000 / CLOSE_MS,
    });
    pipeline.heal();
  }, 1000);
  const talk = talkOf(node);
  await closeOnTime(close, node);
  await pipeline.drain();
  await aborted(node.stop);
  clearInterval(beat);
  talk();
  await pipeline.close();
  await writer.close();
  return 0;
}

/** Calls `close` as often as it is due; what a busy moment missed is made up for, at most a second of it. */
async function closeOnTime(close: () => void, node: Node): Promise<void> {
  let dueMs = performance.now();
  while (closing && !node.stop.aborted) {
    const nowMs = performance.now();
    dueMs = Math.max(dueMs, nowMs - 1000);
    if (nowMs >= dueMs) {
      close();
      dueMs += CLOSE_MS;
    }
    await Bun.sleep(Math.max(1, Math.min(dueMs - performance.now(), 50)));
  }
}

function closeOf(minute: number): readonly Candle[] {
  return SYMBOLS.map((symbol, nth): Candle => {
    const open = price(nth, minute - 1);
    const close = price(nth, minute);
    const volume = 10 + ((nth * 31 + minute * 17) % 90);
    return {
      symbol,
      openTime: START + minute * 60_000,
      open,
      high: Math.max(open, close) + 0.25,
      low: Math.min(open, close) - 0.25,
      close,
      volume,
      quoteVolume: volume * close,
      trades: 100 + (minute % 50),
      takerBuyVolume: volume / 2,
      takerBuyQuoteVolume: (volume * close) / 2,
      firstTradeId: minute * 1000,
      lastTradeId: minute * 1000 + 99 + (minute % 50),
      provenance: "complete",
    };
  });
}

/** A walk that needs no memory. */
function price(nth: number, minute: number): number {
  return 100 + nth / 8 + Math.round(500 * Math.sin(minute / 40 + nth)) / 64;
}

/** The telemetry of made-up nodes, through a publisher of its own; gives how to end it. */
function talkOf(node: Node): () => void {
  const deps = { clock: platform.clock, log: node.log };
  const socket = new ZmqPublisher({ endpoints: { bind: ["tcp://127.0.0.1:0"] } }, { ...deps, backend: zmqBackend });
  console.log(`telemetry ${socket.endpoints[0]}`);
  const publishers = Array.from(
    { length: NODES },
    (_, nth) => new MessagePublisher({ node: `made-up-${nth}`, epoch: "life" }, { publisher: socket, ...deps }),
  );
  const perTick = Math.round((Number(telemetryPerSecond) * TELEMETRY_MS) / 1000);
  const timer = setInterval(() => {
    for (let sent = 0; sent < perTick && closing; sent++)
      tell(publishers[counts.telemetry % NODES], counts.telemetry++);
  }, TELEMETRY_MS);
  return () => {
    clearInterval(timer);
    socket.close();
  };
}

function tell(publisher: MessagePublisher | undefined, count: number): void {
  const nth = count % NODES;
  const round = Math.floor(count / NODES);
  if (round % 4 === 0) {
    const values = { "a.total": round, "b.p99.ms": (round % 100) / 10, "process.rss.bytes": 100e6 };
    publisher?.publish(TOPICS.metrics, { role: "runner", values, rails: [] });
  } else if (round % 4 === 1) {
    const entries = [{ at: START + round, level: "info", message: `Round ${round} of a node that says much` }];
    publisher?.publish(`${TOPICS.logs}made-up-${nth}`, { entries, dropped: 0 });
  } else if (round % 4 === 2) {
    publisher?.publish(TOPICS.positions, { mode: "paper", strategy: "made-up", positions: [], orders: [] });
  } else {
    const life = { pid: 1, version: "0", uptimeMs: round, state: "running", reason: null, dataAgeMs: 1, mode: null };
    publisher?.publish(`${TOPICS.health}made-up-${nth}`, { role: "runner", ...life, details: {} });
  }
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}
