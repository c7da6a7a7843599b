import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "positions",
    description:
      "What every runner of a data folder holds by its journal, at the store's newest close; also while they live.",
  },
  examples: ["fabric positions", "fabric positions --runner sma-cross --json"],
  args: {
    runner: { type: "string", valueHint: "NAME", description: "only this runner's" },
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  async run(values) {
    const { runPositions } = await import("../src/role/tools/positions.ts");
    return runPositions({ runner: text(values, "runner"), json: values.json === true, data: text(values, "data") });
  },
};

export default command;
