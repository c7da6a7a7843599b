import { platform } from "#platform";
import type { SqlDatabase } from "../../../src/core/env.ts";
import { journalPath } from "../../../src/execution/journal.ts";

/** The tables as version 1 made them, word for word. */
const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE cursor (symbol TEXT PRIMARY KEY, last_open_time INTEGER NOT NULL, digest TEXT NOT NULL,
    delivered INTEGER NOT NULL, commit_seq INTEGER NOT NULL) STRICT;
  CREATE TABLE anchor (symbol TEXT PRIMARY KEY, open_time INTEGER NOT NULL, commit_seq INTEGER NOT NULL) STRICT;
  CREATE TABLE intent (client_order_id TEXT PRIMARY KEY, symbol TEXT NOT NULL, open_time INTEGER NOT NULL,
    ordinal INTEGER NOT NULL, side TEXT NOT NULL, quantity TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
    decided_at INTEGER NOT NULL, sent_at INTEGER, payload TEXT NOT NULL, UNIQUE (symbol, open_time, ordinal)) STRICT;
  CREATE INDEX intent_active ON intent (status) WHERE status IN ('pending', 'unknown', 'open');
  CREATE TABLE fill (fill_id TEXT PRIMARY KEY, client_order_id TEXT NOT NULL REFERENCES intent, symbol TEXT NOT NULL,
    side TEXT NOT NULL, candle_open_time INTEGER NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    fee TEXT NOT NULL) STRICT;
  CREATE INDEX fill_by_symbol ON fill (symbol);
  CREATE INDEX fill_by_order ON fill (client_order_id);
  CREATE TABLE strategy_state (symbol TEXT PRIMARY KEY, open_time INTEGER NOT NULL, digest TEXT NOT NULL,
    delivered INTEGER NOT NULL, saved TEXT NOT NULL) STRICT;
`;

/** Columns of version 1 by table. */
export const COLUMNS: Readonly<Record<string, string>> = {
  meta: "key, value",
  cursor: "symbol, last_open_time, digest, delivered, commit_seq",
  anchor: "symbol, open_time, commit_seq",
  intent: "client_order_id, symbol, open_time, ordinal, side, quantity, status, reason, decided_at, sent_at, payload",
  fill: "fill_id, client_order_id, symbol, side, candle_open_time, price, quantity, fee",
  strategy_state: "symbol, open_time, digest, delivered, saved",
};

/** Makes a version-1 journal in `folder` with all that a present journal elsewhere holds, as far as version 1 knew of it. */
export function makeVersion1(folder: string, fromFolder: string, runner = "tester"): void {
  platform.files.makeFolder(`${folder}/journal`);
  const database = platform.openSqlite(journalPath(folder, runner), { readOnly: false });
  database.exec("PRAGMA journal_mode = WAL");
  database.exec(TABLES);
  database.exec(`ATTACH '${journalPath(fromFolder, runner)}' AS source`);
  for (const [table, columns] of Object.entries(COLUMNS))
    database.exec(
      `INSERT INTO ${table} (rowid, ${columns}) SELECT rowid, ${columns} FROM source.${table} ORDER BY rowid`,
    );
  database.exec("DETACH source");
  database.exec("PRAGMA user_version = 1");
  database.close();
}

/** What version 1 knew of a journal's contents, fills and orders in their order. */
export function version1Contents(folder: string, runner = "tester"): Readonly<Record<string, unknown>> {
  return withJournal(folder, runner, (database) =>
    Object.fromEntries(
      Object.entries(COLUMNS).map(([table, columns]) => [
        table,
        database.prepare(`SELECT rowid AS at, ${columns} FROM ${table} ORDER BY rowid`).all(),
      ]),
    ),
  );
}

export function journalVersionOf(folder: string, runner = "tester"): number {
  return withJournal(folder, runner, (database) => Number(database.prepare("PRAGMA user_version").get()?.user_version));
}

function withJournal<T>(folder: string, runner: string, read: (database: SqlDatabase) => T): T {
  const database = platform.openSqlite(journalPath(folder, runner), { readOnly: true });
  try {
    return read(database);
  } finally {
    database.close();
  }
}
