import type { SqlDatabase } from "../core/env.ts";
import { quoteAssetOf } from "../core/symbol.ts";
import type { DecisionEntry, FillEntry } from "../core/wire.ts";
import { fillFrom, intentFrom } from "./journal-rows.ts";

/** Newest first, each list at most the limit asked for. */
export interface NewestTrades {
  /** Adjustments, too. */
  readonly fills: readonly FillEntry[];
  /** With what became of them. */
  readonly decisions: readonly DecisionEntry[];
}

/** The newest fills and decisions of an open journal. */
export function newestTrades(database: SqlDatabase, limit: number): NewestTrades {
  return { fills: newestFills(database, limit), decisions: newestDecisions(database, limit) };
}

function newestFills(database: SqlDatabase, limit: number): readonly FillEntry[] {
  const rows = database.prepare("SELECT * FROM fill ORDER BY rowid DESC LIMIT ?").all(limit);
  return rows.map(fillFrom).map((fill) => ({
    clientOrderId: fill.clientOrderId,
    symbol: fill.symbol,
    side: fill.side,
    quantity: fill.quantity,
    price: fill.price,
    fee: fill.fee,
    feeAsset: quoteAssetOf(fill.symbol),
    openTime: fill.candleOpenTime,
    at: fill.filledAt,
  }));
}

function newestDecisions(database: SqlDatabase, limit: number): readonly DecisionEntry[] {
  const rows = database.prepare("SELECT * FROM intent ORDER BY rowid DESC LIMIT ?").all(limit);
  return rows.map(intentFrom).map((intent) => ({
    clientOrderId: intent.clientOrderId,
    symbol: intent.symbol,
    openTime: intent.openTime,
    at: intent.decidedAt,
    side: intent.side,
    quantity: intent.quantity,
    reason: intent.wish,
    outcome: intent.status,
    // What the strategy said stands there until something else is to be said.
    outcomeReason: intent.reason === intent.wish ? null : intent.reason,
    refusal: intent.refusal,
  }));
}
