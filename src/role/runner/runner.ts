import { resolve } from "node:path";
import { platform } from "#platform";
import type { BodyFields } from "../../bus/message-publisher.ts";
import type { Log } from "../../core/env.ts";
import { messageOf } from "../../core/errors.ts";
import type { HealthBody, IndicatorsBody } from "../../core/wire.ts";
import { BUILTIN_STRATEGIES } from "../../strategy/builtins.ts";
import { StrategyHost } from "../../strategy/host.ts";
import { asStrategy } from "../../strategy/load.ts";
import { strategySettings } from "../../strategy/params.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { LatencyRing } from "../lifecycle/latency.ts";
import { type Node, type NodeReport, runNode } from "../lifecycle/node.ts";
import { ownName } from "../lifecycle/own-name.ts";
import { claimStrayErrors } from "../lifecycle/stray-errors.ts";
import { openRails, type Rails } from "../provider-node.ts";
import { builtinOrFile } from "../user-file.ts";
import { RunnerLife } from "./runner-life.ts";
import { type Trading, type TradingWish, tradingOf } from "./trading.ts";

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
  /** Take the venue's word where journal and venue disagree at start. */
  readonly acceptBroker: boolean;
  readonly trading: TradingWish;
}

/** The runner role: one strategy on the dual rail, its decisions journaled before anything is sent, on paper or to a venue. */
export async function runRunner(options: RunnerOptions): Promise<number | undefined> {
  const strategy = await builtinOrFile("strategy", options.strategy, BUILTIN_STRATEGIES, asStrategy);
  const settings = strategySettings(strategy, options.params);
  const trading = tradingOf(options.trading);
  const name = ownName(options.name ?? strategy.name, "runner");
  const folder = dataFolder(options.data);
  return runNode({ role: "runner", name, folder, publish: [], mode: trading.mode }, async (node) => {
    const rails = openRails(folder, options.symbols ?? "all", options.market, node.log);
    const runner = new RunnerNode(options, node, rails, trading, () => new StrategyHost(strategy, settings));
    using _stray = claimStrayErrors(
      (error) => isFrom(options.strategy, error) && failed(runner.life.host, error, node.log),
    );
    try {
      const symbols = options.symbols?.join(", ") ?? "every symbol";
      node.log.info(`Strategy ${strategy.name} ${strategy.version} on ${symbols}, ${trading.mode}`);
      trading.announce(node.log);
      await runner.run();
      return 0;
    } finally {
      await rails.reader.close();
    }
  });
}

/** A runner's life as a node: what it tells of itself. */
class RunnerNode {
  readonly life: RunnerLife;
  readonly #node: Node;
  readonly #symbols: string;
  readonly #trading: Trading;
  readonly #delivery = new LatencyRing();
  #progressMs: number | null = null;
  #indicatorFault: string | null = null;

  constructor(options: RunnerOptions, node: Node, rails: Rails, trading: Trading, openHost: () => StrategyHost) {
    this.#node = node;
    this.#trading = trading;
    this.#symbols = options.symbols?.join(",") ?? "all";
    const { maxDecisionAgeMs, acceptBroker } = options;
    this.life = new RunnerLife(
      {
        ...platform,
        ...rails,
        openHost,
        openBroker: () => trading.openBroker(node.log),
        log: node.log,
        stop: node.stop,
      },
      {
        folder: node.folder.path,
        name: node.name,
        symbols: options.symbols ?? "all",
        execution: {
          limits: trading.limits,
          acceptBroker,
          ...(maxDecisionAgeMs === undefined ? {} : { maxDecisionAgeMs }),
        },
        onDelivered: ({ sentAt }) => {
          this.#progressMs = platform.clock.monotonicMs();
          if (sentAt !== null) this.#delivery.add(Math.max(0, platform.clock.nowMs() - sentAt));
        },
      },
    );
  }

  run(): Promise<void> {
    this.#node.tell({
      report: () => this.#report(),
      positions: () => ({
        mode: this.#trading.mode,
        strategy: this.life.host.identity.strategy,
        positions: this.life.positions(),
        orders: this.life.orders(),
        ...this.life.account(),
      }),
      indicators: {
        version: () => this.life.host.indicators.version,
        snapshot: () => this.#indicators(),
      },
    });
    return this.life.run();
  }

  #indicators(): BodyFields<IndicatorsBody> {
    const { indicators, identity, timeframe } = this.life.host;
    const { fault } = indicators;
    if (fault !== null && fault !== this.#indicatorFault)
      this.#node.log.warn(`Strategy ${identity.strategy}: ${fault}; its decisions go on`);
    this.#indicatorFault = fault;
    return { strategy: identity.strategy, timeframe, symbols: indicators.tables(), omitted: indicators.omitted };
  }

  #report(): NodeReport {
    const { host } = this.life;
    const status = this.life.status();
    const { strategy, version, params } = host.identity;
    const details: HealthBody["details"] = {
      strategy,
      version,
      params,
      timeframe: host.timeframe,
      symbols: this.#symbols,
      broker: this.#trading.venue,
    };
    return {
      state: status.state,
      reason: status.reason,
      dataAgeMs: this.#progressMs === null ? null : Math.round(platform.clock.monotonicMs() - this.#progressMs),
      mode: this.#trading.mode,
      details,
      values: { ...this.life.counters(), ...this.#delivery.values("publish.to.decided") },
      rails: this.life.rails(),
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
