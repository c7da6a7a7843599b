import type { DeliveryCursor, DeliveryEvent } from "../../core/delivery.ts";
import type { Clock, Files, Log, OpenSqlite, Timers } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import type { NodeName } from "../../core/symbol.ts";
import { MINUTE_MS } from "../../core/time.ts";
import type { OrderRow, PositionRow, RailState } from "../../core/wire.ts";
import type { Broker } from "../../execution/broker.ts";
import { HaltSwitch } from "../../execution/halt-switch.ts";
import { type Journal, openJournal } from "../../execution/journal.ts";
import { TradingHalt } from "../../execution/order-news.ts";
import { type AccountNews, RunnerCore, type RunnerOptions, type RunnerStatus } from "../../execution/runner-core.ts";
import { DualRailProvider } from "../../provider/dual-rail-provider.ts";
import type { MarketSubscription } from "../../provider/market.ts";
import type { DeliveredSample } from "../../provider/options.ts";
import type { StoreReader, StoreView } from "../../store/contract.ts";
import type { StrategyHost } from "../../strategy/host.ts";
import { aborted, onAbort } from "../lifecycle/stop-signal.ts";
import { storeStart } from "../store-start.ts";

/** All that a runner touches, so that a simulator can run the real composition. */
export interface RunnerLifeDeps {
  /** Stays the caller's. */
  readonly reader: StoreReader;
  /** A fresh subscription, which becomes the life's. */
  readonly openMarket: () => MarketSubscription;
  /** A fresh strategy, without state. */
  readonly openHost: () => StrategyHost;
  /** A broker, which becomes the life's. It is told the venue's clock: epoch ms, null while it is not known. */
  readonly openBroker: (exchangeNowMs: () => number | null) => CountingBroker;
  readonly openSqlite: OpenSqlite;
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Aborted when the runner is to stop. */
  readonly stop: AbortSignal;
}

/** A broker that may count what it meets, for telemetry. */
type CountingBroker = Broker & { counters?(): Readonly<Record<string, number>> };

export interface RunnerLifeOptions {
  /** The data folder. */
  readonly folder: string;
  readonly name: NodeName;
  readonly symbols: readonly string[] | "all";
  /** Execution's: ages, bounds, risk limits, whether the venue's word is taken. */
  readonly execution: RunnerOptions;
  /** Called after each delivered candle, for latency figures. Must not throw. */
  readonly onDelivered?: (sample: DeliveredSample) => void;
}

/** After trouble that passes, a new life begins after this, doubling up to the longest; after a calm life it is the first again. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
const CALM_AFTER_MS = 60_000;

const WAITING: RunnerStatus = { state: "starting", reason: "waiting for the store's first candles" };

/**
 * A runner from the store's first close to its stop: journal, execution and dual rail, joined. Where trouble that may pass halts
 * it (a full disk, a folder that cannot be written), it begins anew by itself from what is durable.
 */
export class RunnerLife {
  readonly #deps: RunnerLifeDeps;
  readonly #options: RunnerLifeOptions;
  readonly #halt: HaltSwitch;
  #host: StrategyHost;
  #core: RunnerCore | null = null;
  #provider: DualRailProvider | null = null;
  #broker: CountingBroker | null = null;
  /** Why the life before this one ended, until this one has journaled something. */
  #trouble: string | null = null;
  #lives = 0;

  /** Starts nothing. */
  constructor(deps: RunnerLifeDeps, options: RunnerLifeOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#halt = new HaltSwitch(deps.files, options.folder, options.name);
    this.#host = deps.openHost();
  }

  /** The strategy as it runs now. */
  get host(): StrategyHost {
    return this.#host;
  }

  /**
   * Runs until the stop. Throws FabricError for what a restart cannot mend (another store, other parameters, a bug), and where
   * the journal cannot even be opened at first. Where journal and venue disagree it stays, halted, and says so.
   */
  async run(): Promise<void> {
    const { stop, log, clock } = this.#deps;
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_RETRY_MS)) {
      const beganMs = clock.monotonicMs();
      this.#lives++;
      const trouble = await this.#live();
      if (trouble === null) return;
      if (clock.monotonicMs() - beganMs >= CALM_AFTER_MS) delayMs = FIRST_RETRY_MS;
      const message = messageOf(trouble);
      if (trouble instanceof TradingHalt) {
        log.error(`Halted: ${message}`);
        this.#trouble = message;
        return aborted(stop);
      }
      if (this.#trouble === null) log.error(`Halted: ${message}; trying again by itself, from what is durable`);
      else log.debug(`Halted again: ${message}`);
      this.#trouble = message;
      await this.#pause(delayMs);
      if (stop.aborted) return;
      this.#host = this.#deps.openHost();
    }
  }

  status(): RunnerStatus {
    const status = this.#core?.status() ?? WAITING;
    if (this.#trouble === null) return status;
    const isBack = status.state === "running" || status.state === "failed" || status.state === "degraded";
    return { state: "halted", reason: `${this.#trouble}${isBack ? "; begun anew, the next candle will tell" : ""}` };
  }

  positions(): readonly PositionRow[] {
    return this.#core?.positions() ?? [];
  }

  orders(): readonly OrderRow[] {
    return this.#core?.orders() ?? [];
  }

  /** Beside positions and orders; empty before the first life has begun. */
  account(): Partial<AccountNews> {
    return this.#core?.account() ?? {};
  }

  rails(): readonly RailState[] {
    return this.#provider?.rails() ?? [];
  }

  /** Totals (.total) and sizes by dotted name. */
  counters(): Readonly<Record<string, number>> {
    const core = this.#core;
    return {
      ...this.#provider?.counters(),
      ...(core?.trouble === null ? core.counters() : {}),
      ...this.#broker?.counters?.(),
      "lives.total": this.#lives,
    };
  }

  /** One life. Null: it was stopped; else the trouble that ended it and may pass. Throws what does not pass. */
  async #live(): Promise<unknown> {
    const { reader, stop, log } = this.#deps;
    const before = this.#core;
    this.#provider = null;
    const stopped = Promise.withResolvers<void>();
    using _stop = onAbort(stop, () => {
      stopped.resolve();
      void this.#provider?.close();
    });
    try {
      const view = await storeStart(reader, stop, this.#deps);
      if (!view) return null;
      if (this.#lives === 1) this.#warnOfMissing(view);
      const core = await this.#openCore(view.storeId);
      this.#core = core;
      const knownMs = view.closedThrough === null ? null : view.closedThrough + MINUTE_MS;
      const cursor = await Promise.race([core.start(view.throughSeq, knownMs), core.faulted, stopped.promise]);
      if (cursor) await this.#follow(core, cursor);
      return null;
    } catch (error) {
      // Stopping may cut a wait short: the journal stands where it stood.
      if (stop.aborted) log.debug(`Stopped while busy: ${messageOf(error)}`);
      else if (!(error instanceof TradingHalt) && !this.#mayPass(error, before)) throw error;
      else return error;
      return null;
    } finally {
      await this.#close();
    }
  }

  async #close(): Promise<void> {
    await this.#provider?.close();
    await this.#core?.close();
  }

  /** At first a journal that cannot be opened ends the node, and so does what the rails alone cannot bear. */
  #mayPass(error: unknown, before: RunnerCore | null): boolean {
    return passes(error) && (this.#core === before ? this.#lives > 1 : this.#core?.trouble !== null);
  }

  async #openCore(storeId: string): Promise<RunnerCore> {
    const { reader, openBroker } = this.#deps;
    // While it starts there is no delivery yet, and the orders of before need a time to be judged by: the venue's own.
    const exchangeNowMs = () => this.#provider?.exchangeTimeMs() ?? this.#broker?.exchangeNowMs?.() ?? null;
    this.#broker = null;
    const broker = openBroker(exchangeNowMs);
    this.#broker = broker;
    let journal: Journal;
    try {
      journal = openJournal(this.#deps, this.#options.folder, {
        storeId,
        mode: broker.mode,
        runner: this.#options.name,
        ...this.#host.identity,
        symbols: this.#options.symbols,
        timeframe: this.#host.timeframe,
      });
    } catch (error) {
      await broker.close();
      throw error;
    }
    const halted = () => this.#halt.now();
    return new RunnerCore(
      { ...this.#deps, journal, broker, maker: this.#host, market: reader, exchangeNowMs, halted },
      this.#options.execution,
    );
  }

  async #follow(core: RunnerCore, cursor: DeliveryCursor): Promise<void> {
    if (this.#deps.stop.aborted) return;
    const { symbols, onDelivered } = this.#options;
    const provider = new DualRailProvider(
      { ...this.#deps, market: this.#deps.openMarket() },
      {
        symbols,
        cursor,
        includePartial: this.#host.includePartial,
        ...(onDelivered === undefined ? {} : { onDelivered }),
      },
    );
    this.#provider = provider;
    const consume = async (event: DeliveryEvent, at: DeliveryCursor) => {
      await core.handle(event, at);
      this.#goesOn();
    };
    await Promise.race([provider.run(consume), core.faulted]);
  }

  /** What could be journaled is the proof that the trouble has passed. */
  #goesOn(): void {
    if (this.#trouble === null) return;
    this.#deps.log.info(`Going on after: ${this.#trouble}`);
    this.#trouble = null;
  }

  #warnOfMissing(view: StoreView): void {
    const { symbols } = this.#options;
    const missing = symbols === "all" ? [] : symbols.filter((symbol) => !view.heads.has(symbol));
    if (missing.length > 0)
      this.#deps.log.warn(`The store has no candle of ${missing.join(", ")} yet; does market-data follow that?`);
  }

  async #pause(delayMs: number): Promise<void> {
    const { timers, stop } = this.#deps;
    const over = Promise.withResolvers<void>();
    const timer = timers.after(delayMs, over.resolve);
    using _stop = onAbort(stop, over.resolve);
    await over.promise;
    timer.cancel();
  }
}

/** Trouble with a disk or a store, which may pass. Another store, other parameters, another schema or a bug do not. */
function passes(error: unknown): boolean {
  if (!(error instanceof FabricError))
    return (error as { readonly code?: unknown } | null)?.code === "ERR_SQLITE_ERROR";
  const { code } = error;
  return code === "io" || code === "unavailable" || code === "try-again" || code === "missing-input";
}
