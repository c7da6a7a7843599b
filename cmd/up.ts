import type { FabricCommand } from "../src/role/cli/command.ts";
import { EXPOSURE_FLAGS, exposureOf } from "../src/role/cli/exposure-flags.ts";
import { DATA_FLAG, durationOf, portOf, SYMBOLS_FLAG, speedOf, symbolsOf, VENUE_FLAG } from "../src/role/cli/flags.ts";
import { list, text, whole } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "up",
    description: "Simulated exchange, market-data, runner, scanner and bridge as child processes; restarts what dies.",
  },
  examples: [
    "fabric up",
    "fabric up --venue kraken --symbols BTC/USD --data ./kraken",
    "fabric up --port 9000 --symbols BTCUSDT,ETHUSDT --for 5m",
    "fabric up --strategy ./my-strategy.ts --data ./lab",
    "fabric up --host 0.0.0.0 --token-file bridge.token",
  ],
  args: {
    data: DATA_FLAG,
    host: {
      type: "string",
      valueHint: "HOST",
      default: "127.0.0.1",
      description: "address the dashboard listens on; one that other machines reach needs --token-file, or --insecure",
    },
    ...EXPOSURE_FLAGS,
    port: { type: "string", valueHint: "PORT", default: "8080", description: "port of the dashboard" },
    venue: VENUE_FLAG,
    symbols: SYMBOLS_FLAG,
    speed: { type: "string", valueHint: "N", description: "market ms per real ms (60 in a new folder)" },
    seed: { type: "string", valueHint: "N", description: "which simulated market (1 in a new folder)" },
    strategy: {
      type: "string",
      valueHint: "NAME|FILE.ts",
      description: "strategy to run (sma-cross); may be given several times",
    },
    for: { type: "string", valueHint: "TIME", description: "end by itself after 30s, 5m, 1h …" },
  },
  repeatable: ["strategy", "allow-host"],
  async run(values) {
    const options = {
      data: text(values, "data"),
      ...exposureOf(values, EXPOSURE_FLAGS),
      port: portOf(values) ?? 8080,
      venue: text(values, "venue"),
      symbols: symbolsOf(values),
      speed: speedOf(values),
      seed: whole(values, "seed", 0, 2 ** 32 - 1),
      strategies: list(values, "strategy").length > 0 ? list(values, "strategy") : ["sma-cross"],
      forMs: durationOf(values, "for") ?? null,
    };
    const { runUp } = await import("../src/role/up/up.ts");
    return runUp(options);
  },
};

export default command;
