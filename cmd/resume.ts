import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG, NEW_RUNNER_FLAG, runnerOrAll } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: { name: "resume", description: "Takes fabric halt back: the runner's next decisions are sent again." },
  examples: ["fabric resume sma-cross", "fabric resume --all"],
  args: {
    runner: { type: "positional", required: false, description: "the runner's name" },
    all: { type: "boolean", description: "takes fabric halt --all back" },
    new: NEW_RUNNER_FLAG,
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  async run(values) {
    const runner = runnerOrAll(values);
    const { runResume } = await import("../src/role/tools/halt.ts");
    return runResume({
      runner,
      isNew: values.new === true,
      json: values.json === true,
      data: text(values, "data"),
    });
  },
};

export default command;
