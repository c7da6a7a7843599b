import type { Candle } from "../../core/candle.ts";
import type { Clock, HttpGet, Log, OpenSocket, Random, Timer, Timers } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import type { FeedFacts, FeedSink, MarketFeed } from "../contract.ts";
import { BinanceConnection, MAX_STREAMS } from "./connection.ts";
import { type BinanceEndpoint, binanceEndpoint } from "./endpoint.ts";
import type { BinanceMarket, Frame } from "./frame.ts";
import { RecentCount } from "./recent-count.ts";
import { BinanceRest } from "./rest.ts";
import { VenueClock } from "./venue-clock.ts";

export interface BinanceFeedOptions {
  readonly symbols: readonly string[];
  /** The WebSocket's address without /stream; Binance itself where absent. */
  readonly url?: string;
  /** What the store is bound to. Default binance-spot. */
  readonly venue?: BinanceMarket;
  /** Wall ms without any frame before the venue is asked for a sign of life. Default 15,000. */
  readonly staleAfterMs?: number;
  /** The aggregation's lateness allowance, exchange ms. Default 500. */
  readonly lateAllowanceMs?: number;
}

export interface BinanceFeedDeps {
  readonly openSocket: OpenSocket;
  readonly httpGet: HttpGet;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

/** A frame that may have been a trade: whose, where it says so, and why it was not taken. */
interface Fault {
  readonly symbol: string | null;
  readonly reason: string;
}

const RETRY_MS = 250;
const RETRY_MAX_MS = 5000;
/** The venue's clock of a new connection is asked for until it is told. */
const CLOCK_RETRY_MS = 1000;
/** A trade this far ahead of the venue's clock (exchange ms) is a fault in the data, not the future. */
const MAX_AHEAD_MS = 3_600_000;
const LOG_SPACING_MS = 10_000;

/**
 * Binance's spot market (or a venue that speaks its protocol) as a MarketFeed. It first asks who the venue is and whether it
 * has the symbols, however long that takes; then each connection of up to 1,024 streams lives and reconnects by itself.
 */
export class BinanceFeed implements MarketFeed {
  readonly venue: BinanceMarket;
  readonly recording = false;
  readonly #options: BinanceFeedOptions;
  readonly #deps: BinanceFeedDeps;
  readonly #endpoint: BinanceEndpoint;
  readonly #rest: BinanceRest;
  readonly #venueClock: VenueClock;
  #connections: BinanceConnection[] = [];
  #environment: string | null = null;
  #lastMessageAt: number | null = null;
  #lastLogAt = Number.NEGATIVE_INFINITY;
  #verified = false;
  #end: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | null = null;
  #wait: { readonly timer: Timer; readonly resolve: () => void } | null = null;
  readonly #unreadable = new RecentCount();
  readonly #counters = {
    "messages.total": 0,
    "trades.total": 0,
    "omitted.total": 0,
    "malformed.total": 0,
    "other.total": 0,
    "implausible.total": 0,
    /** Frames that may have been trades: malformed and implausible ones. */
    "unreadable.total": 0,
    "reconnects.total": 0,
    "quiet.total": 0,
  };

  /** Throws FabricError "usage" for a bad url. */
  constructor(options: BinanceFeedOptions, deps: BinanceFeedDeps) {
    this.#options = options;
    this.#deps = deps;
    this.venue = options.venue ?? "binance-spot";
    this.#endpoint = binanceEndpoint(options.url);
    this.#rest = new BinanceRest(this.#endpoint, deps.httpGet, deps.clock);
    this.#venueClock = new VenueClock(deps.clock);
  }

  /** May be run again after `stop`. Rejects "usage" for unknown symbols, "refused" where the venue becomes another one. */
  async run(sink: FeedSink): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.#end = { resolve, reject };
    });
    void this.#start(sink).catch((error) => this.#end?.reject(error));
    try {
      await ended;
    } finally {
      this.#end = null;
      this.#stopConnections();
    }
  }

  async stop(): Promise<void> {
    this.#wait?.timer.cancel();
    this.#wait?.resolve();
    this.#stopConnections();
    this.#end?.resolve();
  }

  async klines(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly Candle[]> {
    const proven = this.#venueClock.proven ?? 0;
    const now = proven >= toOpenTime + MINUTE_MS ? proven : (await this.#askTime()).timeMs;
    return this.#rest.klines(symbol, fromOpenTime, toOpenTime, now);
  }

  facts(): FeedFacts {
    const connected = this.#connections.length > 0 && this.#connections.every((connection) => connection.connected);
    const unreadable = this.#unreadable.total(this.#deps.clock.monotonicMs());
    return {
      connected,
      exchangeTimeMs: this.#venueClock.now(),
      speed: this.#venueClock.speed,
      environment: this.#environment,
      ageMs: this.#lastMessageAt === null ? null : this.#deps.clock.monotonicMs() - this.#lastMessageAt,
      trouble: unreadable === 0 ? null : `${unreadable} unreadable frames in the last minute`,
      counters: {
        ...this.#counters,
        "rest.requests.total": this.#rest.requests,
        "rest.limited.total": this.#rest.limited,
      },
    };
  }

  async #start(sink: FeedSink): Promise<void> {
    const end = this.#end;
    for (let tries = 0; this.#end === end; tries++) {
      try {
        await this.#askTime();
        await this.#verify();
        break;
      } catch (error) {
        if (!(error instanceof FabricError) || error.code !== "unavailable") throw error;
        this.#say(`Waiting for the venue: ${error.message}`);
        await this.#pause(Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(tries, 10)));
      }
    }
    if (this.#end !== end) return;
    const { symbols } = this.#options;
    for (let at = 0; at < symbols.length; at += MAX_STREAMS) {
      const connection = this.#connection(symbols.slice(at, at + MAX_STREAMS), sink);
      this.#connections.push(connection);
      connection.start();
    }
  }

  async #verify(): Promise<void> {
    if (this.#verified) return;
    const unknown = await this.#rest.unknownSymbols(this.#options.symbols);
    if (unknown.length > 0) {
      const names = unknown.slice(0, 10).join(", ") + (unknown.length > 10 ? ` and ${unknown.length - 10} more` : "");
      throw new FabricError(
        "usage",
        `Unknown symbol ${names}: the venue at ${this.#endpoint.restUrl} does not have it`,
      );
    }
    this.#verified = true;
  }

  /** Asks the venue for time, speed and environment. Throws "refused" where it is not the one it was. */
  async #askTime(): Promise<{ readonly timeMs: number }> {
    const askedAt = this.#deps.clock.monotonicMs();
    const told = await this.#rest.time();
    if (this.#environment !== null && this.#environment !== told.environment) {
      throw new FabricError(
        "refused",
        `Cannot go on with the venue at ${this.#endpoint.restUrl}: it was ${this.#environment} and is now ` +
          `${told.environment}; use another data folder for that one`,
      );
    }
    this.#environment = told.environment;
    this.#venueClock.told(told.timeMs, askedAt, told.speed);
    return told;
  }

  #connection(symbols: readonly string[], sink: FeedSink): BinanceConnection {
    const ours = new Set(symbols);
    const connection: BinanceConnection = new BinanceConnection(
      {
        url: this.#endpoint.streamUrl,
        symbols,
        staleAfterMs: this.#options.staleAfterMs ?? 15_000,
        lateAllowanceMs: this.#options.lateAllowanceMs ?? 500,
      },
      { ...this.#deps, venueClock: this.#venueClock, askTime: () => this.#timeOrNull() },
      {
        onFrame: (frame) => {
          const fault = this.#onFrame(frame, ours, sink);
          if (fault === null) return true;
          this.#onUnreadable(fault, ours, symbols, sink);
          return false;
        },
        onConnected: () => {
          sink.onConnected(symbols);
          void this.#heardSince(connection, sink);
        },
        onQuiet: (exchangeTimeMs, allRead) => {
          this.#counters["quiet.total"]++;
          if (allRead) sink.onHeardSince?.(symbols, exchangeTimeMs);
          sink.onQuiet(symbols, exchangeTimeMs);
        },
        onInterrupted: (reason) => {
          if (!this.#connections.some((other) => other.connected)) this.#venueClock.hold();
          sink.onInterrupted(symbols, reason);
        },
        onRejected: (rejected, reason) => {
          const names = rejected.slice(0, 10).join(", ") + (rejected.length > 10 ? " …" : "");
          this.#end?.reject(
            new FabricError("usage", `The venue refused to subscribe ${rejected.length} symbols (${names}): ${reason}`),
          );
        },
        onRetry: (reason, delayMs) => {
          this.#counters["reconnects.total"]++;
          this.#say(`Connecting again to ${this.#endpoint.streamUrl} in ${Math.round(delayMs)} ms: ${reason}`);
        },
      },
    );
    return connection;
  }

  /**
   * The venue's clock, read once every stream is acknowledged: what is traded after it is heard. Not where something
   * unreadable came meanwhile, which may have been traded later than that.
   */
  async #heardSince(connection: BinanceConnection, sink: FeedSink): Promise<void> {
    const { unreadable, connects } = connection;
    const timeMs = await this.#timeOrNull();
    if (!connection.connected || connection.connects !== connects || connection.unreadable !== unreadable) return;
    if (timeMs !== null) sink.onHeardSince?.(connection.symbols, timeMs);
    else this.#deps.timers.after(CLOCK_RETRY_MS, () => void this.#heardSince(connection, sink));
  }

  async #timeOrNull(): Promise<number | null> {
    try {
      return (await this.#askTime()).timeMs;
    } catch (error) {
      if (error instanceof FabricError && error.code === "unavailable") this.#say(messageOf(error));
      else this.#end?.reject(error);
      return null;
    }
  }

  /** What is wrong with the frame, or null: it was read. */
  #onFrame(frame: Frame, ours: ReadonlySet<string>, sink: FeedSink): Fault | null {
    const counters = this.#counters;
    counters["messages.total"]++;
    this.#lastMessageAt = this.#deps.clock.monotonicMs();
    switch (frame.type) {
      case "trade":
        if (!ours.has(frame.trade.symbol) || this.#isImplausible(frame.trade.timeMs)) {
          counters["implausible.total"]++;
          return { symbol: frame.trade.symbol, reason: "a trade of another symbol or far ahead of the venue's clock" };
        }
        counters["trades.total"]++;
        this.#venueClock.note(frame.eventTimeMs);
        sink.onTrade(frame.trade);
        return null;
      case "omitted":
        counters["omitted.total"]++;
        sink.onOmitted?.(frame.symbol, frame.firstId, frame.lastId, frame.timeMs);
        return null;
      case "malformed":
        counters["malformed.total"]++;
        return frame;
      default:
        counters["other.total"]++;
        return null;
    }
  }

  /** It may have been a trade: of the symbol it names, where that is one of the connection's, else of any of them. */
  #onUnreadable({ symbol, reason }: Fault, ours: ReadonlySet<string>, all: readonly string[], sink: FeedSink): void {
    this.#counters["unreadable.total"]++;
    this.#unreadable.add(this.#deps.clock.monotonicMs());
    this.#say(`Cannot read a message of the venue (${reason}): the minutes it touches wait for the venue's klines`);
    sink.onUnreadable?.(symbol !== null && ours.has(symbol) ? [symbol] : all, reason);
  }

  #isImplausible(timeMs: number): boolean {
    const now = this.#venueClock.running ? this.#venueClock.now() : null;
    return now !== null && timeMs > now + MAX_AHEAD_MS;
  }

  #stopConnections(): void {
    for (const connection of this.#connections.splice(0)) connection.stop();
    this.#venueClock.hold();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.timers.after(ms * (0.5 + this.#deps.random.next() / 2), resolve);
      this.#wait = { timer, resolve };
    });
  }

  /** At most one line in 10 s. */
  #say(message: string): void {
    const now = this.#deps.clock.monotonicMs();
    if (now - this.#lastLogAt < LOG_SPACING_MS) return;
    this.#lastLogAt = now;
    this.#deps.log.warn(message);
  }
}
