import type { ExecutionMode } from "../core/decision.ts";
import type { SqlDatabase } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import type { NodeName } from "../core/symbol.ts";
import type { Timeframe } from "../core/timeframe.ts";
import { migrateJournal } from "./journal-migration.ts";

/**
 * Bump when a table changes shape, and teach `migrateJournal` the way from the version before. An older journal is carried over
 * in place when its runner opens it, and read as it stands by commands; a newer one is refused ("config").
 */
export const JOURNAL_VERSION = 2;
const OLDEST_VERSION = 1;

/** How long a statement waits for another process's lock, ms. */
export const BUSY_TIMEOUT_MS = 2000;

/** What a journal belongs to, for its whole life. */
export interface JournalBinding {
  readonly storeId: string;
  readonly mode: ExecutionMode;
  readonly runner: NodeName;
  readonly strategy: string;
  readonly version: string;
  /** Canonical JSON. */
  readonly params: string;
  /** In any order; "all" is every symbol of the store. */
  readonly symbols: readonly string[] | "all";
  readonly timeframe: Timeframe;
}

const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE cursor (symbol TEXT PRIMARY KEY, last_open_time INTEGER NOT NULL, digest TEXT NOT NULL,
    delivered INTEGER NOT NULL, commit_seq INTEGER NOT NULL) STRICT;
  CREATE TABLE anchor (symbol TEXT PRIMARY KEY, open_time INTEGER NOT NULL, commit_seq INTEGER NOT NULL) STRICT;
  CREATE TABLE intent (client_order_id TEXT PRIMARY KEY, symbol TEXT NOT NULL, open_time INTEGER NOT NULL,
    ordinal INTEGER NOT NULL, side TEXT NOT NULL, quantity TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
    decided_at INTEGER NOT NULL, sent_at INTEGER, payload TEXT NOT NULL, refusal TEXT, wish TEXT,
    journaled_at INTEGER, sent_wall_at INTEGER, ack_at INTEGER, ack_wall_at INTEGER,
    UNIQUE (symbol, open_time, ordinal)) STRICT;
  CREATE INDEX intent_active ON intent (status) WHERE status IN ('pending', 'unknown', 'open');
  CREATE INDEX intent_decided ON intent (decided_at) WHERE refusal IS NULL;
  CREATE INDEX intent_sent ON intent (sent_at) WHERE sent_at IS NOT NULL;
  CREATE TABLE fill (fill_id TEXT PRIMARY KEY, client_order_id TEXT REFERENCES intent, symbol TEXT NOT NULL,
    side TEXT NOT NULL, candle_open_time INTEGER NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    fee TEXT NOT NULL, base_fee TEXT, filled_at INTEGER, journaled_at INTEGER, reason TEXT) STRICT;
  CREATE INDEX fill_by_symbol ON fill (symbol);
  CREATE INDEX fill_by_order ON fill (client_order_id);
  CREATE TABLE strategy_state (symbol TEXT PRIMARY KEY, open_time INTEGER NOT NULL, digest TEXT NOT NULL,
    delivered INTEGER NOT NULL, saved TEXT NOT NULL) STRICT;
  CREATE TABLE day (day INTEGER PRIMARY KEY, equity TEXT NOT NULL, hit_at INTEGER) STRICT;
  CREATE TABLE baseline (symbol TEXT PRIMARY KEY, quantity TEXT NOT NULL) STRICT;
  CREATE TABLE waived (kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT;
`;

/** Makes the tables of a fresh journal and binds it, in one transaction; checks an old one. Throws "config" or "refused". */
export function prepareJournal(database: SqlDatabase, path: string, binding: JournalBinding): void {
  const version = journalVersion(database, path);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA foreign_keys = ON");
  if (version === null) {
    database.exec("BEGIN IMMEDIATE");
    database.exec(TABLES);
    const insert = database.prepare("INSERT INTO meta (key, value) VALUES (?, ?)");
    for (const [key, value] of Object.entries(boundValues(binding))) insert.run(key, value);
    database.exec(`PRAGMA user_version = ${JOURNAL_VERSION}`);
    database.exec("COMMIT");
  }
  // A journal that is not this runner's stays as it is.
  checkBinding(database, path, binding);
  if (version !== null && version < JOURNAL_VERSION) migrateJournal(database, JOURNAL_VERSION);
}

/** The version of a journal, null where there are no tables yet. Throws "config" for a newer version or another kind of file. */
export function journalVersion(database: SqlDatabase, path: string): number | null {
  let version: number;
  let tables: number;
  try {
    version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
    tables = Number(database.prepare("SELECT count(*) AS n FROM sqlite_master").get()?.n);
  } catch (error) {
    if (!/not a database|malformed/i.test(messageOf(error))) throw error;
    throw new FabricError("config", `Cannot use ${path}: it is not a runner's journal (${messageOf(error)})`, {
      cause: error,
    });
  }
  if (version === 0 && tables === 0) return null;
  if (version < OLDEST_VERSION || version > JOURNAL_VERSION) {
    throw new FabricError(
      "config",
      `Cannot use journal ${path}: its schema version is ${version}, this fabric needs ${JOURNAL_VERSION}; ` +
        "use the fabric that wrote it, or start the runner under another --name",
    );
  }
  return version;
}

function checkBinding(database: SqlDatabase, path: string, binding: JournalBinding): void {
  const found = new Map(
    database
      .prepare("SELECT key, value FROM meta")
      .all()
      .map((row) => [row.key, row.value]),
  );
  for (const [key, wanted] of Object.entries(boundValues(binding))) {
    const bound = found.get(key);
    if (bound === wanted) continue;
    throw new FabricError(
      "refused",
      `Cannot continue journal ${path}: its ${key} is ${String(bound)}, and this run's is ${wanted}; ${remedy(key)}`,
    );
  }
}

function remedy(key: string): string {
  if (key === "storeId") return "point --data at the store it belongs to, or start the runner under another --name";
  if (key === "mode")
    return "paper and live never share orders, positions or state: start the runner under another --name";
  return "start the runner as before, or under another --name (orders and state do not carry over)";
}

function boundValues(binding: JournalBinding): Readonly<Record<string, string>> {
  return {
    storeId: binding.storeId,
    mode: binding.mode,
    runner: binding.runner,
    strategy: binding.strategy,
    version: binding.version,
    params: binding.params,
    symbols: binding.symbols === "all" ? "all" : [...binding.symbols].sort().join(","),
    timeframe: binding.timeframe,
  };
}
