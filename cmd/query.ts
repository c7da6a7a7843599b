import type { FabricCommand } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG, usageError } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

const command: FabricCommand = {
  meta: {
    name: "query",
    description: "Read-only SQL on the published store: candle, candle_all and feed_gap. Works beside a live writer.",
  },
  examples: [
    'fabric query "select * from candle order by open_time desc limit 5"',
    'fabric query "select symbol, count(*) n from candle group by 1" --json',
  ],
  args: {
    sql: { type: "positional", required: true, description: "one SELECT" },
    json: JSON_FLAG,
    csv: { type: "boolean", description: "comma-separated, with a header" },
    data: DATA_FLAG,
  },
  async run(values) {
    if (values.json === true && values.csv === true) throw usageError("Take --json or --csv, not both");
    const format = values.json === true ? "json" : values.csv === true ? "csv" : "table";
    const { runQuery } = await import("../src/role/tools/query.ts");
    return runQuery({ sql: text(values, "sql") ?? "", format, data: text(values, "data") });
  },
};

export default command;
