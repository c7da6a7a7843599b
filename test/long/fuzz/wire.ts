import { createParser } from "eventsource-parser";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { METRICS_SCHEMA, parseBody } from "../../../src/bridge/body-schemas.ts";
import { TELEMETRY_TYPES } from "../../../src/bridge/contract.ts";
import { parseMessage } from "../../../src/bridge/message.ts";
import { TelemetryHub } from "../../../src/bridge/telemetry-hub.ts";
import { ZmqSubscriber } from "../../../src/bus/zmq-subscriber.ts";
import { closeTimeOf } from "../../../src/core/candle.ts";
import type { Frame } from "../../../src/core/topic.ts";
import { parseCandleBody, parseHeartbeatBody } from "../../../src/core/wire.ts";
import { DualRailProvider } from "../../../src/provider/dual-rail-provider.ts";
import type { MarketSubscription } from "../../../src/provider/market.ts";
import { ZmqMarket } from "../../../src/provider/zmq-market.ts";
import { FabricSource } from "../../bridge/fabric-source.ts";
import { batch, candle, openReader, openWriter, START } from "../../store/support.ts";
import { eventually } from "../../support/eventually.ts";
import { Dice } from "../dice.ts";
import { candleBodyWrong, heartbeatWrong } from "./judge.ts";
import { type Mutation, mutated } from "./mutations.ts";
import { refusal, type Tally } from "./tally.ts";
import type { FuzzRange } from "./targets.ts";

const BATCH = 256;
const SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
const STORED_MINUTES = 10;
/** Sound in form, and so far ahead that nothing true would follow: left out before the provider, or it would have no more to do. */
const MOST_ROWS = 1_000_000;
const HEARTBEAT = "market.heartbeat";
const EVENTS = new Set<string>(["bridge", ...TELEMETRY_TYPES]);
const MARK = "zz.mark";
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const deps = { backend: zmqBackend, clock: platform.clock, log: silent };
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Sent {
  readonly index: number;
  readonly kind: Mutation;
  /** As it must arrive; null where it must not. */
  readonly text: string | null;
}

/**
 * Mutated frames of every topic, over a real PUB socket to real SUB sockets: one that hands everything to the bridge's intake with a
 * browser behind it, one that keeps the latest per topic, and a ZmqMarket with a DualRailProvider on a real store behind it.
 */
export async function fuzzWire({ seed, from, to, folder }: FuzzRange, tally: Tally): Promise<void> {
  await using rig = await Rig.open(folder, tally);
  for (let at = from; at < to; at += BATCH) {
    tally.reached(at, true);
    const frames = framesOf(rig, seed, at, Math.min(to, at + BATCH));
    await rig.send(frames);
  }
  rig.finish(to);
}

function framesOf(rig: Rig, seed: number, from: number, to: number): { bytes: Uint8Array; sent: Sent }[] {
  return Array.from({ length: to - from }, (_, nth) => {
    const index = from + nth;
    const dice = new Dice(seed, index);
    const [topic, body] = rig.sound(dice, index);
    const [otherTopic, otherBody] = rig.sound(dice, index);
    const bodyOnly = !dice.oneIn(4);
    const [text, other] = bodyOnly ? [body, otherBody] : [`${topic} ${body}`, `${otherTopic} ${otherBody}`];
    const { kind, bytes } = mutated(text, other, dice);
    const whole = bodyOnly ? joined(`${topic} `, bytes) : bytes;
    return { bytes: whole, sent: { index, kind, text: arriving(whole) } };
  });
}

function joined(head: string, tail: Uint8Array): Uint8Array {
  const first = new TextEncoder().encode(head);
  const whole = new Uint8Array(first.length + tail.length);
  whole.set(first);
  whole.set(tail, first.length);
  return whole;
}

/** The wire's rule, said once more: a topic, a space, and UTF-8 all over. */
function arriving(bytes: Uint8Array): string | null {
  if (bytes.indexOf(0x20) < 1) return null;
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

class Rig implements AsyncDisposable {
  readonly #tally: Tally;
  readonly #publisher = zmqBackend.openPublisher({
    endpoints: [{ address: "tcp://127.0.0.1:0", how: "bind" }],
    sendHighWaterMark: 100_000,
  });
  readonly #hub = new TelemetryHub({ ...platform, log: silent, epoch: "fuzz", version: "0" });
  readonly #sounds: (readonly [topic: string, body: string])[] = [];
  readonly #closers: (() => unknown)[] = [];
  readonly #expected: Sent[] = [];
  readonly #lastOpenTime = new Map<string, number>();
  #storeId = "";
  #marks = 0;
  #markHeard = 0;
  #markLatest = 0;
  #beatHeard = 0;
  #everything: ZmqSubscriber | null = null;
  #provider: DualRailProvider | null = null;
  #ended: string | null = null;
  #streams = 0;

  private constructor(tally: Tally) {
    this.#tally = tally;
  }

  static async open(folder: string, tally: Tally): Promise<Rig> {
    const rig = new Rig(tally);
    await rig.#openStore(folder);
    const connect = [rig.#publisher.endpoints[0] ?? ""];
    const everything = await ZmqSubscriber.open(
      {
        endpoints: { connect },
        filters: [{ prefix: "" }],
        onMessages: (messages) => {
          try {
            rig.#take(messages);
          } catch (error) {
            rig.#ended = `the intake threw ${error instanceof Error ? error.stack : String(error)}`;
          }
        },
      },
      deps,
    );
    const latest = await ZmqSubscriber.open(
      {
        endpoints: { connect },
        filters: [{ prefix: "" }],
        conflate: "topic",
        onMessage: ({ topic, body }) => {
          if (topic === MARK) rig.#markLatest = Number(body);
        },
        onStatus: (status) => {
          if (status.type === "failed") rig.#ended = `the subscriber of the latest: ${status.reason}`;
        },
      },
      deps,
    );
    rig.#everything = everything;
    rig.#closers.push(
      () => everything.close(),
      () => latest.close(),
    );
    rig.#follow(folder, connect);
    rig.#browse();
    new FabricSource(5).second((topic, body) => rig.#sounds.push([topic, body]));
    await eventually(() => {
      rig.#mark();
      return rig.#markHeard > 0 && rig.#beatHeard > 0 && rig.#markLatest > 0;
    }, 10_000);
    return rig;
  }

  /** A sound frame: of a node's telemetry, a heartbeat, or the candle that comes next for some symbol. */
  sound(dice: Dice, index: number): readonly [string, string] {
    // A mutated seq may be taken for the newest: later ones then count as repeats, until the node's next life.
    const epoch = `life-${Math.floor(index / 64)}`;
    const envelope = { v: 1, node: "market-data", epoch, seq: index + 1, sentAt: START + index };
    const which = dice.below(8);
    if (which === 0) {
      const closedThrough = START + dice.below(30) * 60_000;
      const told = {
        storeId: this.#storeId,
        commitSeq: dice.below(100),
        closedThrough,
        exchangeTime: START,
        speed: 60,
      };
      return [HEARTBEAT, JSON.stringify({ ...envelope, ...told })];
    }
    if (which < 4) {
      const symbol = dice.pick(SYMBOLS);
      const last = this.#provider?.cursor()?.symbols.get(symbol)?.lastOpenTime ?? START + (STORED_MINUTES - 1) * 60_000;
      // Now and then one is missing before it, or it came before.
      const minute = Math.max(1, (last - START) / 60_000 + 1 + (dice.oneIn(4) ? dice.below(5) - 1 : 0));
      const prevOpenTime = START + (minute - 1) * 60_000;
      const row = { ...candle(symbol, minute), commitSeq: SYMBOLS.length * minute + 1, prevOpenTime };
      const body = { ...envelope, storeId: this.#storeId, ...row, closeTime: closeTimeOf(row.openTime) };
      return [`market.candle.1m.${symbol}`, JSON.stringify(body)];
    }
    const [topic, body] = dice.pick(this.#sounds);
    return [topic, body.replace(/"epoch":"[^"]*","seq":\d+/, `"epoch":"${epoch}","seq":${index + 1}`)];
  }

  async send(frames: readonly { bytes: Uint8Array; sent: Sent }[]): Promise<void> {
    for (const { bytes, sent } of frames) {
      if (sent.text === null) this.#tally.count(sent.kind, "refused: no topic and body in UTF-8");
      else this.#expected.push(sent);
      const result = this.#publisher.send(bytes);
      if (result !== "sent") this.#tally.fail(sent.index, `the publisher said ${result}`);
    }
    this.#mark();
    const marks = this.#marks;
    const first = frames[0]?.sent.index ?? 0;
    const arrived = () => this.#markHeard === marks && this.#markLatest >= marks && this.#beatHeard === marks;
    await eventually(() => arrived() || this.#ended !== null, 10_000, `the frames from ${first} on to arrive`);
    if (this.#ended !== null) throw new Error(`Ended at the frames from ${first} on: ${this.#ended}`);
    for (const lost of this.#expected.splice(0)) this.#tally.fail(lost.index, "the frame did not arrive");
    this.#judgeRails(first);
  }

  finish(at: number): void {
    const dropped = this.#everything?.counters().dropped ?? 0;
    if (dropped > 0) this.#tally.fail(at, `${dropped} frames were dropped`);
    if (Object.keys(Object.prototype).length > 0 || "polluted" in {})
      this.#tally.fail(at, "Object.prototype has changed");
    const snapshotBytes = JSON.stringify(this.#hub.snapshot()).length;
    this.#tally.note("bytes of the bridge's snapshot", snapshotBytes);
    for (const [name, value] of Object.entries(this.#provider?.counters() ?? {}))
      if (/malformed|gaps|holes|duplicates|size|ahead/.test(name)) this.#tally.note(`provider ${name}`, value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#provider?.close();
    for (const close of this.#closers.splice(0).reverse()) await close();
    await this.#hub.close();
    this.#publisher.close();
  }

  async #openStore(folder: string): Promise<void> {
    const writer = await openWriter(folder);
    for (let minute = 0; minute < STORED_MINUTES; minute++) {
      const rows = SYMBOLS.map((symbol) => candle(symbol, minute));
      await writer.commit(batch(rows, START + minute * 60_000));
    }
    await writer.seal();
    this.#storeId = writer.storeId;
    await writer.close();
  }

  /** A provider whose wire leaves out what is of another store: such a message would end it, as it should (refused). */
  #follow(folder: string, endpoints: readonly string[]): void {
    const zmq = new ZmqMarket({ symbols: "all", endpoints }, deps);
    const market: MarketSubscription = {
      start: (handlers) =>
        zmq.start({
          onCandle: (body) => {
            const wrong = candleBodyWrong(`market.candle.1m.${body.symbol}`, { ...body });
            if (wrong !== null) this.#tally.fail(body.seq - 1, `the provider's wire took a candle with ${wrong}`);
            const isLie = body.commitSeq > MOST_ROWS || body.openTime > START + MOST_ROWS * 60_000;
            if (body.storeId === this.#storeId && !isLie) handlers.onCandle(body);
          },
          onHeartbeat: (body) => {
            if (body.node === MARK) this.#beatHeard = body.seq;
            else if (body.storeId === this.#storeId) handlers.onHeartbeat(body);
          },
        }),
      stop: () => zmq.stop(),
      counters: () => zmq.counters(),
    };
    const reader = openReader(folder);
    this.#closers.push(() => reader.close());
    const provider = new DualRailProvider(
      { ...platform, reader, market, log: silent },
      { symbols: "all", cursor: null },
    );
    this.#provider = provider;
    provider
      .run((event) => {
        if (event.type === "gap") return;
        const { symbol, openTime } = event.candle;
        if (openTime <= (this.#lastOpenTime.get(symbol) ?? 0))
          this.#ended = `${symbol} ${openTime} was delivered twice`;
        this.#lastOpenTime.set(symbol, openTime);
        this.#tally.note("candles delivered");
      })
      .catch((error: unknown) => {
        this.#ended = `the provider ended: ${String(error)}`;
      });
  }

  #judgeRails(index: number): void {
    const rails = this.#provider?.rails() ?? [];
    const told = { v: 1, node: "r", epoch: "e", seq: 1, sentAt: 1, role: "runner", values: {}, rails };
    const parsed = parseBody(METRICS_SCHEMA, JSON.parse(JSON.stringify(told)));
    if ("problem" in parsed) this.#tally.fail(index, `the bridge refuses the provider's own rails: ${parsed.problem}`);
  }

  #mark(): void {
    this.#marks++;
    this.#publisher.send(`${MARK} ${this.#marks}`);
    const told = { storeId: "mark", commitSeq: 0, closedThrough: null, exchangeTime: null, speed: 1 };
    const body = { v: 1, node: MARK, epoch: "e", seq: this.#marks, sentAt: 1, ...told };
    this.#publisher.send(`${HEARTBEAT} ${JSON.stringify(body)}`);
  }

  #take(messages: readonly Frame[]): void {
    for (const { topic, body } of messages) {
      if (topic === MARK) this.#markHeard = Number(body);
      else if (topic !== HEARTBEAT || !body.includes(`"${MARK}"`)) this.#takeOne(topic, body);
    }
  }

  #takeOne(topic: string, body: string): void {
    const sent = this.#expected.shift();
    if (sent?.text !== `${topic} ${body}`) {
      this.#tally.fail(sent?.index ?? 0, `arrived otherwise, or out of order: ${topic} ${body.slice(0, 200)}`);
      return;
    }
    if (topic === HEARTBEAT) this.#takeHeartbeat(sent, body);
    else this.#takeTelemetry(sent, topic, body);
  }

  #takeTelemetry(sent: Sent, topic: string, body: string): void {
    const before = this.#hub.counters()["bridge.accepted.total"];
    this.#hub.ingest(topic, body);
    const message = parseMessage(topic, body);
    if ("outcome" in message) {
      this.#tally.count(sent.kind, message.outcome === "foreign" ? "refused: foreign topic" : refusal(message.reason));
    } else {
      const isNew = this.#hub.counters()["bridge.accepted.total"] !== before;
      this.#tally.count(sent.kind, isNew ? "accepted" : "refused: not above its seq");
      if (message.type !== "candle") return;
      const wrong = candleBodyWrong(topic, JSON.parse(body));
      if (wrong !== null) this.#tally.fail(sent.index, `the bridge took a candle with ${wrong}`);
    }
    if (typeof parseCandleBody(body) !== "string" && !("outcome" in message) && message.type !== "candle")
      this.#tally.fail(sent.index, "a candle's body passed under another topic");
  }

  #takeHeartbeat(sent: Sent, text: string): void {
    const body = parseHeartbeatBody(text);
    this.#tally.count(sent.kind, typeof body === "string" ? refusal(body) : "accepted");
    if (typeof body === "string") return;
    const wrong = heartbeatWrong(JSON.parse(text));
    if (wrong !== null) this.#tally.fail(sent.index, `a heartbeat was taken with ${wrong}`);
  }

  /** A browser that reads all: ids without a hole, each event one JSON object of a known type. A cut one comes back. */
  #browse(): void {
    this.#streams++;
    const stream = this.#hub.openStream({ signal: new AbortController().signal, lastEventId: null, topics: null });
    if (!stream) return;
    let last: number | null = null;
    let greeted = false;
    const parser = createParser({
      onEvent: ({ id, event, data }) => {
        const value = JSON.parse(data) as { node?: unknown };
        if (event === "bridge") greeted = true;
        else if (typeof value.node !== "string") this.#ended = `an event without a node: ${data.slice(0, 200)}`;
        if (!EVENTS.has(event ?? "")) this.#ended = `an event ${event}`;
        const seq = id === undefined ? null : Number(id.split("-").at(-1));
        if (seq !== null && last !== null && seq <= last) this.#ended = `event ${id} came after ${last}`;
        last = seq ?? last;
      },
    });
    void (async () => {
      const text = new TextDecoder();
      try {
        for await (const chunk of stream) parser.feed(text.decode(chunk, { stream: true }));
      } catch (error) {
        if (!greeted || !/unread/.test(String(error))) this.#ended = `the browser's stream: ${String(error)}`;
        else {
          this.#tally.note("browser streams cut for not reading");
          if (this.#streams < 10_000) this.#browse();
        }
      }
    })();
  }
}
