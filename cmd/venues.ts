import type { FabricCommand } from "../src/role/cli/command.ts";
import { JSON_FLAG } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "venues",
    description: "The exchanges whose protocol is known, their rules, and the document that each rule is from.",
  },
  examples: [
    "fabric venues",
    "fabric venues --venue kraken",
    "fabric venues --symbols BTC/USDT,ETH/USD",
    "fabric venues --json",
  ],
  args: {
    venue: { type: "string", valueHint: "ID", description: "the rules of this one" },
    symbols: {
      type: "string",
      valueHint: "BASE/QUOTE,…",
      description: "asset pairs: what each venue calls them, and how their trades and klines are asked for",
    },
    json: JSON_FLAG,
  },
  async run(values) {
    const { runVenues } = await import("../src/role/tools/venues.ts");
    return runVenues({
      venue: text(values, "venue"),
      symbols: text(values, "symbols"),
      json: values.json === true,
    });
  },
};

export default command;
