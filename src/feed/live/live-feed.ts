import type { Clock, HttpGet, Log, OpenSocket, Random, Timer, Timers } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import type { FeedFacts, FeedSink, MarketFeed, VenueCandle } from "../contract.ts";
import type { Venue, VenueClockReading, VenueId } from "../venues/contract.ts";
import { Connection, type ConnectionSink } from "./connection.ts";
import { type VenueBase, venueBase } from "./endpoint.ts";
import { FeedTally } from "./feed-tally.ts";
import { HoleRepair } from "./hole-repair.ts";
import { namesOf, Refusals } from "./refusals.ts";
import { newEar, type SymbolEar } from "./symbol-ear.ts";
import { TradeIntake } from "./trade-intake.ts";
import { VenueClock } from "./venue-clock.ts";
import { VenueRest } from "./venue-rest.ts";

export interface LiveFeedOptions {
  readonly venue: Venue;
  readonly symbols: readonly string[];
  /** WebSocket address of whoever speaks the venue's protocol; the venue itself where absent. */
  readonly url?: string;
  /** Wall ms without any frame before the venue is asked for a sign of life, and without a trade before it is looked up. Default 15,000. */
  readonly staleAfterMs?: number;
  /** The aggregation's lateness allowance, exchange ms. Default 500. */
  readonly lateAllowanceMs?: number;
}

export interface LiveFeedDeps {
  readonly openSocket: OpenSocket;
  readonly httpGet: HttpGet;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

const RETRY_MS = 250;
const RETRY_MAX_MS = 5000;
/** The venue's clock of a new connection is asked for until it is told. */
const CLOCK_RETRY_MS = 1000;
/** Symbols on one connection where the venue names no bound. */
const SYMBOLS_PER_CONNECTION = 500;

/**
 * A live venue (or whoever speaks its protocol) as a MarketFeed. It first asks who the venue is and which symbols it does not have,
 * however long that takes; then each connection lives and reconnects by itself.
 */
export class LiveFeed implements MarketFeed {
  readonly venue: VenueId;
  readonly idsCount: boolean;
  readonly recording = false;
  readonly #options: LiveFeedOptions;
  readonly #deps: LiveFeedDeps;
  readonly #base: VenueBase;
  readonly #rest: VenueRest;
  readonly #venueClock: VenueClock;
  readonly #lateAllowanceMs: number;
  readonly #refusals = new Refusals();
  readonly #tally: FeedTally;
  #connections: Connection[] = [];
  #repair: HoleRepair | null = null;
  #environment: string | null = null;
  #verified = false;
  #lookups = 0;
  #end: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | null = null;
  #wait: { readonly timer: Timer; readonly resolve: () => void } | null = null;

  /** Throws FabricError "usage" for a bad url. */
  constructor(options: LiveFeedOptions, deps: LiveFeedDeps) {
    this.#options = options;
    this.#deps = deps;
    this.venue = options.venue.id;
    this.idsCount = options.venue.tradeIds !== "none";
    this.#lateAllowanceMs = options.lateAllowanceMs ?? 500;
    this.#base = venueBase(options.venue, options.url);
    this.#rest = new VenueRest(options.venue, this.#base, deps);
    this.#venueClock = new VenueClock(deps.clock);
    this.#tally = new FeedTally(deps);
  }

  /** May be run again after `stop`. Rejects "usage" where the venue refuses every symbol, "refused" where it becomes another one. */
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

  async klines(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly VenueCandle[]> {
    const proven = this.#venueClock.proven ?? 0;
    const now = proven >= toOpenTime + MINUTE_MS ? proven : (await this.#askTime()).timeMs;
    return this.#rest.klines(symbol, fromOpenTime, toOpenTime, now);
  }

  facts(): FeedFacts {
    const connected = this.#connections.length > 0 && this.#connections.every((connection) => connection.connected);
    const troubles = [this.#refusals.trouble, this.#tally.trouble].filter((trouble) => trouble !== null);
    return {
      connected,
      exchangeTimeMs: this.#venueClock.now(),
      speed: this.#venueClock.speed,
      environment: this.#environment,
      ageMs: this.#tally.ageMs,
      trouble: troubles.length === 0 ? null : troubles.join("; "),
      counters: {
        ...this.#tally.counters,
        "refused.symbols": this.#refusals.size,
        "lookups.total": this.#connections.reduce((sum, { lookups }) => sum + lookups, this.#lookups),
        "rest.requests.total": this.#rest.requests,
        "rest.limited.total": this.#rest.limited,
        ...this.#repairCounters(),
      },
    };
  }

  #repairCounters(): Readonly<Record<string, number>> {
    const { requests = 0, trades = 0, failures = 0, skipped = 0 } = this.#repair?.counters ?? {};
    return {
      "repair.requests.total": requests,
      "repair.trades.total": trades,
      "repair.failures.total": failures,
      "repair.skipped.total": skipped,
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
        this.#tally.say(`Waiting for the venue: ${error.message}`);
        await this.#pause(Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(tries, 10)));
      }
    }
    if (this.#end !== end) return;
    const { symbols, venue } = this.#options;
    const unknown = symbols.filter((symbol) => this.#refusals.has(symbol));
    if (unknown.length > 0) sink.onRefused?.(unknown, this.#refusals.reasonOf(unknown));
    const ours = symbols.filter((symbol) => !this.#refusals.has(symbol));
    const most = venue.limits.symbolsPerConnection ?? SYMBOLS_PER_CONNECTION;
    for (let at = 0; at < ours.length; at += most) {
      const connection = this.#connection(ours.slice(at, at + most), sink);
      this.#connections.push(connection);
      connection.start();
    }
  }

  /** Where the venue would take the subscription of an unknown symbol without a word, its list of symbols tells. */
  async #verify(): Promise<void> {
    if (this.#verified) return;
    const { symbols, venue } = this.#options;
    const unknown = await this.#rest.unknownSymbols(symbols);
    const where = this.#base.restOrigin ?? new URL(venue.klineUrl(symbols[0] ?? "", 0, 0)).origin;
    if (unknown.length === symbols.length) {
      throw new FabricError("usage", `Unknown symbol ${namesOf(unknown)}: the venue at ${where} does not have it`);
    }
    this.#refusals.add(unknown, `the venue at ${where} does not have it`);
    this.#verified = true;
  }

  /** Asks the venue for time, speed and environment. Throws "refused" where it is not the one it was. */
  async #askTime(): Promise<VenueClockReading> {
    const askedAt = this.#deps.clock.monotonicMs();
    const told = await this.#rest.time();
    if (this.#environment !== null && this.#environment !== told.environment) {
      throw new FabricError(
        "refused",
        `Cannot go on with the venue at ${this.#base.restOrigin ?? this.#base.streamUrl}: it was ` +
          `${this.#environment} and is now ${told.environment}; use another data folder for that one`,
      );
    }
    this.#environment = told.environment;
    this.#venueClock.told(told.timeMs, askedAt, told.speed, told.precisionMs);
    return told;
  }

  #connection(symbols: readonly string[], sink: FeedSink): Connection {
    const { venue } = this.#options;
    const ears: ReadonlyMap<string, SymbolEar> = new Map(symbols.map((symbol) => [symbol, newEar(symbol)]));
    this.#repair ??= this.idsCount ? this.#newRepair(sink) : null;
    const intake = new TradeIntake(ears, this.idsCount, sink, {
      clock: this.#deps.clock,
      venueClock: this.#venueClock,
      counters: this.#tally.counters,
      repair: this.#repair,
      onDoubt: (symbol, reason, isUnreadable) => {
        if (isUnreadable) this.#tally.unreadable(reason);
        const named = symbol !== null && ears.has(symbol) ? [symbol] : connection.symbols;
        sink.onUnreadable?.(named, reason);
      },
    });
    const connection: Connection = new Connection(
      {
        venue,
        url: this.#base.streamUrl,
        symbols,
        staleAfterMs: this.#options.staleAfterMs ?? 15_000,
        lateAllowanceMs: this.#lateAllowanceMs,
      },
      ears,
      {
        ...this.#deps,
        venueClock: this.#venueClock,
        askTime: () => this.#timeOrNull(),
        newestTradeMs: (symbol) => this.#rest.newestTradeMs(symbol).catch(() => null),
      },
      this.#connectionSink(intake, ears, sink, () => connection),
    );
    return connection;
  }

  #newRepair(sink: FeedSink): HoleRepair | null {
    if (this.#options.venue.rest.tradesUrl === null) return null;
    return new HoleRepair(this.#lateAllowanceMs, {
      timers: this.#deps.timers,
      tradesById: (symbol, range) => this.#rest.tradesById(symbol, range),
      onTrade: ({ id, ...trade }) => {
        if (id !== null) sink.onTrade({ ...trade, id });
      },
      speed: () => this.#venueClock.speed,
    });
  }

  #connectionSink(
    intake: TradeIntake,
    ears: ReadonlyMap<string, SymbolEar>,
    sink: FeedSink,
    of: () => Connection,
  ): ConnectionSink {
    const tally = this.#tally;
    return {
      onTrades: (frame, repeats) => {
        tally.message();
        return intake.take(frame, repeats);
      },
      onFrame: (frame) => {
        if (frame.type === "heartbeat" && frame.eventTimeMs !== null) this.#venueClock.note(frame.eventTimeMs);
        const fault = tally.faultOf(frame);
        if (fault === null) return true;
        tally.unreadable(fault.reason);
        const named = fault.symbol !== null && ears.has(fault.symbol) ? [fault.symbol] : of().symbols;
        sink.onUnreadable?.(named, fault.reason);
        return false;
      },
      onLost: (reason) => {
        tally.lost(reason);
        sink.onUnreadable?.(of().symbols, reason);
      },
      onConnected: () => {
        sink.onConnected(of().symbols);
        void this.#heardSince(of(), sink);
      },
      onQuiet: ({ timeMs, precisionMs }, allRead) => {
        tally.counters["quiet.total"]++;
        if (allRead) sink.onHeardSince?.(of().symbols, timeMs + precisionMs);
        sink.onQuiet(of().symbols, timeMs);
      },
      onInterrupted: (reason) => {
        if (!this.#connections.some((other) => other.connected)) this.#venueClock.hold();
        sink.onInterrupted(of().symbols, reason);
      },
      onRefused: (symbols, reason) => this.#onRefused(symbols, reason, sink),
      onRetry: (reason, delayMs) => {
        tally.counters["reconnects.total"]++;
        this.#tally.say(`Connecting again to ${this.#base.streamUrl} in ${Math.round(delayMs)} ms: ${reason}`);
      },
      onReplaced: () => {
        tally.counters["overlaps.total"]++;
      },
    };
  }

  #onRefused(symbols: readonly string[], reason: string, sink: FeedSink): void {
    this.#refusals.add(symbols, reason);
    const all = this.#options.symbols;
    if (all.every((symbol) => this.#refusals.has(symbol))) {
      this.#end?.reject(
        new FabricError("usage", `The venue refused to subscribe ${all.length} symbols (${namesOf(all)}): ${reason}`),
      );
      return;
    }
    sink.onRefused?.(symbols, reason);
    this.#connections = this.#connections.filter((connection) => connection.symbols.length > 0);
  }

  /**
   * The venue's clock, read once every stream is acknowledged: what is traded after it is heard. Not where something
   * unreadable came meanwhile, which may have been traded later than that.
   */
  async #heardSince(connection: Connection, sink: FeedSink): Promise<void> {
    const { unreadable, connects } = connection;
    const reading = await this.#timeOrNull();
    if (!connection.connected || connection.connects !== connects) return;
    if (reading !== null) connection.heardSince(reading.timeMs + reading.precisionMs);
    if (connection.unreadable !== unreadable) return;
    if (reading !== null) sink.onHeardSince?.(connection.symbols, reading.timeMs + reading.precisionMs);
    else this.#deps.timers.after(CLOCK_RETRY_MS, () => void this.#heardSince(connection, sink));
  }

  async #timeOrNull(): Promise<VenueClockReading | null> {
    try {
      return await this.#askTime();
    } catch (error) {
      if (error instanceof FabricError && error.code === "unavailable") this.#tally.say(messageOf(error));
      else this.#end?.reject(error);
      return null;
    }
  }

  #stopConnections(): void {
    for (const connection of this.#connections.splice(0)) {
      connection.stop();
      this.#lookups += connection.lookups;
    }
    this.#repair?.reset();
    this.#venueClock.hold();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.timers.after(ms * (0.5 + this.#deps.random.next() / 2), resolve);
      this.#wait = { timer, resolve };
    });
  }
}
