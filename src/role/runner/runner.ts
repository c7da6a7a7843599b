import { resolve } from "node:path";
import { platform } from "#platform";
import type { DeliveryCursor } from "../../core/delivery.ts";
import type { Log } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import type { HealthBody } from "../../core/wire.ts";
import { openJournal } from "../../execution/journal.ts";
import { PaperBroker } from "../../execution/paper-broker.ts";
import { RunnerCore } from "../../execution/runner-core.ts";
import { DualRailProvider } from "../../provider/dual-rail-provider.ts";
import type { StoreReader } from "../../store/contract.ts";
import { BUILTIN_STRATEGIES } from "../../strategy/builtins.ts";
import { StrategyHost } from "../../strategy/host.ts";
import { asStrategy } from "../../strategy/load.ts";
import { strategySettings } from "../../strategy/params.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { LatencyRing } from "../lifecycle/latency.ts";
import { type Node, type NodeReport, runNode } from "../lifecycle/node.ts";
import { ownName } from "../lifecycle/own-name.ts";
import { aborted } from "../lifecycle/stop-signal.ts";
import { claimStrayErrors } from "../lifecycle/stray-errors.ts";
import { openRails, storeStart } from "../provider-node.ts";
import { builtinOrFile } from "../user-file.ts";

export interface RunnerOptions {
  /** A built-in's name or the path of a .ts file. */
  readonly strategy: string;
  /** The strategy's name where absent. */
  readonly name: string | undefined;
  /** Every symbol of the store where absent. */
  readonly symbols: readonly string[] | undefined;
  /** k=v,… */
  readonly params: string;
  readonly data: string | undefined;
  readonly market: readonly string[];
  readonly maxDecisionAgeMs: number | undefined;
}

/** The runner role: one strategy on the dual rail, its decisions journaled before anything is sent, executed on paper. */
export async function runRunner(options: RunnerOptions): Promise<number | undefined> {
  const strategy = await builtinOrFile("strategy", options.strategy, BUILTIN_STRATEGIES, asStrategy);
  const host = new StrategyHost(strategy, strategySettings(strategy, options.params));
  const name = ownName(options.name ?? strategy.name, "runner");
  const folder = dataFolder(options.data);
  return runNode({ role: "runner", name, folder, publish: [] }, async (node) => {
    using _stray = claimStrayErrors((error) => isFrom(options.strategy, error) && failed(host, error, node.log));
    const rails = openRails(folder, options.symbols ?? "all", options.market, node.log);
    try {
      node.log.info(
        `Strategy ${strategy.name} ${strategy.version} on ${options.symbols?.join(", ") ?? "every symbol"}, paper`,
      );
      return await new RunnerNode(options, node, host, rails).run();
    } finally {
      await rails.market.stop();
      await rails.reader.close();
    }
  });
}

class RunnerNode {
  readonly #options: RunnerOptions;
  readonly #node: Node;
  readonly #host: StrategyHost;
  readonly #rails: ReturnType<typeof openRails>;
  #core: RunnerCore | null = null;
  #provider: DualRailProvider | null = null;
  readonly #delivery = new LatencyRing();
  #progressMs: number | null = null;

  constructor(options: RunnerOptions, node: Node, host: StrategyHost, rails: ReturnType<typeof openRails>) {
    this.#options = options;
    this.#node = node;
    this.#host = host;
    this.#rails = rails;
  }

  async run(): Promise<number> {
    const { stop, log } = this.#node;
    this.#node.tell({
      report: () => this.#report(),
      positions: () => ({
        mode: "paper",
        strategy: this.#host.identity.strategy,
        positions: this.#core?.positions() ?? [],
        orders: this.#core?.orders() ?? [],
      }),
    });
    const view = await storeStart(this.#rails.reader, stop, log);
    if (!view) return 0;
    const missing = (this.#options.symbols ?? []).filter((symbol) => !view.heads.has(symbol));
    if (missing.length > 0)
      log.warn(`The store has no candle of ${missing.join(", ")} yet; does market-data follow that?`);
    const core = this.#openCore(this.#rails.reader, view.storeId);
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
    return 0;
  }

  #openCore(reader: StoreReader, storeId: string): RunnerCore {
    const { log, name, folder } = this.#node;
    const identity = this.#host.identity;
    const journal = openJournal(platform, folder.path, {
      storeId,
      mode: "paper",
      runner: name,
      ...identity,
      symbols: this.#options.symbols ?? "all",
      timeframe: this.#host.timeframe,
    });
    const { maxDecisionAgeMs } = this.#options;
    return new RunnerCore(
      {
        journal,
        broker: new PaperBroker(),
        maker: this.#host,
        market: reader,
        exchangeNowMs: () => this.#provider?.exchangeTimeMs() ?? null,
        timers: platform.timers,
        log,
      },
      maxDecisionAgeMs === undefined ? {} : { maxDecisionAgeMs },
    );
  }

  async #follow(core: RunnerCore, cursor: DeliveryCursor): Promise<void> {
    const provider = new DualRailProvider(
      { ...this.#rails, clock: platform.clock, timers: platform.timers, log: this.#node.log },
      {
        symbols: this.#options.symbols ?? "all",
        cursor,
        includePartial: this.#host.includePartial,
        onDelivered: (sample) => {
          this.#progressMs = platform.clock.monotonicMs();
          if (sample.sentAt !== null) this.#delivery.add(Math.max(0, platform.clock.nowMs() - sample.sentAt));
        },
      },
    );
    this.#provider = provider;
    void aborted(this.#node.stop).then(() => provider.close());
    await provider.run((event, at) => core.handle(event, at));
  }

  #report(): NodeReport {
    const status = this.#core?.status() ?? { state: "starting", reason: "waiting for the store's first candles" };
    const { strategy, version, params } = this.#host.identity;
    const details: HealthBody["details"] = {
      strategy,
      version,
      params,
      timeframe: this.#host.timeframe,
      symbols: this.#options.symbols?.join(",") ?? "all",
    };
    return {
      state: status.state,
      reason: status.reason,
      dataAgeMs: this.#progressMs === null ? null : Math.round(platform.clock.monotonicMs() - this.#progressMs),
      mode: "paper",
      details,
      values: {
        ...this.#provider?.counters(),
        ...(this.#core?.status().state === "running" ? this.#core.counters() : {}),
        ...this.#delivery.values("publish.to.decided"),
      },
      rails: this.#provider?.rails() ?? [],
    };
  }
}

/** Whether an error that nobody caught comes out of the user's own file, for example out of a timer it set. */
function isFrom(strategy: string, error: unknown): boolean {
  return strategy.endsWith(".ts") && error instanceof Error && error.stack?.includes(resolve(strategy)) === true;
}

function failed(host: StrategyHost, error: unknown, log: Log): true {
  if (host.failure === null) {
    host.fail(messageOf(error));
    log.error(host.failure ?? "");
  }
  return true;
}

/** A start that cannot work (another store, other parameters, another schema) ends the node; a full disk does not. */
function exitsAtOnce(error: unknown): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return code === "refused" || code === "config" || code === "usage" || code === "internal";
}
