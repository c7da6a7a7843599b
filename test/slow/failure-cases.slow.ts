import { afterEach, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { SseReader } from "../bridge/sse-reader.ts";
import { Dice } from "../long/dice.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { ALL_WELL, House, Relay } from "./support-cases.ts";
import { journalFacts, wallMsToClose } from "./support-kill.ts";

// Each failure case by its name, on real processes: what fails, and what must come of it. Every test ends with the same verdict: the
// store holds the exchange's candles, the runner decided and traded as one that nobody disturbed, nothing is there twice, no file is damaged.

const TIMEOUT_MS = 90_000;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function house(seed: number): House {
  const folder = tempFolder();
  const opened = new House(folder, seed);
  closers.push(async () => {
    await opened[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });
  return opened;
}

test(
  "Publisher crash: subscribers live on, and when it is back they go on where they stood (invariants 4 and 10)",
  async () => {
    const market = house(101);
    await market.open("runner", "bridge");
    for (const untilCloseMs of [0, 15, 300]) {
      await market.trades(3);
      await Bun.sleep(Math.max(0, wallMsToClose(market.data) + untilCloseMs));
      await market.kill("market-data");
      const stood = market.decided();
      await Bun.sleep(500);
      expect(market.decided()).toBeLessThanOrEqual(stood + 3);
      market.start("market-data");
      await market.trades(6);
    }
    await market.catchesUp();
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "Subscriber crash: the publisher never waits for it, and when it is back it decides every candle it missed, once (invariants 5 and 10)",
  async () => {
    const market = house(102);
    await market.open("runner");
    for (const untilCloseMs of [0, 8, 20]) {
      await market.trades(3);
      await Bun.sleep(Math.max(0, wallMsToClose(market.data) + untilCloseMs));
      await market.kill("runner");
      const stood = market.decided();
      await market.publishes(9);
      expect(market.decided()).toBe(stood);
      market.start("runner");
      await market.catchesUp();
    }
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "Bridge crash: trading does not notice, and when it is back it shows every node by itself (invariant 9)",
  async () => {
    const market = house(103);
    await market.open("runner", "scanner", "bridge");
    const shown = async () => (await market.snapshot()).nodes.filter(({ stale }) => !stale).map(({ node }) => node);
    const everyone = ["bridge", "busy", "market-data", "scanner", "sim"];
    await eventually(async () => (await shown()).join() === everyone.join(), 10_000, "the bridge to show everyone");
    await market.kill("bridge");
    await market.trades(9);
    market.start("bridge");
    await eventually(async () => (await shown()).join() === everyone.join(), 10_000, "the new bridge to show everyone");
    await market.trades(3);
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "Browser disconnect: its place is freed, other browsers and trading do not notice, and back again it has the whole picture (invariants 8 and 9)",
  async () => {
    const market = house(104);
    await market.open("runner", "bridge");
    const url = `http://127.0.0.1:${market.bridgePort}/api/telemetry/stream`;
    const browse = async () => {
      const leave = new AbortController();
      const reply = await fetch(url, { signal: leave.signal });
      if (!reply.body) throw new Error("The bridge sent no stream");
      return { reader: new SseReader(reply.body), leave: () => leave.abort() };
    };
    const staying = await browse();
    const clients = async () => (await market.snapshot()).bridge.clients;
    for (let round = 0; round < 5; round++) {
      const going = await Promise.all([browse(), browse(), browse()]);
      await eventually(async () => (await clients()) === 4);
      await eventually(() => going.every(({ reader }) => reader.numbered.length > 5), 10_000, "events");
      for (const { leave } of going) leave();
      await eventually(async () => (await clients()) === 1, 10_000, "the places to be freed");
    }
    const back = await browse();
    const nodes = () => new Set(back.reader.numbered.map(({ data }) => (JSON.parse(data) as { node: string }).node));
    await eventually(() => ["busy", "market-data", "sim"].every((node) => nodes().has(node)), 5000, "every node");
    await market.trades(3);
    const seqs = staying.reader.seqs;
    const live = seqs.slice(seqs.length / 2);
    expect(live).toEqual(live.map((_, at) => (live[0] ?? 0) + at));
    expect(staying.reader.ended).toBeNull();
    for (const { leave } of [staying, back]) leave();
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "Message gaps: candles that the fast rail loses come from the store, in order and once (invariant 4)",
  async () => {
    const market = house(105);
    await using relay = await Relay.open(market.runnerHears);
    const dice = new Dice(105, 0);
    let lost = 0;
    relay.mangle = (frames) => {
      const left = frames.filter((frame) => !frame.startsWith("market.candle") || !dice.oneIn(2));
      lost += frames.length - left.length;
      return left;
    };
    market.runnerHears = relay.address;
    await market.open("runner");
    await market.trades(30);
    const { values } = await market.runnerMetrics();
    expect(lost).toBeGreaterThan(5);
    expect(values["fallback.delivered.total"]).toBeGreaterThan(3);
    expect(values["missed.total"]).toBeGreaterThan(3);
    await market.catchesUp();
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "Out-of-order delivery: messages that overtake one another or come twice change no order and repeat no decision (invariant 4)",
  async () => {
    const market = house(106);
    await using relay = await Relay.open(market.runnerHears);
    const dice = new Dice(106, 0);
    let held: string[] = [];
    const letGo = setInterval(() => {
      const frames = dice.shuffled([...held, ...held.filter(() => dice.oneIn(3))]);
      const old = held.filter(() => dice.oneIn(8));
      held = [];
      relay.mangle = (each) => each;
      relay.send(frames);
      relay.mangle = hold;
      held.push(...old);
    }, 700);
    const hold = (frames: readonly string[]) => {
      held.push(...frames);
      return [];
    };
    relay.mangle = hold;
    try {
      market.runnerHears = relay.address;
      await market.open("runner");
      await market.trades(30);
      const { values } = await market.runnerMetrics();
      expect(values["duplicates.total"]).toBeGreaterThan(3);
      await market.catchesUp();
    } finally {
      clearInterval(letGo);
    }
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "Trading continues: with the fast rail dead, then the scanner and the bridge, the runner decides every closed candle within seconds (invariant 10)",
  async () => {
    const market = house(107);
    const relay = await Relay.open(market.runnerHears);
    market.runnerHears = relay.address;
    await market.open("runner", "scanner", "bridge");
    await market.trades(3);
    await relay[Symbol.asyncDispose]();
    await market.trades(15);
    for (const role of ["scanner", "bridge"] as const) await market.kill(role);
    await market.trades(9);
    const behind = (await market.published()) - market.decided();
    expect(behind).toBeLessThanOrEqual(6);
    await market.catchesUp();
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "No duplicate executions: a runner killed again and again around its decisions places each order once (invariant 5)",
  async () => {
    const market = house(108);
    await market.open("runner");
    for (let kill = 0; kill < 10; kill++) {
      await Bun.sleep(Math.max(0, wallMsToClose(market.data) - 2 + 3 * kill));
      await market.kill("runner");
      market.start("runner");
      await market.trades(1);
    }
    await market.catchesUp();
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "No database corruption: market-data and runner killed while they write leave a store and a journal that verify clean (invariants 1 and 2)",
  async () => {
    const market = house(109);
    await market.open("runner");
    for (let kill = 0; kill < 6; kill++) {
      await Bun.sleep(Math.max(0, wallMsToClose(market.data) + 5 * kill));
      await Promise.all([market.kill("market-data"), market.kill("runner")]);
      market.start("runner");
      market.start("market-data");
      await market.trades(3);
    }
    await market.catchesUp();
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);

test(
  "Deterministic recovery from DuckDB state: with everything published deleted, market.duckdb and the journal bring back the same state, bit for bit",
  async () => {
    const market = house(110);
    await market.open("runner");
    await market.trades(30);
    await market.catchesUp();
    await Promise.all([market.kill("market-data"), market.kill("runner")]);
    const before = journalFacts(market.data, "busy");
    for (const folder of ["published", "run"]) rmSync(join(market.data, folder), { recursive: true });
    market.start("market-data");
    await eventually(
      async () => (await market.published()) >= before.throughSeq,
      15_000,
      "the rows to be published anew",
    );
    market.start("runner");
    await market.trades(9);
    const after = journalFacts(market.data, "busy");
    expect([after.storeId, after.startSeq]).toEqual([before.storeId, before.startSeq]);
    // The verdict folds a fresh journal from the same start over the store: that is the state to be found.
    expect(await market.verdict()).toEqual(ALL_WELL);
  },
  TIMEOUT_MS,
);
