import type { StoredCandle } from "../core/candle.ts";
import type { DeliveryCursor, DeliveryEvent } from "../core/delivery.ts";
import type { Clock, Log, Timers } from "../core/env.ts";
import { assert, messageOf } from "../core/errors.ts";
import { MINUTE_MS, toRfc3339 } from "../core/time.ts";
import type { NodeState, OrderRow, PositionRow, PositionsBody } from "../core/wire.ts";
import type { Broker } from "./broker.ts";
import type { DecisionMaker, MarketHistory } from "./decision-maker.ts";
import { ExecutionHandler, type HandlerOptions } from "./execution-handler.ts";
import { Instruments } from "./instruments.ts";
import type { Journal } from "./journal.ts";
import type { AnchorRow } from "./journal-rows.ts";
import { PatientHistory } from "./patient-history.ts";
import { WINDOW_MINUTES } from "./price-window.ts";
import type { NewestTrades } from "./recent-trades.ts";
import { Reconciler } from "./reconciler.ts";
import { countersOf } from "./runner-counters.ts";
import { StateFold } from "./state-fold.ts";

export interface RunnerDeps {
  /** Becomes the runner's: closed by `close`. */
  readonly journal: Journal;
  /** Becomes the runner's: closed by `close`. */
  readonly broker: Broker;
  readonly maker: DecisionMaker;
  /** The store's reader; stays the caller's. */
  readonly market: MarketHistory;
  /** The venue's clock now, epoch ms; null while it is not known. */
  readonly exchangeNowMs: () => number | null;
  /** Why nothing may be sent now ("halted: …"); null where it may. Asked at each decision and before each sending. */
  readonly halted: () => string | null;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

export interface RunnerOptions extends HandlerOptions {
  /** Take the venue's word where journal and venue disagree at start (default false: refuse to trade). */
  readonly acceptBroker?: boolean;
}

export interface RunnerStatus {
  readonly state: Extract<NodeState, "starting" | "running" | "degraded" | "failed" | "halted" | "stopping">;
  /** Why, where the state is not running. */
  readonly reason: string | null;
}

/** What telemetry's positions tell besides positions and orders. */
export type AccountNews = Required<Pick<PositionsBody, "fills" | "decisions" | "pnl" | "instruments">>;

const DAY_MS = 86_400_000;

/** Longest `close` waits for orders that are with the broker. */
const CLOSE_LIMIT_MS = 1000;

/**
 * A runner without its rails: journal, execution and the strategy's state. `start` once, then `handle` for each event of the
 * delivery, one at a time (it fits the provider's consumer). A halted one stays so; a restart recovers.
 */
export class RunnerCore {
  readonly #deps: RunnerDeps;
  readonly #handler: ExecutionHandler;
  readonly #market: PatientHistory;
  readonly #fold: StateFold;
  readonly #reconciler: Reconciler;
  readonly #faulted = Promise.withResolvers<never>();
  readonly #warmed = new Set<string>();
  #state: RunnerStatus["state"] = "starting";
  #haltReason: string | null = null;
  #busy = false;
  #orders: readonly OrderRow[] = [];
  #trades: NewestTrades = { fills: [], decisions: [] };
  readonly #instruments: Instruments;
  readonly #counts = { candles: 0, gaps: 0, partial: 0 };

  constructor(deps: RunnerDeps, options: RunnerOptions = {}) {
    this.#deps = deps;
    this.#handler = new ExecutionHandler(deps, (error) => this.#faulted.reject(this.#halt(error)), options);
    this.#market = new PatientHistory(deps);
    this.#instruments = new Instruments((symbol) => deps.broker.precision?.(symbol) ?? null);
    this.#fold = new StateFold({ ...deps, market: this.#market });
    const { ledger, desk } = this.#handler;
    const learn = desk.learn.bind(desk);
    const newestClose = (symbol: string, throughMs: number) => this.#newestClose(symbol, throughMs);
    const sumsLosses = (options.limits?.maxDailyLoss ?? null) !== null;
    this.#reconciler = new Reconciler(
      { ...deps, ledger, learn, newestClose, sumsLosses, desk },
      options.acceptBroker ?? false,
    );
    // Whoever is not waiting for it learns of it at the next event.
    this.#faulted.promise.catch(() => undefined);
  }

  /** Rejects once orders have stopped between two events: the runner is halted from then on. Never resolves. */
  get faulted(): Promise<never> {
    return this.#faulted.promise;
  }

  /**
   * Looks up the orders of before, brings the strategy's state to the journal's cursor, compares journal and venue, and only then
   * lets orders go out. A new runner begins after the store's row `storeEndSeq`, once and for all; `storeTimeMs` is an exchange
   * time that has passed by the store's word. Gives the cursor the delivery is to continue from. Waits for the store to publish
   * what it needs and to be readable, and for the venue's account. Throws "refused" where the store differs from the journal,
   * TradingHalt where the venue does, JournalHalted.
   */
  async start(storeEndSeq: number, storeTimeMs: number | null = null): Promise<DeliveryCursor> {
    assert(this.#state === "starting", "a runner starts once");
    const { ledger, desk } = this.#handler;
    try {
      // Not even the claim could be written: what it tells of its orders would be nothing, and its first candle would halt it.
      if (this.#deps.journal.halted !== null) throw this.#deps.journal.halted;
      ledger.begin(storeEndSeq);
      await desk.recover();
      for (const cursor of ledger.cursors()) {
        await this.#fold.refold(cursor);
        this.#warmed.add(cursor.symbol);
        await this.#noteRecent(this.#anchor(cursor.symbol), cursor.lastOpenTime);
      }
      await this.#reconciler.run(storeTimeMs);
      desk.release();
      if (this.#deps.broker.catchesUp) await desk.idle();
      if (desk.fault !== null) throw desk.fault;
    } catch (error) {
      throw this.#halt(error);
    }
    this.#state = "running";
    return ledger.deliveryCursor();
  }

  /**
   * Takes the next event; `cursor` is the delivery's position after it. Resolves once it is journaled and, with a simulating
   * broker, its orders are placed; orders to a venue go out in the background. Rejects where the runner is halted or halts.
   */
  async handle(event: DeliveryEvent, cursor: DeliveryCursor): Promise<void> {
    const fault = this.#handler.desk.fault;
    if (fault !== null) throw fault;
    assert(this.#state === "running", `a runner that is ${this.#state} takes no events`);
    assert(!this.#busy, "events are handled one at a time");
    this.#busy = true;
    try {
      if (event.type === "gap") this.#onGap(event);
      else if (event.candle.provenance === "partial" && !this.#deps.maker.includePartial) this.#counts.partial++;
      else await this.#onCandle(event.candle, cursor);
    } catch (error) {
      throw this.#halt(error);
    } finally {
      this.#busy = false;
    }
  }

  /**
   * running; degraded: the venue does not know an order that it had accepted; failed: the strategy decides nothing any more, candles go on; halted: by the kill switch (candles go on, nothing is
   * sent) or by trouble (nothing goes on).
   */
  status(): RunnerStatus {
    if (this.#state === "starting") return { state: "starting", reason: this.#reconciler.waitingFor };
    if (this.#state !== "running") return { state: this.#state, reason: this.#haltReason };
    const halted = this.#deps.halted();
    if (halted !== null) return { state: "halted", reason: `${halted}; orders that are open stay open` };
    const { failure } = this.#deps.maker;
    if (failure !== null) return { state: "failed", reason: failure };
    const [missing] = this.#handler.desk.missing();
    if (missing === undefined) return { state: "running", reason: null };
    return {
      state: "degraded",
      reason: `the venue does not know order ${missing.clientOrderId}, which it had accepted`,
    };
  }

  /** Whether trouble has ended it, and why: a new one may recover. Null while it works, also where the kill switch halts it. */
  get trouble(): string | null {
    return this.#state === "halted" ? this.#haltReason : null;
  }

  /** Symbols that were ever traded, with PnL at the newest close decided on. */
  positions(): readonly PositionRow[] {
    return this.#handler.ledger.positionRows();
  }

  /** The newest 50 orders, newest first; once halted by trouble, those of before. */
  orders(): readonly OrderRow[] {
    if (this.#deps.journal.halted === null) this.#orders = this.#handler.ledger.newestOrders();
    return this.#orders;
  }

  /** Beside positions and orders; fills and decisions, once halted by trouble, are those of before. */
  account(): AccountNews {
    const { ledger } = this.#handler;
    if (this.#deps.journal.halted === null) this.#trades = ledger.newestTrades();
    const traded = ledger.positionRows().map(({ symbol }) => symbol);
    return {
      ...this.#trades,
      pnl: ledger.profit(),
      instruments: this.#instruments.rows(traded),
    };
  }

  /** Where the journal stands: what a restart would continue from. */
  cursor(): DeliveryCursor {
    return this.#handler.ledger.deliveryCursor();
  }

  /** Totals since start by dotted name. */
  counters(): Readonly<Record<string, number>> {
    return {
      "candles.total": this.#counts.candles,
      "gaps.total": this.#counts.gaps,
      "partial.skipped.total": this.#counts.partial,
      ...countersOf(this.#handler),
    };
  }

  /** Closes broker and journal, after at most a second for orders that are with the broker. Idempotent; what waits rejects. */
  async close(): Promise<void> {
    if (this.#state === "stopping") return;
    this.#state = "stopping";
    this.#fold.close();
    this.#market.close();
    this.#reconciler.close();
    const limit = Promise.withResolvers<void>();
    const timer = this.#deps.timers.after(CLOSE_LIMIT_MS, limit.resolve);
    // What stopped the desk was told when it did.
    const idle = this.#handler.desk.idle().catch(() => undefined);
    await Promise.race([idle, limit.promise]);
    timer.cancel();
    this.#handler.desk.close();
    await this.#deps.broker.close();
    this.#deps.journal.close();
  }

  async #onCandle(candle: StoredCandle, cursor: DeliveryCursor): Promise<void> {
    const { broker, maker } = this.#deps;
    const { symbol, openTime, commitSeq } = candle;
    if (!this.#warmed.has(symbol)) {
      const anchor = { symbol, openTime, commitSeq };
      await this.#fold.warm(anchor);
      await this.#noteRecent(anchor, openTime - MINUTE_MS);
      this.#warmed.add(symbol);
    }
    const failedBefore = maker.failure !== null;
    this.#handler.onCandle(candle, cursor, (position) => maker.decide(candle, position));
    this.#counts.candles++;
    this.#instruments.note(candle);
    if (!failedBefore && maker.failure !== null) this.#deps.log.error(maker.failure);
    if (broker.catchesUp) await this.#handler.desk.idle();
    else this.#handler.desk.reconcile(symbol);
  }

  /** The newest closes of a symbol, as they stood: for profit and loss, and for the price collar where there is one. */
  async #noteRecent(anchor: AnchorRow, throughOpenTime: number): Promise<void> {
    const { risk } = this.#handler;
    const minutes = risk.wantsCloses ? WINDOW_MINUTES : 1;
    for (const row of await this.#fold.recent(anchor, throughOpenTime, minutes)) risk.note(row);
  }

  async #newestClose(symbol: string, throughMs: number): Promise<number | null> {
    const rows = await this.#market.history(symbol, throughMs - DAY_MS, throughMs);
    return rows.at(-1)?.close ?? null;
  }

  #anchor(symbol: string): AnchorRow {
    const anchor = this.#deps.journal.anchor(symbol);
    assert(anchor, `${symbol} has a cursor, hence an anchor`);
    return anchor;
  }

  #onGap(gap: { readonly symbol: string; readonly fromOpenTime: number; readonly toOpenTime: number }): void {
    this.#counts.gaps++;
    const minutes = (gap.toOpenTime - gap.fromOpenTime) / MINUTE_MS + 1;
    this.#deps.log.warn(`${gap.symbol}: ${minutes} minutes are missing from ${toRfc3339(gap.fromOpenTime)} on`);
  }

  #halt(error: unknown): unknown {
    if (this.#state !== "stopping") {
      this.#state = "halted";
      this.#haltReason = messageOf(error);
    }
    return error;
  }
}
