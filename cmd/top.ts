import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG, usageError } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "top",
    description: "The nodes of a data folder and the rails of its consumers, live; q or Ctrl-C ends it.",
  },
  examples: ["fabric top", "fabric top --once", "fabric top --once --json"],
  args: {
    once: { type: "boolean", description: "print one snapshot after a moment of listening" },
    json: { type: "boolean", description: `${JSON_FLAG.description ?? ""}: the node rows; goes with --once` },
    data: DATA_FLAG,
  },
  async run(values) {
    const options = { data: text(values, "data"), once: values.once === true, json: values.json === true };
    if (options.json && !options.once) throw usageError("--json goes with --once");
    const { runTop } = await import("../src/role/top/top.ts");
    return runTop(options);
  },
};

export default command;
