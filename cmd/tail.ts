import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, endpointsOf } from "../src/role/cli/flags.ts";
import { text, whole } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: { name: "tail", description: "Prints messages of every node of the data folder as they arrive, a line each." },
  examples: [
    "fabric tail",
    "fabric tail market.candle.1m.BTCUSDT -c 5 --json",
    "fabric tail telemetry. --endpoint tcp://10.0.0.5:7001",
  ],
  args: {
    prefix: { type: "positional", required: false, description: "only topics that begin so" },
    count: { type: "string", alias: "c", valueHint: "N", description: "end after N messages" },
    json: { type: "boolean", description: "one JSON object a line" },
    data: DATA_FLAG,
    endpoint: {
      type: "string",
      valueHint: "ENDPOINT",
      description: "a node's endpoint elsewhere; may be given several times",
    },
  },
  repeatable: ["endpoint"],
  async run(values) {
    const options = {
      prefix: text(values, "prefix") ?? "",
      count: whole(values, "count", 1, Number.MAX_SAFE_INTEGER) ?? null,
      json: values.json === true,
      data: text(values, "data"),
      endpoints: endpointsOf(values, "endpoint"),
    };
    const { runTail } = await import("../src/role/tools/tail.ts");
    return runTail(options);
  },
};

export default command;
