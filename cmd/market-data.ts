import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, endpointsOf, SYMBOLS_FLAG, symbolsOf, usageError, VENUE_FLAG } from "../src/role/cli/flags.ts";
import { list, text, whole } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "market-data",
    description: "Trades from a venue or a recording become candles: committed, published, sealed.",
  },
  examples: [
    "fabric market-data --venue binance-spot --symbols BTCUSDT,ETHUSDT",
    "fabric market-data --venue kraken --url ws://127.0.0.1:29000 --symbols BTC/USD",
    "fabric market-data --feed replay --file trades.gz --speed max --symbols BTCUSDT",
  ],
  args: {
    venue: VENUE_FLAG,
    feed: {
      type: "string",
      valueHint: "live|sim|replay",
      description: "live (the venue; so where --venue is given), sim (the data folder's own exchange), replay (files)",
    },
    url: { type: "string", valueHint: "WS_URL", description: "WebSocket address of the venue, ws:// or wss://" },
    file: {
      type: "string",
      valueHint: "PATH",
      description: "recording or trade file to replay; may be given several times",
    },
    speed: { type: "string", valueHint: "N|max", description: "replay speed (max)" },
    symbols: SYMBOLS_FLAG,
    history: { type: "string", valueHint: "MINUTES", default: "240", description: "klines a fresh store takes first" },
    data: DATA_FLAG,
    publish: {
      type: "string",
      valueHint: "ENDPOINT",
      description: "also publish here (tcp://host:port); may be given several times",
    },
    stay: { type: "boolean", description: "after a replay's end, stay up" },
  },
  repeatable: ["file", "publish"],
  async run(values) {
    const venue = text(values, "venue");
    const feed = feedOf(text(values, "feed"), venue);
    const options = {
      feed,
      venue,
      url: text(values, "url"),
      files: list(values, "file"),
      speed: replaySpeedOf(text(values, "speed")),
      symbols: symbolsOf(values),
      historyMinutes: whole(values, "history", 0, 100_000) ?? 240,
      data: text(values, "data"),
      publish: endpointsOf(values, "publish"),
      stay: values.stay === true,
    } as const;
    const { runMarketData } = await import("../src/role/market-data/market-data.ts");
    return runMarketData(options);
  },
};

export default command;

/** `binance` is what live was called when there was one venue. */
function feedOf(given: string | undefined, venue: string | undefined): "live" | "sim" | "replay" {
  const feed = given === "binance" ? "live" : (given ?? (venue === undefined ? undefined : "live"));
  if (feed === undefined) throw usageError("Missing --venue or --feed: expected a venue, or live, sim or replay");
  if (feed !== "live" && feed !== "sim" && feed !== "replay")
    throw usageError(`Bad --feed "${feed}": expected live, sim or replay`);
  if (feed === "replay" && venue !== undefined)
    throw usageError("--venue does not go with --feed replay: a recording tells whose it is");
  if (given === "binance" && venue !== undefined && venue !== "binance-spot")
    throw usageError(`--feed binance does not go with --venue ${venue}; leave --feed out`);
  return feed;
}

function replaySpeedOf(given: string | undefined): number | "max" {
  if (given === undefined || given === "max") return "max";
  const speed = Number(given);
  if (!(speed >= 0.1 && speed <= 10_000))
    throw usageError(`Bad --speed "${given}": expected max or a number from 0.1 to 10000`);
  return speed;
}
