import type { FabricCommand, Values } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG, minuteRangeOf, RANGE_FLAGS, symbolOf, usageError } from "../src/role/cli/flags.ts";
import { list, text } from "../src/role/cli/parse.ts";

/** One of the command's words: the flags it takes beside --data, and its call. */
interface Word {
  readonly flags: readonly string[];
  run(values: Values): Promise<number>;
}

const WORDS: Readonly<Record<string, Word>> = {
  verify: {
    flags: ["json"],
    async run(values) {
      const { runVerify } = await import("../src/role/data/verify.ts");
      return runVerify({ json: values.json === true, data: text(values, "data") });
    },
  },
  gaps: {
    flags: ["json", "symbol"],
    async run(values) {
      const options = { symbol: symbolOf(values), json: values.json === true, data: text(values, "data") };
      const { runGaps } = await import("../src/role/data/gaps.ts");
      return runGaps(options);
    },
  },
  import: {
    flags: ["json", "symbol", "files", "venue"],
    async run(values) {
      const files = list(values, "files");
      if (files.length === 0) throw usageError("Missing FILES: expected one or more files to bring in");
      const [symbol, venue] = [neededSymbol(values), venueOf(values)];
      const { runImport } = await import("../src/role/data/import.ts");
      return runImport({ files, symbol, venue, json: values.json === true, data: text(values, "data") });
    },
  },
  export: {
    flags: ["json", "symbol", ...Object.keys(RANGE_FLAGS), "output", "force"],
    async run(values) {
      const [symbol, output] = [neededSymbol(values), text(values, "output")];
      if (output === undefined)
        throw usageError("Missing --output: expected a file ending in .csv, .csv.gz or .parquet");
      const flags = {
        ...minuteRangeOf(values),
        force: values.force === true,
        json: values.json === true,
        data: text(values, "data"),
      };
      const { runExport } = await import("../src/role/data/export.ts");
      return runExport({ symbol, output, ...flags });
    },
  },
};

const command: FabricCommand = {
  meta: {
    name: "data",
    description:
      "Looks after a data folder. verify: reads the whole store, and every segment against it (0: sound, 65: at fault, 69: a node runs). gaps: the minutes a symbol lacks between its first and its last. import: brings files of 1-minute candles in as history (CSV, also gzip, or Parquet; columns by name; 69: a node runs). export: a symbol's candles, as last corrected, into one file.",
  },
  examples: [
    "fabric data verify --data /srv/fabric --json",
    "fabric data gaps --symbol BTCUSDT",
    "fabric data import BTCUSDT-1m-2024-*.csv.gz --symbol BTCUSDT --data ./d",
    "fabric data export --symbol BTCUSDT --from 2024-01-01 --to 2024-01-31T23:59Z -o january.csv.gz",
  ],
  args: {
    what: { type: "positional", required: true, description: Object.keys(WORDS).join(", ") },
    files: { type: "positional", required: false, description: "import: the files to bring in" },
    symbol: { type: "string", valueHint: "SYMBOL", description: "the symbol it is about" },
    venue: {
      type: "string",
      valueHint: "VENUE",
      description: "import: the venue of a store that is yet to be made (binance-spot)",
    },
    ...RANGE_FLAGS,
    output: { type: "string", alias: "o", valueHint: "FILE", description: "export: .csv, .csv.gz or .parquet" },
    force: { type: "boolean", description: "export: replaces the file where it is there" },
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  repeatable: ["files"],
  async run(values) {
    const what = text(values, "what") ?? "";
    const word = Object.hasOwn(WORDS, what) ? WORDS[what] : undefined;
    if (!word) throw usageError(`Unknown word "${what}": expected fabric data ${Object.keys(WORDS).join(", ")}`);
    checkFlags(what, word, values);
    return word.run(values);
  },
};

export default command;

/** Throws "usage" for what does not go with the word. */
function checkFlags(what: string, word: Word, values: Values): void {
  for (const [name, value] of Object.entries(values)) {
    const isGiven = value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
    if (!isGiven || name === "what" || name === "data" || word.flags.includes(name)) continue;
    if (name === "files") throw usageError(`Unexpected word "${list(values, name)[0]}" after fabric data ${what}`);
    throw usageError(`--${name} does not go with fabric data ${what}`);
  }
}

function neededSymbol(values: Values): string {
  const symbol = symbolOf(values);
  if (symbol === undefined) throw usageError("Missing --symbol: expected the symbol of the candles");
  return symbol;
}

function venueOf(values: Values): string | undefined {
  const venue = text(values, "venue");
  if (venue === undefined || /^[a-z0-9][a-z0-9-]{0,39}$/.test(venue)) return venue;
  throw usageError(`Bad --venue "${venue}": expected lower-case letters, digits and dashes such as binance-spot`);
}
