import type { SqlDatabase } from "../core/env.ts";

/** From version 1: times and refusals of orders, adjustments beside fills, and what the reconciliation and the daily loss keep. */
const FROM_1 = `
  ALTER TABLE intent ADD COLUMN refusal TEXT;
  ALTER TABLE intent ADD COLUMN wish TEXT;
  ALTER TABLE intent ADD COLUMN journaled_at INTEGER;
  ALTER TABLE intent ADD COLUMN sent_wall_at INTEGER;
  ALTER TABLE intent ADD COLUMN ack_at INTEGER;
  ALTER TABLE intent ADD COLUMN ack_wall_at INTEGER;
  UPDATE intent SET refusal = CASE status WHEN 'expired' THEN 'age' ELSE 'in-flight' END
    WHERE sent_at IS NULL AND (status = 'expired' OR status = 'rejected');
  UPDATE intent SET wish = reason WHERE status NOT IN ('expired', 'rejected', 'lost');
  CREATE INDEX intent_decided ON intent (decided_at) WHERE refusal IS NULL;
  CREATE INDEX intent_sent ON intent (sent_at) WHERE sent_at IS NOT NULL;
  CREATE TABLE fill_2 (fill_id TEXT PRIMARY KEY, client_order_id TEXT REFERENCES intent, symbol TEXT NOT NULL,
    side TEXT NOT NULL, candle_open_time INTEGER NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL,
    fee TEXT NOT NULL, base_fee TEXT, filled_at INTEGER, journaled_at INTEGER, reason TEXT) STRICT;
  INSERT INTO fill_2 (rowid, fill_id, client_order_id, symbol, side, candle_open_time, price, quantity, fee)
    SELECT rowid, fill_id, client_order_id, symbol, side, candle_open_time, price, quantity, fee FROM fill ORDER BY rowid;
  DROP TABLE fill;
  ALTER TABLE fill_2 RENAME TO fill;
  CREATE INDEX fill_by_symbol ON fill (symbol);
  CREATE INDEX fill_by_order ON fill (client_order_id);
  CREATE TABLE day (day INTEGER PRIMARY KEY, equity TEXT NOT NULL, hit_at INTEGER) STRICT;
  CREATE TABLE baseline (symbol TEXT PRIMARY KEY, quantity TEXT NOT NULL) STRICT;
  CREATE TABLE waived (kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT;
`;

/**
 * Carries a version-1 journal over in place, in one transaction: a crash or a full disk leaves it as it was. Every order, fill,
 * cursor and state stays; fills keep their order. Throws the driver's error.
 */
export function migrateJournal(database: SqlDatabase, version: number): void {
  database.exec("BEGIN IMMEDIATE");
  database.exec(FROM_1);
  database.exec(`PRAGMA user_version = ${version}`);
  database.exec("COMMIT");
}
