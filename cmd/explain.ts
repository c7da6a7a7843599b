import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "explain",
    description: "How an order came about: candle, decision, intent, order, fills, with their times.",
  },
  examples: ["fabric explain f83b372bc6bafdc974a34db0467b8d46", "fabric explain f83b --json"],
  args: {
    order: {
      type: "positional",
      required: true,
      description: "an order's id, or as much of its beginning as is its alone",
    },
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  async run(values) {
    const { runExplain } = await import("../src/role/tools/explain.ts");
    return runExplain({ id: text(values, "order") ?? "", json: values.json === true, data: text(values, "data") });
  },
};

export default command;
