import type { FabricCommand } from "../src/role/cli/command.ts";
import {
  JSON_FLAG,
  minuteFlagOf,
  portOf,
  SYMBOLS_FLAG,
  speedOf,
  symbolsOf,
  usageError,
} from "../src/role/cli/flags.ts";
import { text, whole } from "../src/role/cli/parse.ts";

const VENUE_FLAGS = ["venue-faults", "venue-keys", "venue-balances"];

const command: FabricCommand = {
  meta: {
    name: "sim",
    description:
      "A simulated exchange that speaks a venue's protocol; its market is a function of seed, pair and time.",
  },
  examples: [
    "fabric sim --port 29000 --symbols BTCUSDT,ETHUSDT --speed 60",
    "fabric sim --port 29000 --venue kraken --symbols BTC/USD,ETH/USD --bad-day drop=0.001,cut=0.05,freeze=0.1:30",
    "fabric sim --port 29000 --file recording.gz --symbols BTCUSDT",
    "fabric sim --port 29000 --data ./data --venue-faults ack-lost=0.1,http-503=0.1,busy=0.05",
    "fabric sim --truth --minutes 60 --symbols BTCUSDT --json",
  ],
  args: {
    port: {
      type: "string",
      valueHint: "PORT",
      default: "0",
      description: "port to listen on; 0 takes a free one and says which",
    },
    venue: {
      type: "string",
      valueHint: "VENUE",
      description:
        "whose protocol and naming: binance-spot (as here unless given), binance-usdm, coinbase, kraken, bybit, okx",
    },
    symbols: SYMBOLS_FLAG,
    seed: { type: "string", valueHint: "N", description: "which market (1)" },
    speed: { type: "string", valueHint: "N", description: "market ms per real ms (1)" },
    start: { type: "string", valueHint: "TIME", description: "when the market begins (2025-01-01T00:00Z)" },
    file: { type: "string", valueHint: "RECORDING", description: "play this recording's frames instead" },
    data: {
      type: "string",
      valueHint: "DIR",
      description: "keep clock and account here, so that a restart resumes (without it nothing is kept)",
    },
    "bad-day": {
      type: "string",
      valueHint: "NAME=VALUE,…",
      description: "bad days on the market-data side, seeded: drop=0.01,freeze=0.1:30,clock=-3 …; help lists them",
    },
    "venue-faults": {
      type: "string",
      valueHint: "NAME=CHANCE,…",
      description: "bad days on the trading side, seeded: ack-lost=0.1,http-503=0.05,skew-ms=2000 …; help lists them",
    },
    "venue-keys": {
      type: "string",
      valueHint: "FILE",
      description: "API key and secret of the simulated account, a line each (a fixed pair unless given)",
    },
    "venue-balances": {
      type: "string",
      valueHint: "ASSET=AMOUNT,…",
      description: "what the account begins with (a million of each quote asset)",
    },
    truth: { type: "boolean", description: "print the market's candles from its start and end" },
    minutes: { type: "string", valueHint: "N", description: "with --truth: how many (60)" },
    json: JSON_FLAG,
  },
  async run(values) {
    const { simVenueOf } = await import("../src/role/sim/sim-venue.ts");
    const venue = simVenueOf(text(values, "venue"));
    const market = {
      symbols: symbolsOf(values) ?? venue.symbols,
      seed: whole(values, "seed", 0, 2 ** 32 - 1) ?? 1,
      startMs: minuteFlagOf(values, "start", "2025-01-01T00:00Z"),
    };
    if (values.truth === true) {
      if (values.file !== undefined) throw usageError("--file does not go with --truth: a recording has no seed");
      for (const name of [...VENUE_FLAGS, "bad-day"])
        if (values[name] !== undefined) throw usageError(`--${name} does not go with --truth`);
      const { printTruth } = await import("../src/role/sim/truth.ts");
      return printTruth({
        ...market,
        minutes: whole(values, "minutes", 1, 1_000_000) ?? 60,
        json: values.json === true,
        tradeIds: venue.id !== "bybit",
      });
    }
    for (const name of ["minutes", "json"])
      if (values[name] !== undefined) throw usageError(`--${name} goes with --truth`);
    if (values["venue-faults"] === "help") {
      const { printFaults } = await import("../src/role/sim/fault-help.ts");
      return printFaults();
    }
    if (values["bad-day"] === "help") {
      const { printBadDay } = await import("../src/role/sim/fault-help.ts");
      return printBadDay();
    }
    if (venue.id !== "binance-spot")
      for (const name of [...VENUE_FLAGS, "file"])
        if (values[name] !== undefined)
          throw usageError(`--${name} goes with binance-spot, not with --venue ${venue.id}`);
    const options = {
      ...market,
      venue: venue.id,
      badDay: text(values, "bad-day"),
      port: portOf(values) ?? 0,
      speed: speedOf(values) ?? 1,
      file: text(values, "file"),
      data: text(values, "data"),
      venueFaults: text(values, "venue-faults"),
      venueKeys: text(values, "venue-keys"),
      venueBalances: text(values, "venue-balances"),
    };
    const { runSim } = await import("../src/role/sim/sim.ts");
    return runSim(options);
  },
};

export default command;
