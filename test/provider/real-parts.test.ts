import { afterEach, expect, test } from "bun:test";
import { platform } from "#platform";
import { zmqBackend as backend } from "#zmq-backend";
import { MessagePublisher } from "../../src/bus/message-publisher.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import type { StoredCandle } from "../../src/core/candle.ts";
import { closeTimeOf } from "../../src/core/candle.ts";
import type { DeliveryCursor, DeliveryEvent } from "../../src/core/delivery.ts";
import type { Log } from "../../src/core/env.ts";
import { candleTopic, TOPICS } from "../../src/core/topic.ts";
import { DualRailProvider } from "../../src/provider/dual-rail-provider.ts";
import { MissedCount } from "../../src/provider/missed-count.ts";
import { ZmqMarket } from "../../src/provider/zmq-market.ts";
import type { StoreReader, StoreWriter } from "../../src/store/contract.ts";
import { grantWriter } from "../../src/store/grant.ts";
import { declareRole } from "../../src/store/guard.ts";
import { openStoreReader } from "../../src/store/reader.ts";
import { openStoreWriter } from "../../src/store/writer.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectedDelivery } from "./sim/expected-delivery.ts";
import { candleAt } from "./sim/market-node.ts";
import { minute } from "./sim/rig.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test("on real sockets and a real store a consumer gets the store's delivery once and in order, over restarts of both sides", async () => {
  using folder = tempFolder();
  const market = new Market(folder.path);
  await market.open();
  const rows: StoredCandle[] = [...(await market.history())];
  const follower = new Follower(folder.path, market.address);
  await follower.start();
  await eventually(() => follower.joined(), 10_000, "the consumer has joined");
  const startSeq = rows.length;

  for (let index = 0; index < 30; index++) {
    // Some closes are published on a dead wire, some not sealed until the next one, and both sides restart on the way.
    const isHeard = index % 5 !== 3;
    rows.push(...(await market.close(index, { isHeard, isSealed: index % 4 !== 2 })));
    if (index === 10) await follower.restart(market.address);
    if (index === 20) {
      await market.shut();
      await market.open();
      follower.moveTo(market.address);
    }
  }
  await market.seal();
  const expected = ["AAA", "BB"].map((symbol) => expectedDelivery(rows, symbol, startSeq, false));
  await eventually(() => follower.events.length >= expected.flat().length, 10_000, "everything was delivered");
  for (const [at, symbol] of ["AAA", "BB"].entries()) expect(follower.of(symbol)).toEqual([...(expected[at] ?? [])]);
  expect(follower.fast).toBeGreaterThan(0);
}, 60_000);

test("garbage, another schema version and a topic that is not the body's are counted and skipped, and the rest arrives", async () => {
  using folder = tempFolder();
  const market = new Market(folder.path);
  await market.open();
  await market.history();
  const follower = new Follower(folder.path, market.address);
  await follower.start();
  await eventually(() => follower.joined());
  await eventually(() => {
    market.heartbeat();
    return (follower.provider?.counters()["heartbeats.total"] ?? 0) > 0;
  });
  const topic = candleTopic("AAA");
  const [row] = await market.close(0, { isHeard: false, isSealed: false });
  const body = JSON.parse(market.bodyOf(row));
  const bad = [
    "",
    "not json",
    "[]",
    '{"v":1}',
    JSON.stringify({ ...body, v: 2 }),
    JSON.stringify({ ...body, open: "1" }),
    JSON.stringify({ ...body, symbol: "BB" }),
    "\u0000\uffff",
  ];
  for (const text of bad) market.publisher?.publish(topic, text);
  market.publisher?.publish(TOPICS.heartbeat, '{"v":7}');
  market.publisher?.publish(topic, market.bodyOf(row));
  await eventually(() => follower.of("AAA").length === 1);
  expect(follower.provider?.counters()["malformed.total"]).toBe(bad.length + 1);
}, 30_000);

test("a consumer of some symbols subscribes to exactly these, hears publishers that come later, and stops within a second", async () => {
  const open = () => {
    const deps = { backend, clock: platform.clock, log: silent };
    const publisher = new ZmqPublisher({ endpoints: { bind: ["tcp://127.0.0.1:0"] } }, deps);
    closers.push(() => publisher.close());
    return publisher;
  };
  const [first, second] = [open(), open()];
  const market = new ZmqMarket({ symbols: ["BTC"], endpoints: [] }, { backend, clock: platform.clock, log: silent });
  closers.push(() => market.stop());
  const heard: string[] = [];
  market.connect(first.endpoints[0] ?? "");
  await market.start({
    onCandle: (body) => void heard.push(`${body.node} ${body.symbol}`),
    onHeartbeat: (body) => void heard.push(`${body.node} heartbeat`),
  });
  const publish = (publisher: ZmqPublisher, node: string) => {
    for (const symbol of ["BTCUSDT", "ETH", "BTC"]) {
      const row = {
        ...candleAt(symbol, minute(0)),
        commitSeq: 1,
        prevOpenTime: null,
        closeTime: closeTimeOf(minute(0)),
      };
      const body = { v: 1, node, epoch: "e", seq: 1, sentAt: 1, storeId: "s", ...row };
      publisher.publish(candleTopic(symbol), JSON.stringify(body));
    }
    const told = { storeId: "s", commitSeq: 1, closedThrough: null, exchangeTime: null, speed: 1 };
    publisher.publish(TOPICS.heartbeat, JSON.stringify({ v: 1, node, epoch: "e", seq: 1, sentAt: 1, ...told }));
  };
  const untilHeard = (what: string, act: () => void) =>
    eventually(() => {
      act();
      return heard.includes(what);
    });
  await untilHeard("one heartbeat", () => publish(first, "one"));
  market.connect(second.endpoints[0] ?? "");
  await untilHeard("two heartbeat", () => publish(second, "two"));
  expect(new Set(heard)).toEqual(new Set(["one BTC", "one heartbeat", "two BTC", "two heartbeat"]));
  expect(market.counters()["malformed.total"]).toBe(0);

  market.disconnect(first.endpoints[0] ?? "");
  await eventually(() => {
    heard.length = 0;
    publish(first, "one");
    publish(second, "two");
    return untilHeard("two heartbeat", () => {}).then(() => !heard.includes("one heartbeat"));
  });
  await market.stop();
  await market.stop();
}, 30_000);

test("messages that a publisher numbered and that never came are counted, a repeat and a new life are not", () => {
  const missed = new MissedCount();
  const note = (seq: number, epoch = "one", topic = "a") =>
    missed.note(topic, { v: 1, node: "n", epoch, seq, sentAt: 1 });
  note(7);
  note(8);
  note(8);
  note(3);
  expect(missed.total).toBe(0);
  note(12);
  note(1, "one", "b");
  expect(missed.total).toBe(3);
  note(5, "two");
  note(7, "two");
  expect(missed.total).toBe(4);
});

/** Market-data's side, reduced to a writer and a publisher. */
class Market {
  readonly #folder: string;
  #writer: StoreWriter | null = null;
  #messages: MessagePublisher | null = null;
  publisher: ZmqPublisher | null = null;
  #lives = 0;

  constructor(folder: string) {
    this.#folder = folder;
    closers.push(() => this.shut());
  }

  get address(): string {
    return this.publisher?.endpoints[0] ?? "";
  }

  async open(): Promise<void> {
    declareRole("market-data");
    const grant = grantWriter("market-data");
    const deps = { ...platform, log: silent };
    this.#writer = await openStoreWriter({ folder: this.#folder, venue: "sim", grant }, deps);
    await this.#writer.bind("test");
    this.publisher = new ZmqPublisher({ endpoints: { bind: ["tcp://127.0.0.1:0"] } }, { backend, ...deps });
    const options = { node: "md", epoch: `life-${++this.#lives}` };
    this.#messages = new MessagePublisher(options, { publisher: this.publisher, ...deps });
  }

  /** What a fresh store takes first. */
  history(): Promise<readonly StoredCandle[]> {
    const candles = [-3, -2, -1].flatMap((index) =>
      ["AAA", "BB"].map((symbol) => candleAt(symbol, minute(index), "backfilled")),
    );
    return this.#commit(candles, minute(-1), true);
  }

  async close(index: number, how: { isHeard: boolean; isSealed: boolean }): Promise<readonly StoredCandle[]> {
    const symbols = index % 7 === 6 ? ["AAA"] : ["AAA", "BB"];
    const candles = symbols.map((symbol) => candleAt(symbol, minute(index), index % 11 === 8 ? "partial" : "complete"));
    const rows = await this.#commit(candles, minute(index), how.isSealed);
    if (how.isHeard) for (const row of rows) this.#messages?.publish(candleTopic(row.symbol), this.#fieldsOf(row));
    this.heartbeat();
    return rows;
  }

  heartbeat(): void {
    const { storeId, commitSeq, closedThrough } = this.#open();
    this.#messages?.publish(TOPICS.heartbeat, { storeId, commitSeq, closedThrough, exchangeTime: null, speed: 60 });
  }

  bodyOf(row: StoredCandle | undefined): string {
    return JSON.stringify({ v: 1, node: "md", epoch: "hand", seq: 1, sentAt: 1, ...(row && this.#fieldsOf(row)) });
  }

  seal(): Promise<void> {
    return this.#open().seal();
  }

  async shut(): Promise<void> {
    this.publisher?.close();
    await this.#writer?.close();
    this.#writer = null;
  }

  async #commit(candles: Parameters<StoreWriter["commit"]>[0]["candles"], closedThrough: number, isSealed: boolean) {
    const rows = await this.#open().commit({ candles, gaps: [], closedThrough });
    if (isSealed) await this.seal();
    return rows;
  }

  #fieldsOf(row: StoredCandle): object {
    return { ...row, storeId: this.#open().storeId, closeTime: closeTimeOf(row.openTime) };
  }

  #open(): StoreWriter {
    if (!this.#writer) throw new Error("The market is shut");
    return this.#writer;
  }
}

/** A consumer that keeps each event with its cursor, and starts again from there. */
class Follower {
  readonly events: DeliveryEvent[] = [];
  provider: DualRailProvider | null = null;
  fast = 0;
  readonly #reader: StoreReader;
  #market: ZmqMarket;
  #address: string;
  #cursor: DeliveryCursor | null = null;

  constructor(folder: string, address: string) {
    this.#reader = openStoreReader({ folder }, platform);
    this.#address = address;
    this.#market = this.#subscribe();
    closers.push(() => this.stop());
  }

  async start(): Promise<void> {
    this.#market = this.#subscribe();
    const provider = new DualRailProvider(
      { ...platform, reader: this.#reader, market: this.#market, log: silent },
      {
        symbols: "all",
        cursor: this.#cursor,
        onDelivered: ({ rail }) => {
          if (rail === "FAST") this.fast++;
        },
      },
    );
    this.provider = provider;
    void provider.run((event, cursor) => {
      this.events.push(event);
      const { storeId, throughSeq } = cursor;
      this.#cursor = { storeId, throughSeq, symbols: new Map(cursor.symbols) };
    });
  }

  joined(): boolean {
    return this.provider?.cursor() != null;
  }

  async restart(address: string): Promise<void> {
    await this.provider?.close();
    this.#address = address;
    await this.start();
  }

  moveTo(address: string): void {
    this.#market.connect(address);
    this.#market.disconnect(this.#address);
    this.#address = address;
  }

  of(symbol: string): readonly DeliveryEvent[] {
    return this.events.filter((event) => (event.type === "candle" ? event.candle.symbol : event.symbol) === symbol);
  }

  async stop(): Promise<void> {
    await this.provider?.close();
    await this.#reader.close();
  }

  #subscribe(): ZmqMarket {
    return new ZmqMarket(
      { symbols: "all", endpoints: [this.#address] },
      { backend, clock: platform.clock, log: silent },
    );
  }
}
