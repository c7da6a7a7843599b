import { join } from "node:path";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { MessagePublisher } from "../../src/bus/message-publisher.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import { closeTimeOf } from "../../src/core/candle.ts";
import type { Log } from "../../src/core/env.ts";
import { candleTopic } from "../../src/core/topic.ts";
import { CommitPipeline } from "../../src/store/commit-pipeline.ts";
import { batch, candle, openWriter, START } from "../store/support.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { rank, ranks } from "./figures.ts";

// Closing one minute for many symbols through the real parts: one transaction into DuckDB, then every candle as a ZeroMQ message to a
// subscriber in another process, then the segment and the manifest. `bun test/bench/close.ts [CLOSES] [SYMBOLS]`

const CLOSES = Number(process.argv[2] ?? 250);
const SYMBOLS = Number(process.argv[3] ?? 1000);
const WARM_UP = 10;
const GOAL_MS = 20;

const log: Log = { debug() {}, info() {}, warn: console.error, error: console.error };
using folder = tempFolder();
const writer = await openWriter(folder.path);
using socket = new ZmqPublisher(
  { endpoints: { bind: ["tcp://127.0.0.1:0"] } },
  { backend: zmqBackend, clock: platform.clock, log },
);
const publisher = new MessagePublisher(
  { node: "bench", epoch: "bench" },
  { publisher: socket, clock: platform.clock, log },
);
const other = Bun.spawn([process.execPath, join(import.meta.dir, "close-subscriber.ts"), socket.endpoints[0] ?? ""], {
  stdin: "pipe",
  stdout: "pipe",
  stderr: "inherit",
});
const answers = other.stdout.getReader();
await eventually(async () => {
  publisher.publish(candleTopic("WARM"), {});
  return (await heard()).bad > 0;
});

/** Merging segments waits for quiet; in life it is long over when the next minute closes. */
let merged = Promise.withResolvers<void>();
const times = { commit: [] as number[], publish: [] as number[], seal: [] as number[], all: [] as number[] };
const pipeline = new CommitPipeline(
  {
    writer: {
      commit: (close) => timed(times.commit, () => writer.commit(close)),
      seal: () => timed(times.seal, () => writer.seal()),
      compact: () => writer.compact().finally(() => merged.resolve()),
      heal: () => writer.heal(),
    },
    onCommitted: (rows) => {
      const from = performance.now();
      const { storeId } = writer;
      for (const row of rows)
        publisher.publish(candleTopic(row.symbol), { storeId, ...row, closeTime: closeTimeOf(row.openTime) });
      times.publish.push(performance.now() - from);
    },
  },
  { ...platform, log },
);
const symbols = Array.from({ length: SYMBOLS }, (_, index) => `SYM${index}USDT`);
for (let minute = 0; minute < CLOSES + WARM_UP; minute++) {
  const prices = symbols.map((_, index) => 100 + Math.sin(minute + index));
  const close = batch(
    symbols.map((symbol, index) => candle(symbol, minute, "complete", prices[index])),
    START + minute * 60_000,
  );
  merged = Promise.withResolvers<void>();
  const startMs = performance.now();
  pipeline.offer(close);
  await pipeline.drain();
  times.all.push(performance.now() - startMs);
  await merged.promise;
}
const expected = (CLOSES + WARM_UP) * SYMBOLS;
await eventually(async () => (await heard()).candles === expected, 5000, "the subscriber to have every candle");

console.log(`${CLOSES} closes of ${SYMBOLS} symbols (ms):`);
for (const [name, values] of Object.entries(times)) console.log(`  ${name.padEnd(8)} ${ranks(values.slice(WARM_UP))}`);
const p99 = rank(times.all.slice(WARM_UP), 0.99);
console.log(
  `  p99 of all is ${p99 <= GOAL_MS ? "within" : "ABOVE"} the goal of ${GOAL_MS} ms; the subscriber has all ${expected} candles`,
);
await pipeline.close();
await writer.close();
other.stdin.end();
await other.exited;

async function timed<T>(into: number[], run: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const result = await run();
  into.push(performance.now() - from);
  return result;
}

async function heard(): Promise<{ candles: number; bad: number }> {
  other.stdin.write("?\n");
  other.stdin.flush();
  const { value } = await answers.read();
  return JSON.parse(new TextDecoder().decode(value)) as { candles: number; bad: number };
}
