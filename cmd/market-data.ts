import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, endpointsOf, SYMBOLS_FLAG, symbolsOf, usageError } from "../src/role/cli/flags.ts";
import { list, text, whole } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "market-data",
    description: "Trades from a venue or a recording become candles: committed, published, sealed.",
  },
  examples: [
    "fabric market-data --feed binance --symbols BTCUSDT,ETHUSDT",
    "fabric market-data --feed binance --url ws://127.0.0.1:29000 --symbols BTCUSDT",
    "fabric market-data --feed replay --file trades.gz --speed max --symbols BTCUSDT",
  ],
  args: {
    feed: {
      type: "string",
      valueHint: "binance|sim|replay",
      required: true,
      description: "binance, sim (the data folder's own exchange) or replay (files)",
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
    const feed = text(values, "feed");
    if (feed !== "binance" && feed !== "sim" && feed !== "replay") {
      throw usageError(`Bad --feed "${feed}": expected binance, sim or replay`);
    }
    const options = {
      feed,
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

function replaySpeedOf(given: string | undefined): number | "max" {
  if (given === undefined || given === "max") return "max";
  const speed = Number(given);
  if (!(speed >= 0.1 && speed <= 10_000))
    throw usageError(`Bad --speed "${given}": expected max or a number from 0.1 to 10000`);
  return speed;
}
