import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, endpointsOf, NAME_FLAG } from "../src/role/cli/flags.ts";
import { list, text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "scanner",
    description: "Ranks every symbol by rules and publishes the result; it has no way to trade.",
  },
  examples: ["fabric scanner", "fabric scanner --rule momentum-rank --rule ./my-rule.ts"],
  args: {
    rule: {
      type: "string",
      valueHint: "NAME|FILE.ts",
      description: "momentum-rank, volume-spike, range-breakout (all three), or your file; may be given several times",
    },
    name: NAME_FLAG,
    data: DATA_FLAG,
    market: {
      type: "string",
      valueHint: "ENDPOINT",
      description: "where market-data publishes (found in the data folder); may be given several times",
    },
  },
  repeatable: ["rule", "market"],
  async run(values) {
    const options = {
      rules: list(values, "rule"),
      name: text(values, "name"),
      data: text(values, "data"),
      market: endpointsOf(values, "market"),
    };
    const { runScanner } = await import("../src/role/scanner/scanner.ts");
    return runScanner(options);
  },
};

export default command;
