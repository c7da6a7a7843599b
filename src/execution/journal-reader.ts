import type { ExecutionMode } from "../core/decision.ts";
import type { Files, OpenSqlite, SqlDatabase } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { BUSY_TIMEOUT_MS, journalVersion } from "./journal-schema.ts";

export interface ReaderDeps {
  readonly openSqlite: OpenSqlite;
  readonly files: Files;
}

/** A journal open for reading, beside its living runner. */
export interface OpenJournal {
  readonly database: SqlDatabase;
  readonly runner: string;
  readonly mode: ExecutionMode;
  /** What the journal is bound to and how far it is, by key. */
  readonly meta: ReadonlyMap<string, string>;
}

/**
 * What `read` finds in every journal under a data folder; empty where there are none. Opens them read-only, of this version or
 * an older one. Throws FabricError "config" for a newer version or another kind of file, "io" where one cannot be read.
 */
export function readJournals<T>(
  deps: ReaderDeps,
  dataFolder: string,
  read: (journal: OpenJournal) => readonly T[],
): readonly T[] {
  const folder = `${dataFolder}/journal`;
  const names = deps.files.list(folder).filter((name) => name.endsWith(".sqlite"));
  return names.flatMap((name) => readJournal(deps.openSqlite, `${folder}/${name}`, read) ?? []);
}

/** The same for one journal; null where it was never set up, "missing-input" where the file does not exist. */
export function readJournal<T>(openSqlite: OpenSqlite, path: string, read: (journal: OpenJournal) => T): T | null {
  const database = openSqlite(path, { readOnly: true });
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (journalVersion(database, path) === null) return null;
    const rows = database.prepare("SELECT key, value FROM meta").all();
    const meta = new Map(rows.map(({ key, value }) => [String(key), String(value)]));
    const mode = meta.get("mode") === "live" ? "live" : "paper";
    return read({ database, runner: meta.get("runner") ?? "", mode, meta });
  } catch (error) {
    if (error instanceof FabricError) throw error;
    throw new FabricError("io", `Cannot read journal ${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    database.close();
  }
}
