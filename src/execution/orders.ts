import type { ExecutionMode } from "../core/decision.ts";
import type { OpenSqlite, SqlDatabase, SqlValue } from "../core/env.ts";
import type { OrderRow } from "../core/wire.ts";
import { type DecimalValue, decimal, moneyText } from "./decimal.ts";
import { type OpenJournal, type ReaderDeps, readJournal, readJournals } from "./journal-reader.ts";

/** An order as a command shows it. */
export interface JournaledOrder extends OrderRow {
  readonly mode: ExecutionMode;
}

/** All orders of all journals under a data folder, oldest decision first; empty where there are none. As `readJournals`. */
export function readAllOrders(deps: ReaderDeps, dataFolder: string): readonly JournaledOrder[] {
  const rows = [...readJournals(deps, dataFolder, ordersOf)];
  return rows.sort((a, b) => a.openTime - b.openTime || (a.clientOrderId < b.clientOrderId ? -1 : 1));
}

/** The orders of one journal, newest first. As `readJournal`. */
export function readOrders(openSqlite: OpenSqlite, path: string): readonly JournaledOrder[] {
  return readJournal(openSqlite, path, ordersOf) ?? [];
}

function ordersOf({ database, runner, mode }: OpenJournal): readonly JournaledOrder[] {
  return orderRows(database, runner, -1).map((order) => ({ ...order, mode }));
}

/** The newest orders of an open journal, newest first; a limit of -1 is all of them. */
export function orderRows(database: SqlDatabase, runner: string, limit: number): readonly OrderRow[] {
  const rows = database
    .prepare(
      `SELECT i.client_order_id, i.symbol, i.open_time, i.side, i.quantity, i.status, f.price, f.quantity AS filled
         FROM (SELECT rowid AS at, * FROM intent ORDER BY rowid DESC LIMIT ?) i
         LEFT JOIN fill f USING (client_order_id) ORDER BY i.at DESC, f.rowid`,
    )
    .all(limit);
  const orders = new Map<string, { row: OrderRow; quantity: DecimalValue; notional: DecimalValue }>();
  for (const row of rows) {
    const id = String(row.client_order_id);
    const order = orders.get(id) ?? {
      row: orderFrom(row, runner),
      quantity: decimal("0"),
      notional: decimal("0"),
    };
    if (row.price !== null) {
      order.quantity = order.quantity.plus(String(row.filled));
      order.notional = order.notional.plus(decimal(String(row.price)).times(String(row.filled)));
    }
    orders.set(id, order);
  }
  return [...orders.values()].map(({ row, quantity, notional }) =>
    quantity.eq("0") ? row : { ...row, price: moneyText(notional.div(quantity)) },
  );
}

function orderFrom(row: Readonly<Record<string, SqlValue>>, runner: string): OrderRow {
  return {
    clientOrderId: String(row.client_order_id),
    runner,
    symbol: String(row.symbol),
    openTime: Number(row.open_time),
    side: row.side === "sell" ? "sell" : "buy",
    quantity: String(row.quantity),
    price: null,
    status: String(row.status),
  };
}
