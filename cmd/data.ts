import type { FabricCommand, Values } from "../src/role/cli/command.ts";
import { DATA_FLAG, JSON_FLAG, symbolOf, usageError } from "../src/role/cli/flags.ts";
import { text } from "../src/role/cli/parse.ts";

/** What each word takes beside --data. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  verify: ["json"],
  gaps: ["json", "symbol"],
};

const command: FabricCommand = {
  meta: {
    name: "data",
    description:
      "Looks after a data folder. verify: reads the whole store, and every segment against it (0: sound, 65: at fault, 69: a node runs). gaps: the minutes a symbol lacks between its first and its last.",
  },
  examples: ["fabric data verify --data /srv/fabric --json", "fabric data gaps --symbol BTCUSDT"],
  args: {
    what: { type: "positional", required: true, description: Object.keys(WORDS).join(", ") },
    symbol: { type: "string", valueHint: "SYMBOL", description: "the symbol it is about" },
    json: JSON_FLAG,
    data: DATA_FLAG,
  },
  async run(values) {
    const what = text(values, "what") ?? "";
    checkWords(what, values);
    const data = text(values, "data");
    const json = values.json === true;
    switch (what) {
      case "gaps": {
        const { runGaps } = await import("../src/role/data/gaps.ts");
        return runGaps({ symbol: symbolOf(values), json, data });
      }
      default: {
        const { runVerify } = await import("../src/role/data/verify.ts");
        return runVerify({ json, data });
      }
    }
  },
};

export default command;

/** Throws "usage" for a word that is none, and for flags that do not go with it. */
function checkWords(what: string, values: Values): void {
  const flags = Object.hasOwn(WORDS, what) ? WORDS[what] : undefined;
  if (!flags) throw usageError(`Unknown word "${what}": expected fabric data ${Object.keys(WORDS).join(", ")}`);
  for (const [name, value] of Object.entries(values)) {
    const isGiven = value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
    if (!isGiven || name === "what" || name === "data" || flags.includes(name)) continue;
    throw usageError(`--${name} does not go with fabric data ${what}`);
  }
}
