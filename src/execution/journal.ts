import type { OrderStatus } from "../core/decision.ts";
import type { Files, OpenSqlite, SqlDatabase, SqlStatement } from "../core/env.ts";
import { assert, FabricError, messageOf } from "../core/errors.ts";
import type { OrderRow } from "../core/wire.ts";
import {
  type AnchorRow,
  anchorFrom,
  type CursorRow,
  cursorFrom,
  type FillRow,
  fillFrom,
  type IntentRow,
  intentFrom,
  type SavedRow,
  savedFrom,
} from "./journal-rows.ts";
import { BUSY_TIMEOUT_MS, type JournalBinding, prepareJournal } from "./journal-schema.ts";
import { orderRows } from "./orders.ts";

/** A change of one order's state. */
export interface OrderChange {
  readonly clientOrderId: string;
  readonly status: OrderStatus;
  readonly reason: string | null;
  readonly sentAt: number | null;
}

/** Everything one candle leads to: written as one transaction, or not at all. */
export interface CandleEntry {
  readonly cursor: CursorRow;
  readonly throughSeq: number;
  /** The symbol's first candle only. */
  readonly anchor: AnchorRow | null;
  readonly fills: readonly FillRow[];
  readonly changes: readonly OrderChange[];
  readonly intents: readonly IntentRow[];
  /** The strategy's state after the candle, where it saves it. */
  readonly saved: string | null;
}

/** The journal could not be written. Nothing has advanced, and nothing more may be sent: restart once the cause is gone. */
export class JournalHalted extends FabricError {
  constructor(path: string, what: string, cause: unknown) {
    super("io", `Cannot write ${what} to journal ${path}: ${messageOf(cause)}; the runner halts without advancing`, {
      cause,
    });
    this.name = "JournalHalted";
  }
}

export interface JournalDeps {
  readonly openSqlite: OpenSqlite;
  readonly files: Files;
}

export function journalFolder(dataFolder: string): string {
  return `${dataFolder}/journal`;
}

export function journalPath(dataFolder: string, runner: string): string {
  return `${journalFolder(dataFolder)}/${runner}.sqlite`;
}

/**
 * Opens (or makes) the runner's journal under the data folder. The caller holds the runner's name lock: one writer. Throws
 * FabricError "config" for another schema version, "refused" where it is bound to something else, "io" where it cannot be
 * written. Blocks: every write waits for the disk (WAL, synchronous = FULL).
 */
export function openJournal(deps: JournalDeps, dataFolder: string, binding: JournalBinding): Journal {
  deps.files.makeFolder(journalFolder(dataFolder));
  const path = journalPath(dataFolder, binding.runner);
  const database = deps.openSqlite(path, { readOnly: false });
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    prepareJournal(database, path, binding);
    return new Journal(database, path, binding);
  } catch (error) {
    database.close();
    if (error instanceof FabricError) throw error;
    throw new FabricError("io", `Cannot open journal ${path} for writing: ${messageOf(error)}`, { cause: error });
  }
}

/** Page of fills read at a time. */
const FILLS_PAGE = 1000;

/** The runner's durable memory. Any failed write halts it for good: each later write throws the same JournalHalted. */
export class Journal {
  readonly path: string;
  readonly binding: JournalBinding;
  readonly #database: SqlDatabase;
  readonly #payload: string;
  readonly #sql: ReturnType<typeof prepareStatements>;
  #halted: JournalHalted | null = null;
  #closed = false;

  constructor(database: SqlDatabase, path: string, binding: JournalBinding) {
    this.path = path;
    this.binding = binding;
    this.#database = database;
    this.#payload = JSON.stringify({
      strategy: binding.strategy,
      version: binding.version,
      params: JSON.parse(binding.params) as unknown,
    });
    this.#sql = prepareStatements(database);
  }

  /** Why nothing is written any more; null while all is well. */
  get halted(): JournalHalted | null {
    return this.#halted;
  }

  /** The store row after which this runner began; null before `begin`. */
  startSeq(): number | null {
    return this.#metaNumber("startSeq");
  }

  /** Rows of the store up to here were delivered or are of no concern. */
  throughSeq(): number {
    return this.#metaNumber("throughSeq") ?? this.startSeq() ?? 0;
  }

  /** Fixes where a new runner begins, so that a crash before its first candle does not move it. */
  begin(startSeq: number): void {
    this.#write("the start", () => this.#sql.meta.run("startSeq", String(startSeq)));
  }

  writeCandle(entry: CandleEntry): void {
    const { cursor } = entry;
    this.#write(`candle ${cursor.symbol} ${cursor.lastOpenTime}`, () => {
      for (const fill of entry.fills) this.#insertFill(fill);
      for (const change of entry.changes) this.#change(change);
      for (const intent of entry.intents) this.#insertIntent(intent);
      if (entry.anchor) this.#sql.anchor.run(entry.anchor.symbol, entry.anchor.openTime, entry.anchor.commitSeq);
      this.#sql.cursor.run(cursor.symbol, cursor.lastOpenTime, cursor.digest, cursor.delivered, cursor.commitSeq);
      this.#sql.meta.run("throughSeq", String(entry.throughSeq));
      if (entry.saved !== null)
        this.#sql.saved.run(cursor.symbol, cursor.lastOpenTime, cursor.digest, cursor.delivered, entry.saved);
    });
  }

  /** What became known of one order, with the fills that are new. */
  writeOrder(change: OrderChange, fills: readonly FillRow[]): void {
    this.#write(`order ${change.clientOrderId}`, () => {
      for (const fill of fills) this.#insertFill(fill);
      this.#change(change);
    });
  }

  cursors(): readonly CursorRow[] {
    return this.#database.prepare("SELECT * FROM cursor ORDER BY symbol").all().map(cursorFrom);
  }

  anchor(symbol: string): AnchorRow | null {
    const row = this.#database.prepare("SELECT * FROM anchor WHERE symbol = ?").get(symbol);
    return row ? anchorFrom(row) : null;
  }

  savedState(symbol: string): SavedRow | null {
    const row = this.#database.prepare("SELECT * FROM strategy_state WHERE symbol = ?").get(symbol);
    return row ? savedFrom(row) : null;
  }

  /** Orders that are not final, in the order they were decided. Bounded by the handler's limits on what is in flight. */
  activeIntents(): readonly IntentRow[] {
    const sql = "SELECT * FROM intent WHERE status IN ('pending', 'unknown', 'open') ORDER BY rowid";
    return this.#database.prepare(sql).all().map(intentFrom);
  }

  /** Every fill of a symbol in the order in which decisions saw them, read page by page. */
  *fillsOf(symbol: string): Generator<FillRow> {
    const page = this.#database.prepare(
      "SELECT rowid AS at, * FROM fill WHERE symbol = ? AND rowid > ? ORDER BY rowid LIMIT ?",
    );
    for (let after = 0; ; ) {
      const rows = page.all(symbol, after, FILLS_PAGE);
      for (const row of rows) yield fillFrom(row);
      if (rows.length < FILLS_PAGE) return;
      after = Number(rows.at(-1)?.at);
    }
  }

  hasFill(fillId: string): boolean {
    return this.#sql.hasFill.get(fillId) !== undefined;
  }

  symbolsWithFills(): readonly string[] {
    const rows = this.#database.prepare("SELECT DISTINCT symbol FROM fill ORDER BY symbol").all();
    return rows.map((row) => String(row.symbol));
  }

  /** The newest orders, newest first. */
  newestOrders(limit: number): readonly OrderRow[] {
    return orderRows(this.#database, this.binding.runner, limit);
  }

  /** Idempotent. Writes after it halt. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#halted ??= new JournalHalted(this.path, "anything", new Error("it is closed"));
    this.#database.close();
  }

  #write(what: string, run: () => void): void {
    if (this.#halted) throw this.#halted;
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      run();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#halted = new JournalHalted(this.path, what, error);
      this.#rollBack();
      throw this.#halted;
    }
  }

  /** After some failures SQLite has rolled back by itself, and says so; either way nothing of the transaction is left. */
  #rollBack(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch (error) {
      assert(this.#halted !== null, `a journal that cannot roll back (${messageOf(error)}) is halted`);
    }
  }

  #insertIntent(intent: IntentRow): void {
    this.#sql.intent.run(
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
      this.#payload,
    );
  }

  #insertFill(fill: FillRow): void {
    this.#sql.fill.run(
      fill.fillId,
      fill.clientOrderId,
      fill.symbol,
      fill.side,
      fill.candleOpenTime,
      fill.price,
      fill.quantity,
      fill.fee,
    );
  }

  #change(change: OrderChange): void {
    this.#sql.change.run(change.status, change.reason, change.sentAt, change.clientOrderId);
  }

  #metaNumber(key: string): number | null {
    const row = this.#database.prepare("SELECT value FROM meta WHERE key = ?").get(key);
    return row ? Number(row.value) : null;
  }
}

function prepareStatements(database: SqlDatabase): Statements {
  return {
    meta: database.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"),
    cursor: database.prepare("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?, ?)"),
    anchor: database.prepare("INSERT INTO anchor VALUES (?, ?, ?)"),
    intent: database.prepare("INSERT INTO intent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    fill: database.prepare("INSERT INTO fill VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
    saved: database.prepare("INSERT OR REPLACE INTO strategy_state VALUES (?, ?, ?, ?, ?)"),
    change: database.prepare("UPDATE intent SET status = ?, reason = ?, sent_at = ? WHERE client_order_id = ?"),
    hasFill: database.prepare("SELECT 1 AS found FROM fill WHERE fill_id = ?"),
  };
}

type Statements = Readonly<
  Record<"meta" | "cursor" | "anchor" | "intent" | "fill" | "saved" | "change" | "hasFill", SqlStatement>
>;
