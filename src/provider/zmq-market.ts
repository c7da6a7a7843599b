import { RateLimitedLog } from "../bus/rate-limited-log.ts";
import type { Filter, ZmqSubscriberOptions } from "../bus/subscriber-options.ts";
import { ZmqSubscriber, type ZmqSubscriberDeps } from "../bus/zmq-subscriber.ts";
import { candleTopic, type Frame, TOPICS } from "../core/topic.ts";
import { parseCandleBody, parseHeartbeatBody } from "../core/wire.ts";
import type { MarketHandlers, MarketSubscription } from "./market.ts";
import { MissedCount } from "./missed-count.ts";

export interface ZmqMarketOptions {
  readonly symbols: readonly string[] | "all";
  /** Addresses of publishers to connect to; more may come and go later. */
  readonly endpoints: readonly string[];
  /** For the subscriber; its own bounds and waits where not given. */
  readonly subscriber?: Pick<
    ZmqSubscriberOptions,
    "curve" | "receiveHighWaterMark" | "bufferMessages" | "bufferBytes" | "reconnectMs" | "reconnectMaxMs"
  >;
}

/**
 * The fast rail over ZeroMQ: exact topics of the symbols wanted (or every candle) and the heartbeat. A message that cannot
 * be read, or of another schema version, is counted, said at most once a second, and skipped.
 */
export class ZmqMarket implements MarketSubscription {
  readonly #options: ZmqMarketOptions;
  readonly #deps: ZmqSubscriberDeps;
  readonly #trouble: RateLimitedLog;
  readonly #addresses: Set<string>;
  #handlers: MarketHandlers | null = null;
  #opening: Promise<ZmqSubscriber> | null = null;
  #subscriber: ZmqSubscriber | null = null;
  #stopped = false;
  #unreadable = 0;
  readonly #missed = new MissedCount();

  constructor(options: ZmqMarketOptions, deps: ZmqSubscriberDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#trouble = new RateLimitedLog(deps.log, deps.clock);
    this.#addresses = new Set(options.endpoints);
  }

  /** Rejects with FabricError "usage" for a malformed address, "unavailable" where there is no libzmq. */
  async start(handlers: MarketHandlers): Promise<void> {
    this.#handlers = handlers;
    if (this.#stopped) return;
    const opened = [...this.#addresses];
    this.#opening = ZmqSubscriber.open(
      {
        ...this.#options.subscriber,
        endpoints: { connect: opened },
        filters: filtersOf(this.#options.symbols),
        onMessages: (messages) => this.#receive(messages),
        onStatus: (status) => {
          if ("endpoint" in status && status.type !== "retrying")
            handlers.onStatus?.(`${status.type} ${status.endpoint}`);
        },
      },
      this.#deps,
    );
    this.#subscriber = await this.#opening;
    // What was connected or disconnected while the socket opened.
    for (const address of this.#addresses) if (!opened.includes(address)) this.#subscriber.connect(address);
    for (const address of opened) if (!this.#addresses.has(address)) this.#subscriber.disconnect(address);
  }

  /** Hears a further publisher from now on; nothing where it is heard already. Throws FabricError "usage" for a malformed address. */
  connect(address: string): void {
    if (this.#addresses.has(address) || this.#stopped) return;
    this.#subscriber?.connect(address);
    this.#addresses.add(address);
  }

  /** Hears this publisher no longer. */
  disconnect(address: string): void {
    if (this.#addresses.delete(address) && !this.#stopped) this.#subscriber?.disconnect(address);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    // A subscriber that never opened has failed `start` already, and there is nothing to close.
    const subscriber = await this.#opening?.catch(() => null);
    await subscriber?.close();
  }

  counters(): Readonly<Record<string, number>> {
    const counters = this.#subscriber?.counters();
    return {
      "malformed.total": this.#unreadable + (counters ? counters.malformed + counters.empty + counters.oversize : 0),
      "missed.total": this.#missed.total,
      "socket.received.total": counters?.received ?? 0,
      "socket.dropped.total": counters?.dropped ?? 0,
    };
  }

  #receive(messages: readonly Frame[]): void {
    for (const message of messages) if (!this.#stopped) this.#read(message);
  }

  #read({ topic, body }: Frame): void {
    if (topic === TOPICS.heartbeat) {
      const heartbeat = parseHeartbeatBody(body);
      if (typeof heartbeat === "string") this.#skip(topic, heartbeat);
      else {
        this.#missed.note(topic, heartbeat);
        this.#handlers?.onHeartbeat(heartbeat);
      }
      return;
    }
    const candle = parseCandleBody(body);
    if (typeof candle === "string") this.#skip(topic, candle);
    else if (topic !== candleTopic(candle.symbol)) this.#skip(topic, `the body is of ${candle.symbol}`);
    else {
      this.#missed.note(topic, candle);
      this.#handlers?.onCandle(candle);
    }
  }

  #skip(topic: string, fault: string): void {
    this.#unreadable++;
    this.#trouble.warn("unreadable", `Skipped a message on ${topic.slice(0, 80)}: ${fault}`);
  }
}

function filtersOf(symbols: readonly string[] | "all"): readonly Filter[] {
  const heartbeat: Filter = { topic: TOPICS.heartbeat };
  if (symbols === "all") return [heartbeat, { prefix: TOPICS.candle }];
  return [heartbeat, ...symbols.map((symbol): Filter => ({ topic: candleTopic(symbol) }))];
}
