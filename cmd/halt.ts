import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG, NEW_RUNNER_FLAG, runnerOrAll } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "halt",
    description:
      "The kill switch: from now on a runner sends no order, also after a restart, until fabric resume. Its candles go on.",
  },
  examples: ["fabric halt sma-cross --reason 'odd fills'", "fabric halt --all", "fabric resume sma-cross"],
  args: {
    runner: { type: "positional", required: false, description: "the runner's name" },
    all: { type: "boolean", description: "every runner of the data folder, also those to come" },
    reason: { type: "string", valueHint: "TEXT", description: "shown wherever the halt shows" },
    new: NEW_RUNNER_FLAG,
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  async run(values) {
    const runner = runnerOrAll(values);
    const { runHalt } = await import("../src/role/tools/halt.ts");
    return runHalt({
      runner,
      reason: text(values, "reason"),
      isNew: values.new === true,
      json: values.json === true,
      data: text(values, "data"),
    });
  },
};

export default command;
