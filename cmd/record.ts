import type { FabricCommand, Values } from "../src/role/cli/command.ts";
import { durationOf, JSON_FLAG, SYMBOLS_FLAG, symbolsOf, usageError } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

/** The longest that one timer takes. */
const MAX_FOR_MS = 24 * 86_400_000;

const command: FabricCommand = {
  meta: {
    name: "record",
    description:
      "Records a venue's trades as its messages come, each with its receive time in ns, until stopped (0: recorded, 69: nothing came, 74: the disk is full, 77: the file is there). fabric market-data --feed replay and fabric sim play the file. What was written is readable at any time, also after kill -9.",
  },
  examples: [
    "fabric record --venue kraken --symbols BTC/USD,ETH/USD -o kraken.gz",
    "fabric record --venue binance-spot --symbols BTCUSDT -o btc.gz --for 1h",
    "fabric record --venue binance-spot --url ws://127.0.0.1:29000 --symbols BTCUSDT -o sim.gz",
    "fabric market-data --feed replay --file btc.gz --symbols BTCUSDT --speed 10",
  ],
  args: {
    venue: { type: "string", valueHint: "ID", required: true, description: "one of those that fabric venues lists" },
    symbols: { ...SYMBOLS_FLAG, required: true },
    output: {
      type: "string",
      alias: "o",
      valueHint: "FILE.gz",
      required: true,
      description: "the file to make; one that is there is never overwritten",
    },
    url: {
      type: "string",
      valueHint: "WS_URL",
      description: "WebSocket address instead of the venue's own, ws:// or wss://",
    },
    for: { type: "string", valueHint: "DURATION", description: "how long, 30s or 2h for example (until stopped)" },
    json: JSON_FLAG,
  },
  async run(values) {
    const options = {
      venue: text(values, "venue") ?? "",
      symbols: symbolsOf(values) ?? [],
      output: text(values, "output") ?? "",
      url: text(values, "url"),
      forMs: forOf(values),
      json: values.json === true,
    };
    const { runRecord } = await import("../src/role/record/record.ts");
    return runRecord(options);
  },
};

export default command;

function forOf(values: Values): number | undefined {
  const forMs = durationOf(values, "for");
  if (forMs === undefined || forMs <= MAX_FOR_MS) return forMs;
  throw usageError(`Bad --for "${text(values, "for")}": expected at most 24d`);
}
