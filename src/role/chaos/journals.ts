import { platform } from "#platform";
import type { OpenSqlite, SqlDatabase, SqlValue } from "../../core/env.ts";
import { journalPath } from "../../execution/journal.ts";

export type Row = Readonly<Record<string, SqlValue>>;

/** Everything a journal holds that must come out the same whatever happened on the way. */
export interface JournalContents {
  readonly storeId: string;
  readonly startSeq: number;
  readonly throughSeq: number;
  readonly cursors: readonly Row[];
  readonly anchors: readonly Row[];
  readonly intents: readonly Row[];
  readonly fills: readonly Row[];
  readonly states: readonly Row[];
}

/** Reads a runner's journal, beside its living runner, too. Throws where there is none yet or it cannot be read now. */
export function readJournal(data: string, runner: string): JournalContents {
  return withJournal(platform.openSqlite, journalPath(data, runner), contentsOf);
}

/** The store that a journal is bound to; null where it has no table yet. Throws where it cannot be read. */
export function journalStore(data: string, runner: string): string | null {
  return withJournal(platform.openSqlite, journalPath(data, runner), (database) => {
    if (!database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get()) return null;
    return String(database.prepare("SELECT value FROM meta WHERE key = 'storeId'").get()?.value ?? "none");
  });
}

/** The newest minute decided, by symbol; null where the journal cannot be read now. */
export function decidedMinutes(data: string, runner: string): ReadonlyMap<string, number> | null {
  try {
    return withJournal(platform.openSqlite, journalPath(data, runner), (database) => {
      const rows = database.prepare("SELECT symbol, last_open_time FROM cursor").all();
      return new Map(rows.map((row) => [String(row.symbol), Number(row.last_open_time)]));
    });
  } catch {
    return null;
  }
}

/** Orders that are not final; null where the journal cannot be read now. */
export function activeOrders(data: string, runner: string): number | null {
  try {
    return withJournal(platform.openSqlite, journalPath(data, runner), (database) =>
      Number(
        database.prepare("SELECT count(*) AS n FROM intent WHERE status IN ('pending', 'unknown', 'open')").get()?.n,
      ),
    );
  } catch {
    return null;
  }
}

function withJournal<T>(openSqlite: OpenSqlite, path: string, read: (database: SqlDatabase) => T): T {
  const database = openSqlite(path, { readOnly: true });
  try {
    return read(database);
  } finally {
    database.close();
  }
}

/** As of an open journal. */
export function contentsOf(database: SqlDatabase): JournalContents {
  const all = (sql: string) => database.prepare(sql).all();
  const meta = new Map(all("SELECT key, value FROM meta").map((row) => [String(row.key), String(row.value)]));
  return {
    storeId: meta.get("storeId") ?? "",
    startSeq: Number(meta.get("startSeq")),
    throughSeq: Number(meta.get("throughSeq") ?? 0),
    cursors: all("SELECT symbol, last_open_time, digest, delivered, commit_seq FROM cursor ORDER BY symbol"),
    anchors: all("SELECT symbol, open_time, commit_seq FROM anchor ORDER BY symbol"),
    intents:
      all(`SELECT client_order_id, symbol, open_time, ordinal, side, quantity, status, reason, decided_at, payload
      FROM intent ORDER BY symbol, open_time, ordinal`),
    fills: all(`SELECT fill_id, client_order_id, symbol, side, candle_open_time, price, quantity, fee
      FROM fill ORDER BY symbol, candle_open_time, fill_id`),
    states: all("SELECT symbol, open_time, digest, delivered, saved FROM strategy_state ORDER BY symbol"),
  };
}
