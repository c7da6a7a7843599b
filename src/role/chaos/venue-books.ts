import { join } from "node:path";
import { platform } from "#platform";
import { ACCOUNT_FILE } from "../../feed/sim/venue/account-book.ts";
import type { Row } from "./journals.ts";

/** The exchange's side of what was traded, out of its own file: nothing of a runner has part in it. */
export interface VenueBooks {
  /** client_order_id, symbol, side, quantity, executed, status. Amounts are counts of 10^-8. */
  readonly orders: readonly Row[];
  /** Counts of 10^-8 by asset. */
  readonly balances: ReadonlyMap<string, bigint>;
}

/** Reads them once the exchange has stopped. */
export function readVenueBooks(data: string): VenueBooks {
  const database = platform.openSqlite(join(data, ACCOUNT_FILE), { readOnly: true });
  try {
    const balances = database.prepare("SELECT asset, free FROM balance").all();
    return {
      orders: database
        .prepare("SELECT client_order_id, symbol, side, quantity, executed, status FROM orders ORDER BY order_id")
        .all(),
      balances: new Map(balances.map((row) => [String(row.asset), BigInt(String(row.free))])),
    };
  } finally {
    database.close();
  }
}
