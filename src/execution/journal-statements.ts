import type { SqlDatabase, SqlStatement } from "../core/env.ts";
import type { FillRow, IntentRow } from "./journal-rows.ts";

/** The journal's writes, prepared once. */
export type Statements = Readonly<Record<keyof typeof WRITES, SqlStatement>>;

const WRITES = {
  meta: "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
  cursor: "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?, ?)",
  anchor: "INSERT INTO anchor VALUES (?, ?, ?)",
  intent: `INSERT INTO intent (client_order_id, symbol, open_time, ordinal, side, quantity, status, reason, decided_at, sent_at,
    payload, refusal, wish, journaled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  fill: `INSERT INTO fill (fill_id, client_order_id, symbol, side, candle_open_time, price, quantity, fee, base_fee, filled_at,
    journaled_at, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  saved: "INSERT OR REPLACE INTO strategy_state VALUES (?, ?, ?, ?, ?)",
  change: `UPDATE intent SET status = ?, reason = ?, sent_at = ?, sent_wall_at = ?, ack_at = ?, ack_wall_at = ?
    WHERE client_order_id = ? AND status = ?`,
  day: "INSERT OR REPLACE INTO day VALUES (?, ?, ?)",
  baseline: "INSERT OR IGNORE INTO baseline VALUES (?, ?)",
  waive: "INSERT OR IGNORE INTO waived VALUES (?, ?)",
} as const;

export function prepareStatements(database: SqlDatabase): Statements {
  const prepared = Object.entries(WRITES).map(([name, sql]) => [name, database.prepare(sql)] as const);
  return Object.fromEntries(prepared) as unknown as Statements;
}

export function insertIntent(statements: Statements, intent: IntentRow, payload: string): void {
  statements.intent.run(
    intent.clientOrderId,
    intent.symbol,
    intent.openTime,
    intent.ordinal,
    intent.side,
    intent.quantity,
    intent.status,
    intent.reason,
    intent.decidedAt,
    intent.sentAt,
    payload,
    intent.refusal,
    intent.wish,
    intent.journaledAt,
  );
}

export function insertFill(statements: Statements, fill: FillRow): void {
  statements.fill.run(
    fill.fillId,
    fill.clientOrderId,
    fill.symbol,
    fill.side,
    fill.candleOpenTime,
    fill.price,
    fill.quantity,
    fill.fee,
    fill.baseFee,
    fill.filledAt,
    fill.journaledAt,
    fill.reason,
  );
}
