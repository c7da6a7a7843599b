import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import type { Filter } from "../../bus/subscriber-options.ts";
import { ZmqSubscriber } from "../../bus/zmq-subscriber.ts";
import type { Log } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import { type Frame, TOPICS } from "../../core/topic.ts";
import { type HeartbeatBody, parseCandleBody, parseHeartbeatBody } from "../../core/wire.ts";
import type { Advertisement } from "../lifecycle/advertisement.ts";
import { TELEMETRY_FILTERS, TelemetryView } from "../top/telemetry-view.ts";
import type { MarketEvidence } from "./evidence.ts";

/** Longest time of listening; it ends before where everybody was heard. */
const LISTEN_MS = 2500;
/** What is on its way when everybody was heard still counts. */
const LINGER_MS = 100;
const LOOK_MS = 50;
/** Candles remembered by their commitSeq; at the bound the listening ends. */
const MAX_CANDLES = 100_000;
const HTTP_TIMEOUT_MS = 1000;

/** What the nodes said while we listened. */
export interface Heard {
  readonly telemetry: TelemetryView;
  /** Advertised addresses where somebody answered. */
  readonly answered: ReadonlySet<string>;
  readonly market: MarketEvidence;
}

export const NOTHING_HEARD: Heard = {
  telemetry: new TelemetryView(platform.clock),
  answered: new Set(),
  market: { listenedMs: 0, heartbeats: 0, heartbeat: null, candles: 0, committed: 0, missed: 0, skewMs: null },
};

const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Subscribes to every node (its ipc socket, else its first endpoint) for at most 2.5 s, and sees meanwhile who answers at all the
 * advertised addresses.
 */
export async function listen(nodes: readonly Advertisement[]): Promise<Heard> {
  const ear = new Ear();
  const startedMs = platform.clock.monotonicMs();
  const all = nodes.flatMap((node) => node.endpoints);
  const bus = all.filter(isBusAddress);
  const heard = nodes.flatMap(
    (node) => node.endpoints.find((each) => each.startsWith("ipc://")) ?? node.endpoints.find(isBusAddress) ?? [],
  );
  const others = bus.filter((address) => !heard.includes(address));
  const web = Promise.all(all.filter((address) => !isBusAddress(address)).map((address) => ear.ask(address)));
  const filters = [...TELEMETRY_FILTERS, { topic: TOPICS.heartbeat }, { prefix: TOPICS.candle }];
  const sockets = [await ear.subscribe(heard, filters)];
  // No filter: these connections only show that somebody shakes hands there, and bring nothing twice.
  if (others.length > 0) sockets.push(await ear.subscribe(others, []));
  const hasMarket = nodes.some((node) => node.role === "market-data");
  const isDone = () =>
    ear.isFull ||
    (nodes.every(({ node }) => ear.telemetry.health(node) && ear.telemetry.metrics(node)) &&
      (ear.heartbeats >= 2 || !hasMarket) &&
      bus.every((address) => ear.answered.has(address)));
  while (!isDone() && platform.clock.monotonicMs() - startedMs < LISTEN_MS) await pause(LOOK_MS);
  await Promise.all([pause(LINGER_MS), web]);
  await Promise.all(sockets.map((socket) => socket.close()));
  return {
    telemetry: ear.telemetry,
    answered: ear.answered,
    market: ear.market(platform.clock.monotonicMs() - startedMs),
  };
}

/** Gathers what arrives. */
class Ear {
  readonly telemetry = new TelemetryView(platform.clock);
  readonly answered = new Set<string>();
  heartbeats = 0;
  #first: HeartbeatBody | null = null;
  #newest: HeartbeatBody | null = null;
  readonly #candles = new Set<number>();
  #skewMs: number | null = null;

  get isFull(): boolean {
    return this.#candles.size >= MAX_CANDLES;
  }

  /** An advertised address that is none stays one where nobody answered. */
  async subscribe(addresses: readonly string[], filters: readonly Filter[]): Promise<ZmqSubscriber> {
    const subscriber = await ZmqSubscriber.open(
      {
        endpoints: {},
        filters,
        onMessage: (frame) => this.#take(frame),
        onStatus: (status) => {
          if (status.type === "connected") this.answered.add(status.endpoint);
        },
      },
      { backend: zmqBackend, clock: platform.clock, log: SILENT },
    );
    for (const address of addresses) {
      try {
        subscriber.connect(address);
      } catch (error) {
        if (!(error instanceof FabricError)) throw error;
      }
    }
    return subscriber;
  }

  /** Any HTTP answer will do: it shows that the port is bound, and by a server. */
  async ask(address: string): Promise<void> {
    try {
      await platform.httpGet(address.replace(/^ws/, "http"), HTTP_TIMEOUT_MS);
      this.answered.add(address);
    } catch {
      // Nobody answered, which the missing entry says.
    }
  }

  market(listenedMs: number): MarketEvidence {
    const from = this.#first?.commitSeq ?? 0;
    const to = this.isFull ? from : (this.#newest?.commitSeq ?? from);
    const heard = [...this.#candles].filter((commitSeq) => commitSeq > from && commitSeq <= to).length;
    const committed = Math.max(0, to - from);
    return {
      listenedMs,
      heartbeats: this.heartbeats,
      heartbeat: this.#newest,
      candles: this.#candles.size,
      committed,
      missed: committed - heard,
      skewMs: this.#skewMs,
    };
  }

  #take(frame: Frame): void {
    if (frame.topic === TOPICS.heartbeat) this.#takeHeartbeat(frame.body);
    else if (frame.topic.startsWith(TOPICS.candle)) {
      const candle = parseCandleBody(frame.body);
      if (typeof candle !== "string" && !this.isFull) this.#candles.add(candle.commitSeq);
    } else this.telemetry.ingest(frame);
  }

  #takeHeartbeat(text: string): void {
    const body = parseHeartbeatBody(text);
    if (typeof body === "string") return;
    this.heartbeats++;
    this.#first ??= body;
    this.#newest = body;
    const skewMs = platform.clock.nowMs() - body.sentAt;
    if (this.#skewMs === null || Math.abs(skewMs) < Math.abs(this.#skewMs)) this.#skewMs = skewMs;
  }
}

function isBusAddress(address: string): boolean {
  return address.startsWith("ipc://") || address.startsWith("tcp://");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => platform.timers.after(ms, resolve));
}
