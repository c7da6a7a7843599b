import { platform } from "#platform";
import { nodeName } from "../../../src/core/symbol.ts";
import type { Broker } from "../../../src/execution/broker.ts";
import { dataFolder } from "../../../src/role/lifecycle/data-folder.ts";
import { type NodeReport, runNode } from "../../../src/role/lifecycle/node.ts";
import { openRails } from "../../../src/role/provider-node.ts";
import { RunnerLife } from "../../../src/role/runner/runner-life.ts";
import { StrategyHost } from "../../../src/strategy/host.ts";
import { strategySettings } from "../../../src/strategy/params.ts";
import { defineStrategy, v } from "../../../src/strategy/public.ts";

// A runner that trades on every candle of some symbols, with a broker that never answers: runner.ts FOLDER SYMBOL,SYMBOL…

const [folder = "", symbols = ""] = process.argv.slice(2);
const submitted = { orders: 0, waiting: 0 };

/** Takes every order and says nothing, ever: no contract of a broker is kept, and the runner must be none the worse. */
const stalled: Broker = {
  mode: "live",
  catchesUp: false,
  validityWindowMs: 60_000,
  submit: () => {
    submitted.orders++;
    submitted.waiting++;
    return new Promise(() => {});
  },
  lookup: () => new Promise(() => {}),
  account: () => null,
  follow: () => {},
  fillsAt: () => [],
  close: () => Promise.resolve(),
};

const eager = defineStrategy({
  name: "eager",
  version: "1",
  params: v.object({}),
  warmup: () => 0,
  init: () => ({ side: "buy" as "buy" | "sell" }),
  onCandle({ state }) {
    state.side = state.side === "buy" ? "sell" : "buy";
    return [{ side: state.side, quantity: "0.01" }];
  },
});

const data = dataFolder(folder);
const name = nodeName("eager");
process.exit(
  await runNode({ role: "runner", name, folder: data, publish: [] }, async (node) => {
    const wanted = symbols.split(",");
    const rails = openRails(data, wanted, [], node.log);
    const life = new RunnerLife(
      {
        ...platform,
        ...rails,
        openHost: () => new StrategyHost(eager, strategySettings(eager, null)),
        openBroker: () => stalled,
        log: node.log,
        stop: node.stop,
      },
      // Exchange time flies here: at its real pace no decision would be young enough to be sent.
      { folder, name, symbols: wanted, execution: { maxDecisionAgeMs: 1e9 } },
    );
    node.tell({
      report: (): NodeReport => {
        const { state, reason } = life.status();
        const values = {
          ...life.counters(),
          "broker.submitted.total": submitted.orders,
          "broker.waiting": submitted.waiting,
        };
        return { state, reason, dataAgeMs: 0, mode: "live", details: {}, values, rails: life.rails() };
      },
      positions: () => ({ mode: "live", strategy: "eager", positions: life.positions(), orders: life.orders() }),
    });
    await life.run();
    await rails.reader.close();
    return 0;
  }),
);
