import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: { name: "status", description: "The nodes of a data folder that are alive now, and where they publish." },
  examples: ["fabric status", "fabric status --json"],
  args: { json: JSON_FLAG, data: DATA_FLAG },
  async run(values) {
    const { runStatus } = await import("../src/role/tools/status.ts");
    return runStatus({ json: values.json === true, data: text(values, "data") });
  },
};

export default command;
