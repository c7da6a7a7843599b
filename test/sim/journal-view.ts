import type { SqlDatabase } from "../../src/core/env.ts";
import { DATA, type Machine } from "./machine.ts";

export interface IntentView {
  readonly id: string;
  readonly symbol: string;
  readonly openTime: number;
  readonly ordinal: number;
  readonly side: string;
  readonly quantity: string;
  readonly status: string;
  readonly reason: string | null;
  readonly decidedAt: number;
}

export interface FillView {
  readonly fillId: string;
  readonly orderId: string | null;
  readonly symbol: string;
  readonly candleOpenTime: number;
  readonly side: string;
  readonly price: string;
  readonly quantity: string;
  readonly fee: string;
  readonly baseFee: string;
}

export interface CursorView {
  readonly lastOpenTime: number;
  readonly digest: string;
  readonly delivered: number;
  readonly commitSeq: number;
}

/** A runner's journal read by the simulator's own SQL. */
export class JournalView {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  meta(key: string): string | null {
    const row = this.#database.prepare("SELECT value FROM meta WHERE key = ?").get(key);
    return row ? String(row.value) : null;
  }

  cursor(symbol: string): CursorView | null {
    const row = this.#database.prepare("SELECT * FROM cursor WHERE symbol = ?").get(symbol);
    if (!row) return null;
    return {
      lastOpenTime: Number(row.last_open_time),
      digest: String(row.digest),
      delivered: Number(row.delivered),
      commitSeq: Number(row.commit_seq),
    };
  }

  intents(symbol: string): readonly IntentView[] {
    const rows = this.#database.prepare("SELECT * FROM intent WHERE symbol = ? ORDER BY rowid").all(symbol);
    return rows.map((row) => ({
      id: String(row.client_order_id),
      symbol,
      openTime: Number(row.open_time),
      ordinal: Number(row.ordinal),
      side: String(row.side),
      quantity: String(row.quantity),
      status: String(row.status),
      reason: row.reason === null ? null : String(row.reason),
      decidedAt: Number(row.decided_at),
    }));
  }

  status(id: string): string | null {
    const row = this.#database.prepare("SELECT status FROM intent WHERE client_order_id = ?").get(id);
    return row ? String(row.status) : null;
  }

  /** As a runner tells them: id, symbol, side, quantity and status, newest first. */
  newestOrders(limit: number): readonly string[] {
    const rows = this.#database.prepare("SELECT * FROM intent ORDER BY rowid DESC LIMIT ?").all(limit);
    return rows.map((row) => `${row.client_order_id} ${row.symbol} ${row.side} ${row.quantity} ${row.status}`);
  }

  symbolsWithFills(): readonly string[] {
    const rows = this.#database.prepare("SELECT DISTINCT symbol FROM fill ORDER BY symbol").all();
    return rows.map((row) => String(row.symbol));
  }

  activeCount(symbol: string): number {
    const sql = "SELECT count(*) AS n FROM intent WHERE symbol = ? AND status IN ('pending', 'unknown', 'open')";
    return Number(this.#database.prepare(sql).get(symbol)?.n);
  }

  fills(symbol: string): readonly FillView[] {
    const rows = this.#database.prepare("SELECT * FROM fill WHERE symbol = ? ORDER BY rowid").all(symbol);
    return rows.map((row) => ({
      fillId: String(row.fill_id),
      orderId: row.client_order_id === null ? null : String(row.client_order_id),
      symbol: String(row.symbol),
      candleOpenTime: Number(row.candle_open_time),
      side: String(row.side),
      price: String(row.price),
      quantity: String(row.quantity),
      fee: String(row.fee),
      baseFee: String(row.base_fee ?? "0"),
    }));
  }
}

/** The journal of a runner; null where it never came to open one. */
export function journalOf(machine: Machine, runner: string): JournalView | null {
  const database = machine.sqlite.look(`${DATA}/journal/${runner}.sqlite`);
  return database ? new JournalView(database) : null;
}
