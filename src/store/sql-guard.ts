import { FabricError } from "../core/errors.ts";
import type { Connection } from "./duckdb.ts";

/** Longest SQL text taken from a user. */
const MAX_SQL_CHARS = 100_000;

/**
 * The table functions user SQL may call. A list of what is allowed, because what is not is long and grows with DuckDB: readers of
 * files, `query('…')` and `json_execute_serialized_sql` (SQL inside a text), `enable_logging` and `enable_profiling` (write files
 * whatever the configuration's lock says), `arrow_scan` (takes a raw pointer).
 */
const TABLE_FUNCTIONS: ReadonlySet<string> = new Set([
  "range",
  "generate_series",
  "unnest",
  "repeat",
  "repeat_row",
  "json_each",
  "json_tree",
  "histogram",
  "histogram_values",
  "duckdb_columns",
  "duckdb_functions",
  "duckdb_keywords",
  "duckdb_tables",
  "duckdb_types",
  "duckdb_views",
  "pragma_table_info",
  "pragma_version",
]);

const EXPLAIN = /^\s*explain\s+(?:analyze\s+)?(?=\S)/i;

interface Parsed {
  readonly error?: boolean;
  readonly error_type?: string;
  readonly error_message?: string;
  readonly statements?: readonly unknown[];
}

/**
 * Looks at user SQL before it is bound, let alone run, through DuckDB's own parser: one statement that only reads (SELECT, WITH,
 * VALUES, FROM, DESCRIBE, SHOW, SUMMARIZE, or EXPLAIN of one), calling no table function but the listed ones. Throws FabricError
 * "bad-data" on SQL that does not parse, "refused" on all else.
 */
export async function checkUserSql(sql: string, connection: Connection): Promise<void> {
  if (sql.length > MAX_SQL_CHARS)
    throw new FabricError("bad-data", `Cannot run this SQL: at most ${MAX_SQL_CHARS} characters, found ${sql.length}`);
  if (sql.includes("\0")) throw new FabricError("bad-data", "Cannot run this SQL: it holds a NUL character");
  const parsed = treeIn(await connection.parse(sql.replace(EXPLAIN, "")));
  if (parsed.error) {
    if (parsed.error_type === "parser")
      throw new FabricError("bad-data", `Wrong SQL: ${oneLine(parsed.error_message)}`);
    throw refusal("only a single SELECT, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN of one may run here");
  }
  const statements = parsed.statements ?? [];
  if (statements.length === 0) throw new FabricError("bad-data", "Wrong SQL: it holds no statement");
  if (statements.length > 1) throw refusal(`one statement may run at a time, found ${statements.length}`);
  for (const name of tableFunctions(statements))
    if (!TABLE_FUNCTIONS.has(name)) throw refusal(`the table function ${name} may not be called here`);
}

/** Names of all table functions in a parsed statement. Walks with a list of its own: the tree may be deep. */
function* tableFunctions(statements: readonly unknown[]): Generator<string> {
  const open: unknown[] = [...statements];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== "object" || node === null) continue;
    const { type, function: call } = node as { type?: unknown; function?: { function_name?: unknown } };
    if (type === "TABLE_FUNCTION") yield String(call?.function_name).toLowerCase();
    for (const child of Object.values(node)) if (typeof child === "object" && child !== null) open.push(child);
  }
}

/** DuckDB writes a number beyond DOUBLE's range into its tree as no JSON has it. */
function treeIn(json: string): Parsed {
  try {
    return JSON.parse(json) as Parsed;
  } catch {
    throw new FabricError("bad-data", "Wrong SQL: it holds a number that is larger than a DOUBLE can be");
  }
}

/** The parser quotes the SQL as it stands, line breaks and all. */
function oneLine(message: string | undefined): string {
  return (message ?? "it cannot be parsed").replace(/\s*[\n\r\u2028\u2029]\s*/g, " ");
}

function refusal(why: string): FabricError {
  return new FabricError("refused", `Refused to run this SQL: ${why}`);
}
