import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: { name: "orders", description: "Every order in the journals of a data folder, also while its runners live." },
  examples: ["fabric orders", "fabric orders --runner sma-cross --json"],
  args: {
    runner: { type: "string", valueHint: "NAME", description: "only this runner's" },
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  async run(values) {
    const { runOrders } = await import("../src/role/tools/orders.ts");
    return runOrders({ runner: text(values, "runner"), json: values.json === true, data: text(values, "data") });
  },
};

export default command;
