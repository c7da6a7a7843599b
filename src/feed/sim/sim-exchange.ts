import { join } from "node:path";
import type { Clock, Files, Log, OpenSqlite, Serve, Server, Timers } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import type { VenueId } from "../venues/contract.ts";
import { assetsOf } from "./assets.ts";
import type { BadDay } from "./bad-day.ts";
import { ExchangeClock } from "./exchange-clock.ts";
import { type ExchangeWire, openWire } from "./exchange-wire.ts";
import { MarketTape } from "./market-tape.ts";
import { readRecording } from "./recording.ts";
import { RecordingTape } from "./recording-tape.ts";
import { simHeaders } from "./rest.ts";
import { exchangeTimeOf, readSimState, refuseOtherMarket, StateKeeper } from "./sim-state.ts";
import type { Tape } from "./tape.ts";
import type { SimMarketOptions } from "./truth.ts";
import { ACCOUNT_FILE } from "./venue/account-book.ts";
import { NO_FAULTS, type VenueFaults } from "./venue/faults.ts";
import { ONE } from "./venue/matching.ts";
import { type AccountKeys, SIM_KEYS } from "./venue/signed-request.ts";
import { SimVenue } from "./venue/sim-venue.ts";

/** A seeded market, or the trade frames of a recording. */
export type SimSource = MarketSource | RecordingSource;

export interface MarketSource extends SimMarketOptions {
  readonly kind: "market";
  /** Where `sim.json` is kept; null keeps no state. */
  readonly folder: string | null;
}

export interface RecordingSource {
  readonly kind: "recording";
  readonly file: string;
}

export interface SimExchangeOptions {
  readonly host: string;
  /** 0 asks for a free port. */
  readonly port: number;
  /** Exchange ms per wall ms, 0.1 to 10,000. */
  readonly speed: number;
  readonly source: SimSource;
  /** Bytes that may wait for one client before it is cut off; 16 MiB unless given. */
  readonly maxClientBytes?: number;
  /** The venue whose protocol is spoken, binance-spot unless given; symbols are in its naming. A recording is Binance's. */
  readonly venue?: VenueId;
  /** Null or absent: nothing goes wrong. */
  readonly badDay?: BadDay | null;
  /** At binance-spot alone. */
  readonly account?: SimAccountOptions;
}

/** The one account of the exchange. Whatever is left out has a default. */
export interface SimAccountOptions {
  /** SIM_KEYS unless given. */
  readonly keys?: AccountKeys;
  /** Counts of 10^-8 by asset, for a new account; a million of each quote asset unless given. */
  readonly balances?: ReadonlyMap<string, bigint>;
  readonly faults?: VenueFaults;
  /** An asset that commissions are paid in while there is some of it, as BNB at Binance; what is received unless given. */
  readonly feeAsset?: string;
  /** Request weight a minute, 6,000 (Binance's) unless given. */
  readonly weightPerMinute?: number;
}

export interface SimExchangeDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly files: Files;
  readonly log: Log;
  readonly serve: Serve;
  readonly openSqlite: OpenSqlite;
}

export interface SimExchange {
  readonly port: number;
  /** sim:… or recording. */
  readonly environment: string;
  /** By dotted name: clients, frames.total, clients.slow.total, events.total, behind.ms … */
  counters(): Readonly<Record<string, number>>;
  /** Epoch ms on the exchange's clock; every event up to it was sent to whoever subscribed. */
  exchangeTimeMs(): number;
  /** Bounded by a second; idempotent. */
  stop(): Promise<void>;
}

const TICK_MS = 5;
const DEFAULT_WEIGHT_PER_MINUTE = 6000;
const OPENING_BALANCE = 1_000_000n * ONE;
const DEFAULT_MAX_CLIENT_BYTES = 16 * 1024 * 1024;
/** Exchange ms played in one go; between two of them the budget is looked at. */
const SLICE_MS = 5_000;
/** Slices and events in one tick; beyond it the exchange's time waits for the next tick, so that requests are still answered. */
const MAX_SLICES_PER_TICK = 200;
const MAX_EVENTS_PER_TICK = 20_000;

/**
 * A server that speaks a venue's public protocol (WebSocket and REST) and, where it is binance-spot, its trading protocol for
 * one account (signed REST, WebSocket API /ws-api/v3), all on the same port. Throws FabricError:
 * "usage" for options out of range, "unavailable" for a port in use, "refused" where the folder holds another market,
 * "config" for an unreadable state or account, "io" for a folder that cannot be written, "missing-input" or "bad-data" for a recording.
 */
export function openSimExchange(options: SimExchangeOptions, deps: SimExchangeDeps): SimExchange {
  const { source, speed, venue = "binance-spot", badDay } = options;
  if (source.kind === "recording" && (venue !== "binance-spot" || badDay))
    throw new FabricError(
      "usage",
      "Cannot play a recording so: it is Binance's, as it was; expected no other venue and no bad day",
    );
  if (venue !== "binance-spot" && options.account)
    throw new FabricError("usage", `Cannot open an account at ${venue}: the simulated one is binance-spot's`);
  const opened = source.kind === "market" ? openMarket(source, venue, speed, deps) : openRecording(source, speed, deps);
  return new Exchange(options, deps, opened);
}

/** What is played, from when on, and the state that is kept of it. */
interface Opened {
  readonly tape: Tape;
  readonly clock: ExchangeClock;
  readonly keeper: StateKeeper | null;
  readonly counters: Readonly<Record<string, number>>;
}

function openMarket(source: MarketSource, venue: VenueId, speed: number, deps: SimExchangeDeps): Opened {
  const { folder, seed, symbols, startMs } = source;
  const identity = { venue, seed, symbols, startMs, speed };
  const tape = new MarketTape(identity);
  const state = folder === null ? null : readSimState(folder, deps.files);
  if (folder !== null && state) refuseOtherMarket(folder, state, identity);
  const nowMs = state ? exchangeTimeOf(state, deps.clock.nowMs()) : startMs;
  const clock = new ExchangeClock(deps.clock, speed, nowMs);
  clock.start();
  const keeper = folder === null ? null : new StateKeeper(folder, identity, deps);
  return { tape, clock, keeper, counters: {} };
}

function openRecording(source: RecordingSource, speed: number, deps: SimExchangeDeps): Opened {
  const { frames, badLines, otherLines } = readRecording(source.file, deps.files.readBytes(source.file));
  if (badLines > 0)
    deps.log.warn(`Skipped ${badLines} bad lines of ${source.file}`, { badLines, frames: frames.length });
  const tape = new RecordingTape(frames);
  // One ms before the first frame, so that the first subscriber hears it.
  const clock = new ExchangeClock(deps.clock, speed, tape.firstMs - 1);
  return { tape, clock, keeper: null, counters: { "lines.bad.total": badLines, "lines.other.total": otherLines } };
}

function openVenue(
  { account = {}, source, speed, venue = "binance-spot" }: SimExchangeOptions,
  deps: SimExchangeDeps,
  { tape }: Opened,
  advance: () => number,
): SimVenue | null {
  if (venue !== "binance-spot") return null;
  const folder = source.kind === "market" ? source.folder : null;
  const quotes = [...tape.symbols.keys()].map((symbol) => assetsOf(symbol).quote);
  return new SimVenue(
    {
      keys: account.keys ?? SIM_KEYS,
      balances: account.balances ?? new Map(quotes.map((asset) => [asset, OPENING_BALANCE])),
      faults: account.faults ?? NO_FAULTS,
      feeAsset: account.feeAsset ?? null,
      seed: source.kind === "market" ? source.seed : 0,
      weightPerMinute: account.weightPerMinute ?? DEFAULT_WEIGHT_PER_MINUTE,
      path: folder === null ? ":memory:" : join(folder, ACCOUNT_FILE),
    },
    { ...deps, tape, speed, headers: simHeaders(tape.environment, speed), advance },
  );
}

class Exchange implements SimExchange {
  readonly port: number;
  readonly environment: string;
  readonly #opened: Opened;
  readonly #wire: ExchangeWire;
  /** The account; null at venues that have none here. */
  readonly #venue: SimVenue | null;
  readonly #server: Server;
  readonly #ticker: { cancel(): void };
  /** The exchange's time as anyone can see it. */
  #shownMs: number;
  #events = 0;
  #restRequests = 0;
  #stopped: Promise<void> | null = null;

  constructor(options: SimExchangeOptions, deps: SimExchangeDeps, opened: Opened) {
    this.#opened = opened;
    this.environment = opened.tape.environment;
    this.#shownMs = opened.clock.nowMs();
    this.#wire = openWire(options, {
      ...deps,
      tape: opened.tape,
      advance: () => this.#advance(),
      onFirstSubscription: () => opened.clock.start(),
      maxClientBytes: options.maxClientBytes ?? DEFAULT_MAX_CLIENT_BYTES,
    });
    this.#server = deps.serve({
      host: options.host,
      port: options.port,
      fetch: (request) => {
        this.#restRequests++;
        const route = this.#venue?.route(request);
        return route && this.#venue ? this.#venue.answer(request, route) : this.#wire.answer(request);
      },
      upgrade: (request) => this.#wire.accept(request.url) ?? this.#venue?.stream.accept(request.url) ?? null,
    });
    this.port = this.#server.port;
    try {
      opened.keeper?.open(this.#shownMs);
      this.#venue = openVenue(options, deps, opened, () => this.#advance());
    } catch (error) {
      void this.#server.stop();
      throw error;
    }
    this.#ticker = deps.timers.every(TICK_MS, () => {
      const nowMs = this.#advance();
      this.#wire.beat();
      this.#venue?.tick(nowMs);
    });
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#opened.counters,
      ...this.#wire.counters(),
      ...this.#venue?.counters(),
      "rest.total": this.#restRequests,
      "events.total": this.#events,
      "behind.ms": this.#opened.clock.nowMs() - this.#shownMs,
      "state.failed.total": this.#opened.keeper?.failures ?? 0,
    };
  }

  exchangeTimeMs(): number {
    return this.#shownMs;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#ticker.cancel();
    this.#advance();
    this.#venue?.stop();
    await this.#server.stop();
    this.#opened.keeper?.close(this.#opened.clock.nowMs(), this.#shownMs);
  }

  /** Sends what is due, within the budget of one tick, and returns the time that is now shown. */
  #advance(): number {
    const { clock, keeper } = this.#opened;
    const dueMs = clock.nowMs();
    if (this.#stopped || dueMs <= this.#shownMs) return this.#shownMs;
    keeper?.cover(dueMs);
    if (this.#wire.idle) this.#shownMs = dueMs;
    let budget = MAX_EVENTS_PER_TICK;
    for (let slice = 0; this.#shownMs < dueMs && budget > 0 && slice < MAX_SLICES_PER_TICK; slice++) {
      const throughMs = Math.min(dueMs, this.#shownMs + SLICE_MS);
      const played = this.#wire.play(this.#shownMs, throughMs);
      this.#shownMs = throughMs;
      this.#events += played;
      budget -= played;
    }
    return this.#shownMs;
  }
}
