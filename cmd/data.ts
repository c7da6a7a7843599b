import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG, usageError } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "data",
    description:
      "Looks after a data folder. verify: reads the whole store, and every segment against it. 0: sound, 65: at fault, 69: a node runs.",
  },
  examples: ["fabric data verify", "fabric data verify --data /srv/fabric --json"],
  args: {
    what: { type: "positional", required: true, description: "verify" },
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  async run(values) {
    const what = text(values, "what");
    if (what !== "verify") throw usageError(`Unknown word "${what}": expected fabric data verify`);
    const { runVerify } = await import("../src/role/data/verify.ts");
    return runVerify({ json: values.json === true, data: text(values, "data") });
  },
};

export default command;
