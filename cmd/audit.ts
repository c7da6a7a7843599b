import type { FabricCommand } from "../src/role/cli/command.ts";
import {
  DATA_FLAG,
  JSON_FLAG,
  minuteRangeOf,
  RANGE_FLAGS,
  SYMBOLS_FLAG,
  symbolsOf,
  usageError,
} from "../src/role/cli/flags.ts";
import { list, text } from "../src/role/cli/parse.ts";

const VENUE = "venue";

const command: FabricCommand = {
  meta: {
    name: "audit",
    description:
      "Holds the stored candles against official klines, figure by figure: each minute is equal, explained (why) or wrong. 0: nothing is wrong, 65: something is.",
  },
  examples: [
    "fabric audit --symbol BTCUSDT --against BTCUSDT-1m-2024-08-09.csv.gz",
    "fabric audit --against venue --from 2025-01-01 --to 2025-01-01T23:59Z --json",
  ],
  args: {
    against: {
      type: "string",
      valueHint: "FILE|venue",
      required: true,
      description:
        "files of klines as data import takes them (may be given several times), or the venue's REST interface",
    },
    symbol: { ...SYMBOLS_FLAG, description: "symbols, comma-separated; every stored one" },
    ...RANGE_FLAGS,
    url: {
      type: "string",
      valueHint: "WS_URL",
      description: "with venue: its WebSocket address, as market-data has it",
    },
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  repeatable: ["against"],
  async run(values) {
    const given = list(values, "against");
    if (given.length === 0) throw usageError("Missing --against: expected files of klines, or venue");
    if (given.includes(VENUE) && given.length > 1) throw usageError("Take --against venue or files, not both");
    const against = given.includes(VENUE) ? VENUE : { files: given };
    const url = text(values, "url");
    if (url !== undefined && against !== VENUE) throw usageError("--url goes with --against venue");
    const { json, data } = { json: values.json === true, data: text(values, "data") };
    const options = {
      symbols: symbolsOf(values, "symbol"),
      ...minuteRangeOf(values),
      against,
      url,
      json,
      data,
    } as const;
    const { runAudit } = await import("../src/role/audit/audit.ts");
    return runAudit(options);
  },
};

export default command;
