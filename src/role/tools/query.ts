import { platform } from "#platform";
import { declareRole } from "../../store/guard.ts";
import { runUserQuery } from "../../store/query.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { printCsv, printJson, printTable } from "./print.ts";

export interface QueryOptions {
  readonly sql: string;
  readonly format: "table" | "json" | "csv";
  readonly data: string | undefined;
}

/** Runs a user's SQL over the published segments, in this process that ends right after. */
export async function runQuery(options: QueryOptions): Promise<number> {
  declareRole("command");
  const answer = await runUserQuery({ folder: dataFolder(options.data).path, sql: options.sql }, platform);
  const names = distinct(answer.columns.map((column) => column.name));
  const rows = answer.rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at]])));
  if (options.format === "json") printJson(rows);
  else if (options.format === "csv") printCsv(rows, names);
  else printTable(rows, names);
  if (answer.truncated)
    process.stderr.write(`fabric: only the first ${rows.length} rows are shown; narrow the query\n`);
  return 0;
}

/** `select 1 a, 2 a` gives a and a_1: an object has one value a name. */
function distinct(names: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 1; seen.has(unique); count++) unique = `${name}_${count}`;
    seen.add(unique);
    return unique;
  });
}
