import { FabricError } from "../../src/core/errors.ts";
import { nodeName } from "../../src/core/symbol.ts";
import { PaperBroker } from "../../src/execution/paper-broker.ts";
import { ZmqMarket } from "../../src/provider/zmq-market.ts";
import { takeNameLock } from "../../src/role/lifecycle/name-lock.ts";
import { RunnerLife } from "../../src/role/runner/runner-life.ts";
import { openStoreReaderOn } from "../../src/store/reader.ts";
import { StrategyHost } from "../../src/strategy/host.ts";
import { strategySettings } from "../../src/strategy/params.ts";
import type { Life } from "./life.ts";
import { DATA, MARKET_ADDRESS, type Machine, RUN } from "./machine.ts";
import type { RunnerSpec } from "./scenario.ts";
import { SimSegments } from "./sim-segments.ts";
import { VenueBroker } from "./sim-venue.ts";
import { SIM_STRATEGIES, strategyOf } from "./strategies.ts";
import { publishTelemetry } from "./telemetry.ts";

/** What a run's checks want to know of a living runner. */
export interface RunnerFacts {
  runner: RunnerLife | null;
  life: Life | null;
}

/** A runner: the product's own parts, wired as its composition root wires them. */
export async function runnerLife(
  machine: Machine,
  spec: RunnerSpec,
  facts: RunnerFacts,
  life: Life,
  stop: AbortSignal,
): Promise<void> {
  const lock = takeNameLock(RUN, life.node, machine.sqlite.opener(life));
  if (!lock) throw new FabricError("refused", `${life.node} runs already`);
  machine.claim(life);
  const files = machine.disk.view(life);
  const { clock, timers, log } = life;
  const reader = openStoreReaderOn(new SimSegments(machine.disk, life), { folder: DATA }, { files, clock, timers });
  const strategy = strategyOf(SIM_STRATEGIES[spec.strategy] ?? fail(spec.strategy));
  const runner = new RunnerLife(
    {
      ...{ reader, files, clock, timers, log, stop },
      openMarket: () =>
        new ZmqMarket(
          { symbols: spec.symbols, endpoints: [MARKET_ADDRESS] },
          { backend: machine.wire.backend(life), clock, log },
        ),
      openHost: () => new StrategyHost(strategy, strategySettings(strategy, "")),
      openBroker: () =>
        spec.broker === "paper" ? new PaperBroker() : new VenueBroker(machine.account(spec.name), life),
      openSqlite: machine.sqlite.opener(life),
    },
    {
      folder: DATA,
      name: nodeName(spec.name),
      symbols: spec.symbols,
      execution: {
        maxInFlightPerSymbol: spec.maxInFlight,
        maxDecisionAgeMs: 120_000 + 4000 * machine.world.scenario.speed,
      },
    },
  );
  facts.runner = runner;
  facts.life = life;
  if (machine.world.scenario.hasTelemetry)
    publishTelemetry(machine, life, { role: "runner", state: () => runner.status().state, runner });
  try {
    await runner.run();
  } finally {
    await reader.close();
    machine.yield(life);
    lock.release();
  }
}

function fail(strategy: string): never {
  throw new Error(`no strategy ${strategy}`);
}
