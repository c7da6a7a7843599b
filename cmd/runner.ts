import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, durationOf, endpointsOf, NAME_FLAG, SYMBOLS_FLAG, symbolsOf } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "runner",
    description: "Runs one strategy on the market's candles, exactly once each, and executes its decisions on paper.",
  },
  examples: [
    "fabric runner --strategy sma-cross --symbols BTCUSDT",
    "fabric runner --strategy sma-cross --name slow --params fast=20,slow=60",
    "fabric runner --strategy ./my-strategy.ts",
  ],
  args: {
    strategy: {
      type: "string",
      valueHint: "NAME|FILE.ts",
      required: true,
      description: "sma-cross, rsi-reversion, channel-breakout, or your file",
    },
    name: NAME_FLAG,
    symbols: SYMBOLS_FLAG,
    params: { type: "string", valueHint: "k=v,…", description: "the strategy's parameters" },
    data: DATA_FLAG,
    market: {
      type: "string",
      valueHint: "ENDPOINT",
      description: "where market-data publishes (found in the data folder); may be given several times",
    },
    "max-decision-age": {
      type: "string",
      valueHint: "TIME",
      description: "oldest decision that is still sent to a live venue (2m); paper simulates late ones",
    },
  },
  repeatable: ["market"],
  async run(values) {
    const options = {
      strategy: text(values, "strategy") ?? "",
      name: text(values, "name"),
      symbols: symbolsOf(values),
      params: text(values, "params") ?? "",
      data: text(values, "data"),
      market: endpointsOf(values, "market"),
      maxDecisionAgeMs: durationOf(values, "max-decision-age"),
    };
    const { runRunner } = await import("../src/role/runner/runner.ts");
    return runRunner(options);
  },
};

export default command;
