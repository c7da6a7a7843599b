import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, durationOf, endpointsOf, NAME_FLAG, SYMBOLS_FLAG, symbolsOf } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";
import { amountOf, amountsOf, brokerOf, countOf, percentOf } from "../src/role/cli/trading-flags.ts";

const command: FabricCommand = {
  meta: {
    name: "runner",
    description:
      "Runs one strategy on the market's candles, exactly once each, and executes its decisions: on paper, unless --broker, --live and the configuration say otherwise.",
  },
  examples: [
    "fabric runner --strategy sma-cross --symbols BTCUSDT",
    "fabric runner --strategy sma-cross --name slow --params fast=20,slow=60",
    "fabric runner --strategy ./my-strategy.ts --max-position BTCUSDT=0.5 --max-daily-loss 200",
    "fabric runner --strategy sma-cross --symbols BTCUSDT --broker binance --live",
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
    broker: { type: "string", valueHint: "paper|binance", description: "where orders go (paper)" },
    live: { type: "boolean", description: "consent to a venue's broker; typed each time" },
    "accept-broker": {
      type: "boolean",
      description:
        "where journal and venue disagree at start: adjust the journal to the venue, instead of refusing to trade",
    },
    "max-position": {
      type: "string",
      valueHint: "QTY|SYMBOL=QTY,…",
      description: "largest position, long or short, in the base asset (none on paper)",
    },
    "max-notional": {
      type: "string",
      valueHint: "AMOUNT",
      description: "largest order at the last close (none on paper)",
    },
    "max-orders-per-minute": { type: "string", valueHint: "N", description: "of the whole runner (1000 on paper)" },
    "max-daily-loss": {
      type: "string",
      valueHint: "AMOUNT",
      description: "in a UTC day; beyond it only what reduces a position passes (none on paper)",
    },
    "price-collar": {
      type: "string",
      valueHint: "PERCENT",
      description: "how far the last close may be from the median of the 30 minutes before (none on paper)",
    },
    "broker-url": { type: "string", valueHint: "URL", description: "the venue's address (configuration only)" },
    "key-file": {
      type: "string",
      valueHint: "FILE",
      description: "API key and secret, a line each, mode 0600 (configuration only)",
    },
    "live-host": { type: "string", valueHint: "HOST", description: "where real orders may go (configuration only)" },
  },
  repeatable: ["market"],
  typedOnly: ["live", "accept-broker"],
  configuredOnly: ["broker-url", "key-file", "live-host"],
  async run(values) {
    const symbols = symbolsOf(values);
    const options = {
      strategy: text(values, "strategy") ?? "",
      name: text(values, "name"),
      symbols,
      params: text(values, "params") ?? "",
      data: text(values, "data"),
      market: endpointsOf(values, "market"),
      maxDecisionAgeMs: durationOf(values, "max-decision-age"),
      acceptBroker: values["accept-broker"] === true,
      trading: {
        broker: brokerOf(values),
        live: values.live === true,
        brokerUrl: text(values, "broker-url"),
        keyFile: text(values, "key-file"),
        liveHost: text(values, "live-host"),
        symbols,
        limits: {
          maxPosition: amountsOf(values, "max-position"),
          maxNotional: amountOf(values, "max-notional"),
          maxOrdersPerMinute: countOf(values, "max-orders-per-minute"),
          maxDailyLoss: amountOf(values, "max-daily-loss"),
          priceCollarPercent: percentOf(values, "price-collar"),
        },
      },
    };
    const { runRunner } = await import("../src/role/runner/runner.ts");
    return runRunner(options);
  },
};

export default command;
