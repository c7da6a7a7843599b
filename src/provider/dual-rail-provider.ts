import { RateLimitedLog } from "../bus/rate-limited-log.ts";
import type { StoredCandle } from "../core/candle.ts";
import type { DeliveryCursor } from "../core/delivery.ts";
import { isDelivered } from "../core/delivery.ts";
import type { Timer } from "../core/env.ts";
import { assert, FabricError, messageOf } from "../core/errors.ts";
import type { CandleBody, HeartbeatBody, RailState } from "../core/wire.ts";
import type { DeliveryPage, StoreView } from "../store/contract.ts";
import { Breather } from "./breather.ts";
import { Delivery } from "./delivery.ts";
import { FastIntake } from "./fast-intake.ts";
import {
  CLOSE_LIMIT_MS,
  type DeliveryConsumer,
  type ProviderDeps,
  type ProviderOptions,
  type ProviderTimes,
  timesOf,
} from "./options.ts";
import { PollTriggers } from "./poll-triggers.ts";
import { railStateOf } from "./rail-state.ts";
import { type PollTrigger, StorePoller } from "./store-poller.ts";
import { refuseOtherStore } from "./store-refusal.ts";
import { Wake } from "./wake.ts";

type StoreRead =
  | { readonly view: StoreView | null }
  | { readonly page: DeliveryPage | null; readonly afterSeq: number };

/**
 * The dual rail: what a consumer gets is the store's delivery, per symbol in order and exactly once, whatever the fast
 * rail drops, repeats, delays or reorders and whenever either side stops or starts. Fast candles are handed on when they
 * follow the last row seen; the store fills the rest. One loop hands out events, so polls and candles never race.
 */
export class DualRailProvider {
  readonly #deps: ProviderDeps;
  readonly #options: ProviderOptions;
  readonly #symbols: ReadonlySet<string> | "all";
  readonly #times: ProviderTimes;
  readonly #delivery: Delivery;
  readonly #poller: StorePoller<StoreRead>;
  readonly #intake: FastIntake;
  readonly #triggers: PollTriggers;
  readonly #breather: Breather;
  readonly #wake = new Wake();
  readonly #trouble: RateLimitedLog;
  readonly #counts = { readerErrors: 0, storeAbsent: 0, heartbeats: 0 };
  #joined = false;
  #startedMs = 0;
  #heartbeatStore: string | null = null;
  #lastViewSeq = -1;
  #running = false;
  #closed = false;
  #closing: Promise<void> | null = null;

  /** Starts nothing. Throws FabricError "usage" for an empty list of symbols. */
  constructor(deps: ProviderDeps, options: ProviderOptions) {
    if (options.symbols !== "all" && options.symbols.length === 0)
      throw new FabricError("usage", "Cannot follow the market: expected at least one symbol, found none");
    this.#deps = deps;
    this.#options = options;
    this.#symbols = options.symbols === "all" ? "all" : new Set(options.symbols);
    this.#times = timesOf(options);
    this.#breather = new Breather(deps.clock, deps.timers);
    this.#delivery = new Delivery(deps.clock, this.#breather, options);
    this.#trouble = new RateLimitedLog(deps.log, deps.clock);
    const request = (trigger: PollTrigger) => this.#poller.request(trigger);
    this.#poller = new StorePoller(deps.clock, deps.timers, this.#times, () => this.#wake.now());
    this.#intake = new FastIntake(this.#delivery, this.#symbols, request);
    this.#triggers = new PollTriggers(deps, this.#times, this.#delivery, this.#symbols === "all", request);
  }

  /**
   * Delivers until `close`, then resolves. Rejects with what the consumer threw; with FabricError "refused" where a
   * message or manifest belongs to another store; with the reader's "refused" or "config". Other failures of the reader
   * are counted, logged and tried again. Call it once.
   */
  async run(consumer: DeliveryConsumer): Promise<void> {
    assert(!this.#running, "a provider runs once");
    this.#running = true;
    this.#startedMs = this.#deps.clock.monotonicMs();
    this.#delivery.begin(consumer);
    try {
      // Subscribing comes first, so that no candle falls between the end of what the store had and the first one heard.
      await this.#deps.market.start({
        onCandle: (body) => this.#onCandle(body),
        onHeartbeat: (body) => this.#onHeartbeat(body),
        onStatus: (status) => this.#deps.log.debug(`Market connection: ${status}`),
      });
      if (!this.#closed) {
        this.#poller.open();
        this.#triggers.open();
      }
      await this.#loop();
    } finally {
      await this.close();
    }
  }

  /** A copy of where the consumer stands; null before the store is known. Between events it is what a restart needs. */
  cursor(): DeliveryCursor | null {
    return this.#delivery.snapshot();
  }

  /** The state of each symbol, by name. */
  rails(): readonly RailState[] {
    const nowMs = this.#deps.clock.monotonicMs();
    const states = [...this.#delivery.tracks()].map((track) =>
      railStateOf(track, {
        nowMs,
        startedMs: this.#startedMs,
        staleAfterMs: this.#times.staleAfterMs,
        joined: this.#joined,
        hasHole: this.#intake.hasHole(track.symbol),
        exchange: this.#triggers.exchange,
        watch: this.#triggers.watch,
      }),
    );
    return states.sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  }

  /** The venue's time by the newest heartbeat, moved along, in whole ms; null before one told it. */
  exchangeTimeMs(): number | null {
    const exchangeMs = this.#triggers.exchange.at(this.#deps.clock.monotonicMs());
    return exchangeMs === null ? null : Math.floor(exchangeMs);
  }

  /** Totals (.total) and sizes by dotted name. */
  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#deps.market.counters(),
      ...this.#poller.counters(),
      ...this.#delivery.counters(),
      ...this.#intake.counters(),
      "heartbeats.total": this.#counts.heartbeats,
      "epochs.total": this.#triggers.watch.epochs,
      "reader.errors.total": this.#counts.readerErrors,
      "store.absent.total": this.#counts.storeAbsent,
    };
  }

  /** No event after it resolves, except that a consumer's pending call is left to end by itself. At most a second. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    this.#closed = true;
    this.#delivery.end();
    this.#triggers.close();
    this.#poller.close();
    this.#intake.close();
    this.#wake.now();
    let limit: Timer | null = null;
    const tooLong = new Promise<void>((resolve) => {
      limit = this.#deps.timers.after(CLOSE_LIMIT_MS, resolve);
    });
    const stopped = this.#deps.market.stop().catch((error: unknown) => {
      this.#trouble.warn("stop", `The market subscription did not stop cleanly: ${messageOf(error)}`);
    });
    await Promise.race([stopped, tooLong]);
    (limit as Timer | null)?.cancel();
  }

  async #loop(): Promise<void> {
    while (!this.#closed) {
      if (this.#joined && this.#heartbeatStore !== null)
        refuseOtherStore(this.#heartbeatStore, this.#delivery.storeId, "A heartbeat");
      const outcome = this.#poller.take();
      if (outcome && "error" in outcome) this.#readFailed(outcome.error);
      else if (outcome) await this.#absorb(outcome.value, outcome.atMs);
      const drained = this.#joined && (await this.#intake.drain());
      this.#poller.startIfDue(() => this.#read());
      if (!outcome && !drained && !this.#closed) {
        await this.#wake.wait();
        this.#breather.turned();
      }
    }
  }

  // ── the fast rail ──

  #onCandle(body: CandleBody): void {
    if (this.#closed) return;
    this.#intake.gather(body, this.#deps.clock.monotonicMs());
    this.#wake.now();
  }

  #onHeartbeat(body: HeartbeatBody): void {
    if (this.#closed || !this.#triggers.observe(body)) return;
    this.#counts.heartbeats++;
    this.#heartbeatStore = body.storeId;
    if (!this.#joined) this.#poller.request("heartbeat");
    this.#wake.now();
  }

  // ── the fallback rail ──

  async #read(): Promise<StoreRead> {
    if (this.#delivery.storeId === null) return { view: await this.#deps.reader.view() };
    const afterSeq = this.#delivery.throughSeq;
    return {
      page: await this.#deps.reader.delivery(afterSeq, this.#options.pageRows ?? 1_000, this.#symbols),
      afterSeq,
    };
  }

  async #absorb(read: StoreRead, atMs: number): Promise<void> {
    if ("view" in read) return this.#begin(read.view);
    const { page, afterSeq } = read;
    if (!page) return this.#awaitStore();
    refuseOtherStore(page.view.storeId, this.#delivery.storeId, "The manifest");
    for (const row of page.candles) {
      if (this.#closed) return;
      const pending = this.#acceptStored(row, atMs);
      if (pending) await pending;
    }
    if (this.#closed) return;
    this.#delivery.passAll(page.throughSeq);
    this.#delivery.prune();
    if (page.throughSeq >= page.view.throughSeq) return this.#reachedEnd(page.view);
    if (page.throughSeq <= afterSeq)
      return this.#readFailed(
        new Error(`The store gave no row after ${afterSeq}, though it holds ${page.view.throughSeq}`),
      );
    this.#poller.continue(() => this.#read());
  }

  #acceptStored(row: StoredCandle, atMs: number): void | Promise<void> {
    this.#delivery.passAll(row.commitSeq - 1);
    const track = this.#wants(row.symbol) ? this.#delivery.trackFromStore(row.symbol) : null;
    if (!track || !isDelivered(row) || this.#delivery.hasHandled(track, row)) return this.#delivery.pass(row.commitSeq);
    return this.#delivery.deliverStored(track, row, atMs);
  }

  /** A new consumer's start (see ProviderOptions.cursor). */
  #begin(view: StoreView | null): void | Promise<void> {
    if (!view || view.closedThrough === null) return this.#awaitStore();
    this.#delivery.startAt(view);
    return this.#reachedEnd(view);
  }

  #awaitStore(): void {
    this.#counts.storeAbsent++;
    this.#poller.retryLater();
  }

  /** Every row up to the view's end was dealt with: what lacks a row there has none. */
  async #reachedEnd(view: StoreView): Promise<void> {
    this.#poller.worked();
    this.#delivery.adoptHeads(view, this.#symbols);
    this.#triggers.watch.cover(view.throughSeq, view.closedThrough);
    this.#joined = true;
    await this.#intake.settleHoles();
    // Publishing comes before sealing: what was heard of and is not here yet will be, so the store is asked again soon.
    const isAwaiting = this.#intake.heldCount > 0 || this.#triggers.awaits(view.throughSeq);
    if (!isAwaiting || view.throughSeq > this.#lastViewSeq) this.#poller.settle();
    this.#lastViewSeq = view.throughSeq;
    if (isAwaiting) this.#poller.retryLater();
  }

  #readFailed(error: unknown): void {
    if (error instanceof FabricError && (error.code === "refused" || error.code === "config")) throw error;
    this.#counts.readerErrors++;
    this.#trouble.warn("reader", `Cannot read the store, will try again: ${messageOf(error)}`);
    this.#poller.retryAfterFailure();
  }

  // ── both ──

  #wants(symbol: string): boolean {
    return this.#symbols === "all" || this.#symbols.has(symbol);
  }
}
