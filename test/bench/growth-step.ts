// One measurement of growth.ts in a process of its own: bun growth-step.ts STEP FOLDER [ARGUMENT…]; prints one JSON line.
import { platform } from "#platform";
import { zmqBackend as backend } from "#zmq-backend";
import { MessagePublisher } from "../../src/bus/message-publisher.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import { closeTimeOf } from "../../src/core/candle.ts";
import { candleTopic, TOPICS } from "../../src/core/topic.ts";
import { dataFolder } from "../../src/role/lifecycle/data-folder.ts";
import { Database } from "../../src/store/duckdb.ts";
import { declareRole } from "../../src/store/guard.ts";
import { batch, candle, openReader, openWriter } from "../store/support.ts";
import { HOUR_ROWS, newestOpenTime, START, SYMBOLS, symbolAt } from "./growth-shape.ts";

const [, , step = "", folder = "", ...rest] = process.argv;
/** The newest minutes come as they do in life: a commit, a seal and a merge each. */
const LIVE_MINUTES = 60;
const LOOKS = 20;
const WEEK_MS = 7 * 24 * 3_600_000;

interface Taken {
  readonly ms: number;
  readonly cpuMs: number;
  /** From the start of this process, the runtime's and libduckdb's loading included. */
  readonly sinceStartMs: number;
}

const STEPS: Readonly<Record<string, () => Promise<Taken>>> = {
  build: () => build(Number(rest[0])),
  "open the writer": openIt,
  "open the writer after kill -9": openIt,
  "commit, seal and be killed": commitAndDie,
  "look after what is published": heal,
  view: () => read(async (reader) => (await reader.view())?.throughSeq ?? 0),
  "delivery from an hour back": () => read(lastHour),
  "history of a week of one symbol": () =>
    read(async (reader) => (await reader.history(symbolAt(7), newest() - WEEK_MS, newest())).length),
  "latest 500 of one symbol": () => read(async (reader) => (await reader.latest(symbolAt(7), 500)).length),
  feed: () => feed(),
};

const run = STEPS[step];
if (!run) throw new Error(`No such step: ${step}`);
// Its loading is the same for every size and would hide what grows: the step's own figures come without it.
(await Database.memory({})).close();
console.log(JSON.stringify({ ...(await run()), maxRssMb: Math.round(process.resourceUsage().maxRSS / 1024) }));
process.exit(0);

function newest(): number {
  return newestOpenTime(Number(rest[0]));
}

async function timed(work: () => Promise<unknown>): Promise<Taken> {
  const [from, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  const nowMs = performance.now();
  return { ms: nowMs - from, cpuMs: (user + system) / 1000, sinceStartMs: nowMs };
}

async function read(work: (reader: ReturnType<typeof openReader>) => Promise<number>): Promise<Taken> {
  const reader = openReader(folder);
  let found = 0;
  const taken = await timed(async () => {
    found = await work(reader);
  });
  await reader.close();
  if (found === 0) throw new Error(`"${step}" found nothing`);
  return taken;
}

/** As the provider reads: by pages of a thousand until the end. */
async function lastHour(reader: ReturnType<typeof openReader>): Promise<number> {
  const end = (await reader.view())?.throughSeq ?? 0;
  let found = 0;
  for (let after = end - HOUR_ROWS; after < end; ) {
    const page = await reader.delivery(after, 1000, "all");
    if (!page) break;
    found += page.candles.length;
    after = page.throughSeq;
  }
  return found;
}

async function openIt(): Promise<Taken> {
  let writer: Awaited<ReturnType<typeof openWriter>> | null = null;
  const taken = await timed(async () => {
    writer = await openWriter(folder);
  });
  await (writer as Awaited<ReturnType<typeof openWriter>> | null)?.close();
  return taken;
}

async function heal(): Promise<Taken> {
  const writer = await openWriter(folder);
  const taken = await timed(async () => {
    for (let look = 0; look < LOOKS; look++) await writer.heal();
  });
  await writer.close();
  return { ms: taken.ms / LOOKS, cpuMs: taken.cpuMs / LOOKS, sinceStartMs: Number.NaN };
}

async function commitAndDie(): Promise<Taken> {
  const writer = await openWriter(folder);
  const openTime = (writer.closedThrough ?? 0) + 60_000;
  await writer.commit(closeOf(openTime));
  await writer.seal();
  process.kill(process.pid, "SIGKILL");
  throw new Error("Still alive");
}

function closeOf(openTime: number) {
  const rows = Array.from({ length: SYMBOLS }, (_, index) => ({ ...candle(symbolAt(index), 0), openTime }));
  return batch(rows, openTime);
}

/** A market-data node reduced to its wire: a heartbeat and a close of every symbol each 50 ms, until it is stopped. */
async function feed(): Promise<Taken> {
  const { run } = dataFolder(folder);
  platform.files.makeFolder(run);
  const writer = await openWriter(folder);
  const deps = { backend, clock: platform.clock, log: { debug() {}, info() {}, warn() {}, error() {} } };
  const socket = new ZmqPublisher({ endpoints: { bind: [dataFolder(folder).ipcEndpoint("market-data")] } }, deps);
  const publisher = new MessagePublisher({ node: "market-data", epoch: "growth" }, { ...deps, publisher: socket });
  const { storeId } = writer;
  for (;;) {
    const openTime = (writer.closedThrough ?? 0) + 60_000;
    const rows = await writer.commit(closeOf(openTime));
    for (const row of rows) {
      publisher.publish(candleTopic(row.symbol), { storeId, ...row, closeTime: closeTimeOf(row.openTime) });
    }
    const told = { storeId, commitSeq: writer.commitSeq, closedThrough: openTime, exchangeTime: openTime, speed: 1 };
    publisher.publish(TOPICS.heartbeat, told);
    await writer.seal();
    await Bun.sleep(50);
  }
}

/** A store of so many days, written by SQL into the real tables, and published by the real writer. */
async function build(days: number): Promise<Taken> {
  declareRole("market-data");
  return timed(async () => {
    await (await openWriter(folder)).close();
    const database = await Database.file(
      `${folder}/market.duckdb`,
      { threads: "2", memory_limit: "1GB" },
      platform.files,
    );
    const connection = await database.connect();
    const minutes = days * 1440 - LIVE_MINUTES;
    for (let from = 0; from < minutes; from += 14_400)
      await connection.run(rowsSql(from, Math.min(minutes, from + 14_400)));
    await connection.run(
      `UPDATE meta SET closed_through = make_timestamp_ms(${newestOpenTime(days) - LIVE_MINUTES * 60_000})`,
    );
    await connection.run("CHECKPOINT");
    database.close();
    const writer = await openWriter(folder);
    // Publishing so much anew comes in steps, of which opening took the first.
    while (writer.counters().segments === 0) await writer.seal();
    for (let minute = minutes; minute < minutes + LIVE_MINUTES; minute++) {
      await writer.commit(closeOf(START + minute * 60_000));
      await writer.seal();
      await writer.compact();
    }
    await writer.close();
  });
}

/** Walks that look like prices, quotes with two decimals, volumes with three: a store compresses them as it does real ones. */
function rowsSql(fromMinute: number, toMinute: number): string {
  const time = `make_timestamp_ms(${START} + m * 60000)`;
  const price = "round(100 + s + 5 * sin(m / 500.0 + s) + hash(m * 1000 + s) % 100 / 100, 2)";
  return `INSERT INTO candle
    SELECT 'SYM' || s || 'USDT', ${time}, p, round(p + 0.37, 2), round(p - 0.41, 2), round(p + 0.11, 2), v, round(v * p, 4), h % 900 + 1,
      round(v / 3, 3), round(v * p / 3, 4), m * 1000 + 1, m * 1000 + h % 900 + 1, 'complete', m * ${SYMBOLS} + s + 1,
      CASE WHEN m = 0 THEN NULL ELSE ${time} - INTERVAL 1 MINUTE END
    FROM (SELECT m, s, ${price} AS p, (hash(i) % 10000)::BIGINT AS h, round(1 + hash(i * 7) % 100000 / 1000, 3) AS v
      FROM (SELECT i, i // ${SYMBOLS} AS m, i % ${SYMBOLS} AS s FROM range(${fromMinute * SYMBOLS}, ${toMinute * SYMBOLS}) AS r(i)))`;
}
