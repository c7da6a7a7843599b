import { join } from "node:path";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { MessagePublisher } from "../../../src/bus/message-publisher.ts";
import { ZmqPublisher } from "../../../src/bus/zmq-publisher.ts";
import { closeTimeOf } from "../../../src/core/candle.ts";
import { candleTopic, TOPICS } from "../../../src/core/topic.ts";
import { CommitPipeline } from "../../../src/store/commit-pipeline.ts";
import type { StoreWriter } from "../../../src/store/contract.ts";
import { nowNs } from "../../bench/machine-clock.ts";
import { batch, candle, openWriter, START } from "../../store/support.ts";
import { Dice } from "../dice.ts";

// Several market-data nodes in one process, reduced to what closes, commits, publishes and seals: market.ts FOLDER COUNT FIRST_MS SPREAD_MS.
// Each has an exchange clock of its own at speed 1; its first minute ends FIRST_MS after the start plus its share of SPREAD_MS. Every
// third node's candles come late by up to 3 s, as those that wait for the venue's klines do. Prints `bound K PORT`, and for each close
// `sealed K OPEN_TIME NS` once readers can see it.

/** What a feed allows for late trades before it closes a minute, exchange ms. */
const LATENESS_MS = 500;
const LATE_UP_TO_MS = 3000;
const HEARTBEAT_MS = 1000;
const HISTORY_MINUTES = 3;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const deps = { ...platform, log: silent };

const [folder = "", count, first, spread] = process.argv.slice(2);
const beganMs = performance.now();
for (let nth = 0; nth < Number(count); nth++) await open(nth);

async function open(nth: number): Promise<void> {
  const symbol = `SYM${nth}USDT`;
  const writer = await openWriter(join(folder, `${nth}`));
  await writer.bind("test");
  for (let minute = 0; minute < HISTORY_MINUTES; minute++)
    await writer.commit(batch([candle(symbol, minute, "backfilled")], START + minute * 60_000));
  await writer.seal();
  const socket = new ZmqPublisher({ endpoints: { bind: ["tcp://127.0.0.1:0"] } }, { ...deps, backend: zmqBackend });
  const publisher = new MessagePublisher({ node: `md${nth}`, epoch: "life" }, { publisher: socket, ...deps });
  console.log(`bound ${nth} ${new URL(socket.endpoints[0] ?? "").port}`);
  const firstEndMs = beganMs + Number(first) + (Number(spread) * nth) / Number(count);
  const exchangeTime = () => START + (HISTORY_MINUTES + 1) * 60_000 + Math.floor(performance.now() - firstEndMs);
  setInterval(() => {
    const { storeId, commitSeq, closedThrough } = writer;
    publisher.publish(TOPICS.heartbeat, { storeId, commitSeq, closedThrough, exchangeTime: exchangeTime(), speed: 1 });
  }, HEARTBEAT_MS);
  closeEachMinute(nth, symbol, writer, publisher, firstEndMs);
}

function closeEachMinute(
  nth: number,
  symbol: string,
  writer: StoreWriter,
  publisher: MessagePublisher,
  firstEndMs: number,
): void {
  const pipeline = new CommitPipeline(
    {
      writer: {
        commit: (close) => writer.commit(close),
        async seal() {
          await writer.seal();
          const sealedNs = nowNs();
          console.log(`sealed ${nth} ${writer.closedThrough} ${sealedNs}`);
        },
        heal: () => writer.heal(),
        compact: () => writer.compact(),
      },
      onCommitted: (rows) => {
        const { storeId } = writer;
        for (const row of rows)
          publisher.publish(candleTopic(row.symbol), { storeId, ...row, closeTime: closeTimeOf(row.openTime) });
      },
    },
    deps,
  );
  const schedule = (minute: number) => {
    const lateMs = nth % 3 === 2 ? new Dice(nth, minute).next() * LATE_UP_TO_MS : 0;
    const dueMs = firstEndMs + (minute - HISTORY_MINUTES) * 60_000 + LATENESS_MS + lateMs;
    setTimeout(() => {
      pipeline.offer(batch([candle(symbol, minute)], START + minute * 60_000));
      schedule(minute + 1);
    }, dueMs - performance.now());
  };
  schedule(HISTORY_MINUTES);
}
