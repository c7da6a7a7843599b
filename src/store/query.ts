import type { Files, Timers } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { type Answer, type Connection, Database, driverMessage, isMissingFile, literal } from "./duckdb.ts";
import { type JsonValue, toJsonValue } from "./json-value.ts";
import { type StoreLayout, storeLayout } from "./layout.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { createViews } from "./published-views.ts";
import { checkUserSql } from "./sql-guard.ts";

export interface UserQuery {
  readonly folder: string;
  /** One SELECT over the views candle, candle_all and feed_gap. */
  readonly sql: string;
  /** At most this many rows are read (default a million: the result is held in memory). */
  readonly maxRows?: number;
}

export interface UserAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Ready for JSON.stringify, in the order of the columns. */
  readonly rows: readonly (readonly JsonValue[])[];
  /** There were more rows than `maxRows`. */
  readonly truncated: boolean;
}

export interface UserQueryDeps {
  readonly files: Files;
  readonly timers: Timers;
}

const MAX_ROWS = 1_000_000;
const SETTINGS = {
  threads: "2",
  memory_limit: "1GB",
  autoinstall_known_extensions: "false",
  autoload_known_extensions: "false",
};
/** Published files that are gone or damaged are rebuilt by a running market-data within a second or two. */
const MAX_ATTEMPTS = 15;
const RETRY_MS = 100;
/** DuckDB's kinds of error for a Parquet file that is not whole. Some of them come of a user's SQL, too. */
const MAYBE_DAMAGE = /^(Invalid|IO|Not implemented|INTERNAL|Serialization)/;

/**
 * Runs a user's SQL over what is published, in a throw-away in-memory DuckDB that can read the listed segments and nothing else:
 * its file access is switched off and its configuration locked before the SQL is bound, after DuckDB's own parser has shown
 * that it only reads. Published files that are damaged are waited for, two seconds. Rejects with FabricError "refused", "bad-data"
 * (wrong SQL), "missing-input" (no store), "config", "unavailable". Contents are not hashed beforehand as they are for strategies:
 * a query may touch everything that is stored.
 */
export async function runUserQuery(query: UserQuery, deps: UserQueryDeps): Promise<UserAnswer> {
  const layout = storeLayout(query.folder);
  for (let attempt = 1; ; attempt++) {
    try {
      return await runOnce(query, layout, deps.files);
    } catch (error) {
      const passes = error instanceof FabricError && error.code === "unavailable";
      if (!passes || attempt === MAX_ATTEMPTS) throw error;
    }
    await new Promise<void>((resolve) => deps.timers.after(RETRY_MS, resolve));
  }
}

async function runOnce(query: UserQuery, layout: StoreLayout, files: Files): Promise<UserAnswer> {
  const database = await Database.memory(SETTINGS);
  try {
    const connection = await database.connect();
    await checkUserSql(query.sql, connection);
    const manifest = manifestOf(query, layout, files);
    await prepareViews(connection, manifest, layout).catch((error: unknown) => {
      throw notWhole(driverMessage(error), error);
    });
    try {
      return toUserAnswer(await connection.select(query.sql, query.maxRows ?? MAX_ROWS, true));
    } catch (error) {
      throw queryFailure(error, manifest, layout, files);
    }
  } finally {
    database.close();
  }
}

function manifestOf(query: UserQuery, layout: StoreLayout, files: Files): Manifest {
  let manifest: Manifest | null;
  try {
    manifest = readManifest(layout.manifest, files);
  } catch (error) {
    if (error instanceof FabricError && error.code === "config") throw error;
    throw new FabricError("unavailable", messageOf(error), { cause: error });
  }
  if (manifest !== null) return manifest;
  throw files.stat(layout.market) ? notWhole("there is no manifest", null) : noStore(query.folder);
}

async function prepareViews(connection: Connection, manifest: Manifest, layout: StoreLayout): Promise<void> {
  const files = manifest.segments.map((segment) => literal(`${layout.segments}/${segment.file}`));
  await createViews(connection, manifest, layout);
  await connection.run(`SET allowed_paths = [${files.join(", ")}]`);
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
}

function toUserAnswer(answer: Answer): UserAnswer {
  const { types } = answer;
  return {
    columns: answer.names.map((name, index) => ({ name, type: String(types[index]) })),
    rows: answer.rows.map((row) =>
      row.map((cell, index) => toJsonValue(cell, types[index] ?? { typeId: 0, toString: () => "" })),
    ),
    truncated: answer.truncated,
  };
}

function queryFailure(error: unknown, manifest: Manifest, layout: StoreLayout, files: Files): FabricError {
  if (error instanceof FabricError) return error;
  const text = driverMessage(error);
  const cause = { cause: error };
  if (/Permission Error|configuration has been locked/.test(text))
    return new FabricError("refused", `Refused to run this SQL: ${text}`, cause);
  // User SQL cannot name a segment, so a message that does is about the store.
  const isOurs = isMissingFile(error) || text.includes(layout.segments);
  if (isOurs || (MAYBE_DAMAGE.test(text) && isDamaged(manifest, layout, files))) return notWhole(text, error);
  return new FabricError("bad-data", `Wrong SQL: ${text}`, cause);
}

/** Whether a listed file is not what was published. Reads all of them: asked only where an answer failed. */
function isDamaged(manifest: Manifest, layout: StoreLayout, files: Files): boolean {
  return manifest.segments.some(({ file, bytes, sha256 }) => {
    const path = `${layout.segments}/${file}`;
    return files.stat(path)?.sizeBytes !== bytes || files.sha256(path) !== sha256;
  });
}

function notWhole(told: string, cause: unknown): FabricError {
  return new FabricError(
    "unavailable",
    `Cannot run this SQL: a published file is missing or damaged; start the market-data node, which rebuilds it (${told})`,
    { cause },
  );
}

function noStore(folder: string): FabricError {
  return new FabricError(
    "missing-input",
    `Cannot run this SQL: there is no market store in ${folder}; start its market-data node, or name another data folder`,
  );
}
