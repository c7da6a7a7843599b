import type { DeliveryCursor } from "../../core/delivery.ts";
import type { Clock, Files, Log, OpenSqlite, Timers } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import type { NodeName } from "../../core/symbol.ts";
import type { OrderRow, PositionRow, RailState } from "../../core/wire.ts";
import type { Broker } from "../../execution/broker.ts";
import type { HandlerOptions } from "../../execution/execution-handler.ts";
import { openJournal } from "../../execution/journal.ts";
import { RunnerCore, type RunnerStatus } from "../../execution/runner-core.ts";
import { DualRailProvider } from "../../provider/dual-rail-provider.ts";
import type { MarketSubscription } from "../../provider/market.ts";
import type { DeliveredSample } from "../../provider/options.ts";
import type { StoreReader } from "../../store/contract.ts";
import type { StrategyHost } from "../../strategy/host.ts";
import { aborted } from "../lifecycle/stop-signal.ts";
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
  readonly openBroker: (exchangeNowMs: () => number | null) => Broker;
  readonly openSqlite: OpenSqlite;
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Aborted when the runner is to stop. */
  readonly stop: AbortSignal;
}

export interface RunnerLifeOptions {
  /** The data folder. */
  readonly folder: string;
  readonly name: NodeName;
  readonly symbols: readonly string[] | "all";
  readonly handler: HandlerOptions;
  /** Called after each delivered candle, for latency figures. Must not throw. */
  readonly onDelivered?: (sample: DeliveredSample) => void;
}

const WAITING: RunnerStatus = { state: "starting", reason: "waiting for the store's first candles" };

/** A runner from the store's first close to its stop: journal, execution and dual rail, joined. */
export class RunnerLife {
  readonly #deps: RunnerLifeDeps;
  readonly #options: RunnerLifeOptions;
  readonly #host: StrategyHost;
  #core: RunnerCore | null = null;
  #provider: DualRailProvider | null = null;

  /** Starts nothing. */
  constructor(deps: RunnerLifeDeps, options: RunnerLifeOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#host = deps.openHost();
  }

  /** The strategy as it runs now. */
  get host(): StrategyHost {
    return this.#host;
  }

  /** Runs until the stop. Throws FabricError for what a restart cannot mend (another store, other parameters, a bug). */
  async run(): Promise<void> {
    const { reader, stop, log } = this.#deps;
    const view = await storeStart(reader, stop, this.#deps);
    if (!view) return;
    const { symbols } = this.#options;
    const missing = symbols === "all" ? [] : symbols.filter((symbol) => !view.heads.has(symbol));
    if (missing.length > 0)
      log.warn(`The store has no candle of ${missing.join(", ")} yet; does market-data follow that?`);
    const core = this.#openCore(view.storeId);
    this.#core = core;
    try {
      const cursor = await Promise.race([core.start(view.throughSeq), aborted(stop)]);
      if (cursor) await this.#follow(core, cursor);
    } catch (error) {
      // Stopping may cut a wait for the store short: the journal stands where it stood.
      if (stop.aborted) log.debug(`Stopped while busy: ${messageOf(error)}`);
      else if (core.status().state !== "halted" || exitsAtOnce(error)) throw error;
      else {
        // What the journal could not take has not advanced: the node stays up to say so, and a restart goes on from there.
        log.error(`Halted: ${messageOf(error)}`);
        await aborted(stop);
      }
    } finally {
      await this.#provider?.close();
      await core.close();
    }
  }

  status(): RunnerStatus {
    return this.#core?.status() ?? WAITING;
  }

  positions(): readonly PositionRow[] {
    return this.#core?.positions() ?? [];
  }

  orders(): readonly OrderRow[] {
    return this.#core?.orders() ?? [];
  }

  rails(): readonly RailState[] {
    return this.#provider?.rails() ?? [];
  }

  /** Totals (.total) and sizes by dotted name. */
  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#provider?.counters(),
      ...(this.status().state === "running" ? this.#core?.counters() : {}),
    };
  }

  #openCore(storeId: string): RunnerCore {
    const { reader, timers, log, openBroker } = this.#deps;
    const { folder, name, symbols, handler } = this.#options;
    const exchangeNowMs = () => this.#provider?.exchangeTimeMs() ?? null;
    const broker = openBroker(exchangeNowMs);
    const journal = openJournal(this.#deps, folder, {
      storeId,
      mode: broker.mode,
      runner: name,
      ...this.#host.identity,
      symbols,
      timeframe: this.#host.timeframe,
    });
    return new RunnerCore({ journal, broker, maker: this.#host, market: reader, exchangeNowMs, timers, log }, handler);
  }

  async #follow(core: RunnerCore, cursor: DeliveryCursor): Promise<void> {
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
    void aborted(this.#deps.stop).then(() => provider.close());
    await provider.run((event, at) => core.handle(event, at));
  }
}

/** A start that cannot work (another store, other parameters, another schema) ends the node; a full disk does not. */
function exitsAtOnce(error: unknown): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return code === "refused" || code === "config" || code === "usage" || code === "internal";
}
