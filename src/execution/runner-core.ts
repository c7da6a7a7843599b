import type { StoredCandle } from "../core/candle.ts";
import type { DeliveryCursor, DeliveryEvent } from "../core/delivery.ts";
import type { Log, Timers } from "../core/env.ts";
import { assert, messageOf } from "../core/errors.ts";
import { MINUTE_MS, toRfc3339 } from "../core/time.ts";
import type { NodeState, OrderRow, PositionRow } from "../core/wire.ts";
import type { Broker } from "./broker.ts";
import type { DecisionMaker, MarketHistory } from "./decision-maker.ts";
import { ExecutionHandler, type HandlerOptions } from "./execution-handler.ts";
import type { Journal } from "./journal.ts";
import { PatientHistory } from "./patient-history.ts";
import { StateFold } from "./state-fold.ts";

export interface RunnerDeps {
  /** Becomes the runner's: closed by `close`. */
  readonly journal: Journal;
  readonly broker: Broker;
  readonly maker: DecisionMaker;
  /** The store's reader; stays the caller's. */
  readonly market: MarketHistory;
  /** The venue's clock now, epoch ms; null while it is not known. */
  readonly exchangeNowMs: () => number | null;
  readonly timers: Timers;
  readonly log: Log;
}

export interface RunnerStatus {
  readonly state: Extract<NodeState, "starting" | "running" | "failed" | "halted" | "stopping">;
  /** Why, where the state is not running. */
  readonly reason: string | null;
}

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
  readonly #warmed = new Set<string>();
  #state: RunnerStatus["state"] = "starting";
  #haltReason: string | null = null;
  #busy = false;
  #orders: readonly OrderRow[] = [];
  readonly #counters = { candles: 0, gaps: 0, partial: 0 };

  constructor(deps: RunnerDeps, options: HandlerOptions = {}) {
    this.#deps = deps;
    this.#handler = new ExecutionHandler(deps, options);
    this.#market = new PatientHistory(deps);
    this.#fold = new StateFold({ ...deps, market: this.#market });
  }

  /**
   * Recovers orders (looked up before anything goes out), then brings the strategy's state to the journal's cursor. A new
   * runner begins after the store's row `storeEndSeq`, once and for all. Gives the cursor the delivery is to continue from.
   * Waits for the store to publish what it needs and to be readable. Throws "refused" where store and journal differ, JournalHalted.
   */
  async start(storeEndSeq: number): Promise<DeliveryCursor> {
    assert(this.#state === "starting", "a runner starts once");
    try {
      this.#handler.ledger.begin(storeEndSeq);
      await this.#handler.recover();
      for (const cursor of this.#handler.ledger.cursors()) {
        await this.#fold.refold(cursor);
        this.#warmed.add(cursor.symbol);
        const [newest] = await this.#market.history(cursor.symbol, cursor.lastOpenTime, cursor.lastOpenTime);
        if (newest) this.#handler.ledger.notePrice(cursor.symbol, newest.close);
      }
    } catch (error) {
      throw this.#halt(error);
    }
    this.#state = "running";
    return this.#handler.ledger.deliveryCursor();
  }

  /**
   * Takes the next event; `cursor` is the delivery's position after it. Resolves once it is journaled and, with a simulating
   * broker, its orders are placed; orders to a venue go out in the background. Rejects where the runner is halted or halts.
   */
  async handle(event: DeliveryEvent, cursor: DeliveryCursor): Promise<void> {
    assert(this.#state === "running", `a runner that is ${this.#state} takes no events`);
    assert(!this.#busy, "events are handled one at a time");
    this.#busy = true;
    try {
      if (event.type === "gap") this.#onGap(event);
      else if (event.candle.provenance === "partial" && !this.#deps.maker.includePartial) this.#counters.partial++;
      else await this.#onCandle(event.candle, cursor);
    } catch (error) {
      throw this.#halt(error);
    } finally {
      this.#busy = false;
    }
  }

  /** running; failed: the strategy decides nothing any more, candles go on; halted: nothing goes on. */
  status(): RunnerStatus {
    const { failure } = this.#deps.maker;
    const fault = this.#handler.desk.fault;
    if (this.#state === "running" && fault !== null) return { state: "halted", reason: messageOf(fault) };
    if (this.#state === "running" && failure !== null) return { state: "failed", reason: failure };
    return { state: this.#state, reason: this.#haltReason };
  }

  /** Symbols that were ever traded, with PnL at the newest close decided on. */
  positions(): readonly PositionRow[] {
    return this.#handler.ledger.positionRows();
  }

  /** The newest 50 orders, newest first; once halted, those of before. */
  orders(): readonly OrderRow[] {
    if (this.#deps.journal.halted === null) this.#orders = this.#handler.ledger.newestOrders();
    return this.#orders;
  }

  /** Where the journal stands: what a restart would continue from. */
  cursor(): DeliveryCursor {
    return this.#handler.ledger.deliveryCursor();
  }

  /** Totals since start by dotted name. */
  counters(): Readonly<Record<string, number>> {
    const { desk, refused } = this.#handler;
    const { sent, rejected, expired, unknown, lost } = desk.counters();
    return {
      "candles.total": this.#counters.candles,
      "gaps.total": this.#counters.gaps,
      "partial.skipped.total": this.#counters.partial,
      "orders.sent.total": sent,
      "orders.rejected.total": rejected,
      "orders.refused.total": refused,
      "orders.expired.total": expired,
      "orders.unknown.total": unknown,
      "orders.lost.total": lost,
      "orders.unsent": desk.unsent,
    };
  }

  /** Closes the journal, after at most a second for orders that are with the broker. Idempotent; what waits rejects. */
  async close(): Promise<void> {
    if (this.#state === "stopping") return;
    this.#state = "stopping";
    this.#fold.close();
    this.#market.close();
    const limit = Promise.withResolvers<void>();
    const timer = this.#deps.timers.after(CLOSE_LIMIT_MS, limit.resolve);
    const idle = this.#handler.desk.idle().catch((error: unknown) => {
      this.#deps.log.warn(`Orders were not finished: ${messageOf(error)}`);
    });
    await Promise.race([idle, limit.promise]);
    timer.cancel();
    this.#deps.journal.close();
  }

  async #onCandle(candle: StoredCandle, cursor: DeliveryCursor): Promise<void> {
    const { broker, maker } = this.#deps;
    const { symbol, openTime, commitSeq } = candle;
    if (!this.#warmed.has(symbol)) {
      await this.#fold.warm({ symbol, openTime, commitSeq });
      this.#warmed.add(symbol);
    }
    const failedBefore = maker.failure !== null;
    this.#handler.onCandle(candle, cursor, (position) => maker.decide(candle, position));
    this.#counters.candles++;
    if (!failedBefore && maker.failure !== null) this.#deps.log.error(maker.failure);
    if (broker.catchesUp) await this.#handler.desk.idle();
    else this.#handler.desk.reconcile(symbol);
  }

  #onGap(gap: { readonly symbol: string; readonly fromOpenTime: number; readonly toOpenTime: number }): void {
    this.#counters.gaps++;
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
