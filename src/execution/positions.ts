import type { ExecutionMode } from "../core/decision.ts";
import type { SqlDatabase } from "../core/env.ts";
import { type DecimalValue, decimal, decimalText } from "./decimal.ts";
import { type OpenJournal, type ReaderDeps, readJournals } from "./journal-reader.ts";
import { type FillRow, fillFrom } from "./journal-rows.ts";
import { PositionBook } from "./position-book.ts";

const PAGE = 10_000;

/** A runner's position in one symbol, as its journal says. */
export interface JournaledPosition {
  readonly runner: string;
  readonly mode: ExecutionMode;
  readonly storeId: string;
  /** Of the sum of fills and adjustments. */
  readonly book: PositionBook;
  /** The part of the quantity that came by adjustments (--accept-broker), not by fills. Decimal string, signed. */
  readonly adjustments: string;
}

/** Symbols that were ever traded, by runner and symbol; empty where there are none. As `readJournals`. */
export function readAllPositions(deps: ReaderDeps, dataFolder: string): readonly JournaledPosition[] {
  return readJournals(deps, dataFolder, positionsOf);
}

function positionsOf({ database, runner, mode, meta }: OpenJournal): readonly JournaledPosition[] {
  const books = new Map<string, PositionBook>();
  const adjustments = new Map<string, DecimalValue>();
  for (const fill of fillsIn(database)) {
    const { symbol } = fill;
    books.set(symbol, (books.get(symbol) ?? new PositionBook(symbol)).after([fill]));
    if (fill.clientOrderId !== null) continue;
    const signed = fill.side === "buy" ? decimal(fill.quantity) : decimal("0").minus(fill.quantity);
    adjustments.set(symbol, (adjustments.get(symbol) ?? decimal("0")).plus(signed));
  }
  const storeId = meta.get("storeId") ?? "";
  return [...books.values()]
    .sort((a, b) => (a.symbol < b.symbol ? -1 : 1))
    .map((book) => ({
      runner,
      mode,
      storeId,
      book,
      adjustments: decimalText(adjustments.get(book.symbol) ?? decimal("0")),
    }));
}

/** Every fill, page by page, out of one state of the journal. */
function* fillsIn(database: SqlDatabase): Generator<FillRow> {
  const page = database.prepare("SELECT rowid AS at, * FROM fill WHERE rowid > ? ORDER BY rowid LIMIT ?");
  database.exec("BEGIN");
  for (let after = 0; ; ) {
    const rows = page.all(after, PAGE);
    for (const row of rows) yield fillFrom(row);
    if (rows.length < PAGE) break;
    after = Number(rows.at(-1)?.at);
  }
  database.exec("COMMIT");
}
