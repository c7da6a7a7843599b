import type { Clock, HttpSend, Log, OpenSocket, Random, Timer, Timers } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import type {
  AccountOutcome,
  Broker,
  BrokerFill,
  BrokerOrder,
  BrokerReport,
  LookupOutcome,
  SubmitOutcome,
} from "../broker.ts";
import { type DecimalValue, decimal } from "../decimal.ts";
import type { Precision } from "../instruments.ts";
import { readAccount } from "./account-reader.ts";
import { CommissionDesk } from "./commission.ts";
import type { VenueEndpoint } from "./endpoint.ts";
import { type Row, Unreadable } from "./fields.ts";
import { OrderCalls } from "./order-calls.ts";
import { readReport, reportedFill } from "./order-reader.ts";
import { Signer, type VenueKeys } from "./signing.ts";
import { SymbolRuleBook } from "./symbol-rules.ts";
import { UserStream } from "./user-stream.ts";
import { SIGNED_WITHIN_MS, VenueRest } from "./venue-rest.ts";

export interface BinanceBrokerOptions {
  readonly endpoint: VenueEndpoint;
  readonly keys: VenueKeys;
  /** How long after its timestamp the venue still takes a request, ms: 5,000 unless given, which Binance recommends as the most. */
  readonly recvWindowMs?: number;
  /** Wall ms that one request may take: 5,000 unless given. */
  readonly timeoutMs?: number;
}

export interface BinanceBrokerDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly httpSend: HttpSend;
  readonly openSocket: OpenSocket;
  readonly log: Log;
}

/** A broker that counts what it meets. */
export interface BinanceBroker extends Broker {
  account(symbols: readonly string[], sinceMs: number): Promise<AccountOutcome>;
  /** For telemetry: totals and states by dotted name. */
  counters(): Readonly<Record<string, number>>;
}

const DEFAULT_RECV_WINDOW_MS = 5000;
const DEFAULT_TIMEOUT_MS = 5000;
/** A timestamp may be so far ahead of the venue's clock ("Timing security"). */
const AHEAD_MS = 1000;
/** How long the venue lets its matching engine take before it answers -1007 ("General API Information"). */
const BACKEND_MS = 10_000;
/** On top: for an engine that is later than that, and for answers out of a memory that lags behind it ("Data Sources"). */
const MARGIN_MS = 10_000;
/** Orders not known to be final, looked up after a loss of the stream; the oldest goes when there are more (the desk asks, too). */
const MAX_WATCHED = 200;
const HEAL_AGAIN_MS = 5000;

/**
 * A broker for Binance's spot market, or for whatever speaks its protocol (the spot test network, `fabric sim`): market orders
 * by signed REST, reports by the user data stream. Protocol: binance-spot-api-docs of July 2026 (rest-api.md, web-socket-api.md,
 * user-data-stream.md, errors.md, filters.md, enums.md). Opens nothing before it is used or followed. Throws FabricError "config"
 * for keys that cannot be any.
 */
export function openBinanceBroker(options: BinanceBrokerOptions, deps: BinanceBrokerDeps): BinanceBroker {
  return new SpotBroker(options, deps);
}

interface Watched {
  readonly order: BrokerOrder;
  readonly sinceMs: number;
  readonly told: Map<string, string>;
}

class SpotBroker implements BinanceBroker {
  readonly mode = "live";
  readonly catchesUp = false;
  readonly #deps: BinanceBrokerDeps;
  readonly #rest: VenueRest;
  readonly #rules: SymbolRuleBook;
  readonly #fees: CommissionDesk;
  readonly #calls: OrderCalls;
  readonly #stream: UserStream;
  /** With the monotonic time of their last submit, and what was told to be filled of them, by fill. */
  readonly #watched = new Map<string, Watched>();
  #unwatched = 0;
  #unreadable = 0;
  #healsFailed = 0;
  #healTimer: Timer | null = null;
  #listener: ((report: BrokerReport) => void) | null = null;
  #closed = false;

  constructor({ endpoint, keys, recvWindowMs, timeoutMs }: BinanceBrokerOptions, deps: BinanceBrokerDeps) {
    this.#deps = deps;
    const signer = new Signer(keys);
    const timing = { recvWindowMs: recvWindowMs ?? DEFAULT_RECV_WINDOW_MS, timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS };
    this.#rest = new VenueRest({ endpoint, signer, ...timing }, deps);
    this.#rules = new SymbolRuleBook(this.#rest, deps.clock);
    this.#fees = new CommissionDesk(this.#rest, deps.log);
    this.#calls = new OrderCalls({ rest: this.#rest, rules: this.#rules, fees: this.#fees });
    this.#stream = new UserStream(
      { url: endpoint.socketUrl, signer },
      {
        ...deps,
        sync: () => this.#rest.sync(),
        timing: () => this.#rest.timing(),
        distrustTime: () => this.#rest.venueClock.distrust(),
      },
      { onEvent: (event) => void this.#onEvent(event), onLive: () => this.#healSoon(0) },
    );
  }

  /**
   * Why no order comes to life later than this after `submit` was called: it is signed within SIGNED_WITHIN_MS or never sent; its
   * timestamp is at most a second ahead of the venue's clock, and the venue passes on nothing that is older than recvWindow, which
   * it checks right before the matching engine ("Timing security"); the engine gets ten seconds; the rest is margin. At a
   * simulated venue that runs faster than the wall, what is wall time here is longer by its speed.
   */
  get validityWindowMs(): number {
    const wallMs = SIGNED_WITHIN_MS + BACKEND_MS + MARGIN_MS;
    return wallMs * this.#rest.venueClock.speed + AHEAD_MS + this.#rest.recvWindowMs;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#rest.counters(),
      ...this.#calls.counters(),
      ...this.#stream.counters(),
      "venue.orders.watched": this.#watched.size,
      "venue.orders.unwatched.total": this.#unwatched,
      "venue.reports.unreadable.total": this.#unreadable,
      "venue.heals.failed.total": this.#healsFailed,
      "venue.fees.unpriced.total": this.#fees.unpriced,
    };
  }

  async submit(order: BrokerOrder, withheld: () => string | null = () => null): Promise<SubmitOutcome> {
    const nowMs = this.#deps.clock.monotonicMs();
    const outcome = await this.#calls.submit(order, nowMs, withheld);
    if (outcome.type === "unknown" || (outcome.type === "accepted" && !isWhole(order, outcome.fills)))
      this.#watch(order, nowMs, outcome.type === "accepted" ? outcome.fills : []);
    return outcome;
  }

  async lookup(order: BrokerOrder): Promise<LookupOutcome> {
    const outcome = await this.#calls.lookup(order);
    if (outcome.type === "found" && outcome.status !== "open") this.#watched.delete(order.clientOrderId);
    return outcome;
  }

  account(symbols: readonly string[], sinceMs: number): Promise<AccountOutcome> {
    return readAccount({ rest: this.#rest, rules: this.#rules, fees: this.#fees }, symbols, sinceMs);
  }

  exchangeNowMs(): number | null {
    return this.#rest.venueClock.nowMs();
  }

  precision(symbol: string): Precision | null {
    return this.#rules.precisionOf(symbol);
  }

  follow(listener: (report: BrokerReport) => void): void {
    this.#listener = listener;
    if (!this.#closed) this.#stream.start();
  }

  fillsAt(): readonly BrokerFill[] {
    return [];
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#listener = null;
    this.#healTimer?.cancel();
    this.#stream.stop();
    return Promise.resolve();
  }

  #watch(order: BrokerOrder, sinceMs: number, fills: readonly BrokerFill[]): void {
    this.#watched.delete(order.clientOrderId);
    this.#watched.set(order.clientOrderId, { order, sinceMs, told: new Map() });
    this.#noteTold(order.clientOrderId, fills, null);
    const oldest = this.#watched.keys().next().value;
    if (this.#watched.size <= MAX_WATCHED || oldest === undefined) return;
    this.#watched.delete(oldest);
    this.#unwatched++;
  }

  /** What is told of a watched order; one that ended is watched until its fills add up to `endedAt`, what was filled in all. */
  #noteTold(clientOrderId: string, fills: readonly BrokerFill[], endedAt: string | null): void {
    const watched = this.#watched.get(clientOrderId);
    if (!watched) return;
    for (const { fillId, quantity } of fills) watched.told.set(fillId, quantity);
    if (endedAt !== null && sumOf([...watched.told.values()]).eq(endedAt)) this.#watched.delete(clientOrderId);
  }

  /** A report whose fill cannot be told now (its symbol's rules, or a price for its fee) is left to the desk's look-ups. */
  async #onEvent(event: Row): Promise<void> {
    try {
      const report = readReport(event);
      if (!report) return;
      const { symbol, clientOrderId, status, reason, workingTimeMs, filled, trade } = report;
      let fills: readonly BrokerFill[] = [];
      if (trade) {
        const answer = await this.#rules.rulesOf(symbol);
        if (answer.type !== "known") throw new Unreadable(answer.reason);
        const context = { symbol, clientOrderId, workingTimeMs, rules: answer.rules, fees: this.#fees };
        fills = [await reportedFill(trade, context)];
      }
      this.#noteTold(clientOrderId, fills, status === "open" ? null : filled);
      this.#listener?.({ clientOrderId, status, reason, fills, filled });
    } catch (error) {
      this.#unreadable++;
      if (this.#unreadable === 1)
        this.#deps.log.warn(`A report of the venue's is left to look-ups: ${messageOf(error)}`);
    }
  }

  /** Whatever goes wrong with a look-up, the rest is looked up again. */
  #healSoon(delayMs: number): void {
    this.#healTimer?.cancel();
    this.#healTimer = this.#deps.timers.after(delayMs, () => {
      this.#heal().catch((error: unknown) => {
        this.#healsFailed++;
        if (this.#healsFailed === 1)
          this.#deps.log.warn(`Orders could not be looked up, trying again: ${messageOf(error)}`);
        if (!this.#closed) this.#healSoon(HEAL_AGAIN_MS);
      });
    });
  }

  /** After the stream was (re)gained: what it may have missed is asked for. The desk's own look-ups come anyway, if later. */
  async #heal(): Promise<void> {
    for (const [clientOrderId, { order, sinceMs }] of [...this.#watched]) {
      if (this.#closed) return;
      const outcome = await this.lookup(order);
      if (outcome.type === "found") {
        const { status, reason, fills } = outcome;
        const filled = sumOf(fills.map(({ quantity }) => quantity)).toFixed();
        this.#listener?.({ clientOrderId, status, reason, fills, filled });
      }
      const age = (this.#deps.clock.monotonicMs() - sinceMs) * this.#rest.venueClock.speed;
      if (outcome.type === "not-found" && age > this.validityWindowMs) this.#watched.delete(clientOrderId);
    }
  }
}

function isWhole({ quantity }: BrokerOrder, fills: readonly BrokerFill[]): boolean {
  return sumOf(fills.map((fill) => fill.quantity)).eq(quantity);
}

function sumOf(quantities: readonly string[]): DecimalValue {
  return quantities.reduce((sum, quantity) => sum.plus(quantity), decimal("0"));
}
