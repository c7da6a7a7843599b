import type { Files, OpenSqlite, SqlDatabase, SqlValue } from "../core/env.ts";
import { assert, FabricError, messageOf } from "../core/errors.ts";
import type { OrderRow } from "../core/wire.ts";
import { AnotherWriter, JournalHalted } from "./journal-halted.ts";
import {
  type AnchorRow,
  anchorFrom,
  type BaselineRow,
  baselineFrom,
  type CursorRow,
  cursorFrom,
  type DayRow,
  dayFrom,
  type FillRow,
  fillFrom,
  type IntentRow,
  intentFrom,
  type SavedRow,
  savedFrom,
} from "./journal-rows.ts";
import { BUSY_TIMEOUT_MS, type JournalBinding, prepareJournal } from "./journal-schema.ts";
import { insertFill, insertIntent, prepareStatements, type Statements } from "./journal-statements.ts";
import { orderRows } from "./orders.ts";
import { type NewestTrades, newestTrades } from "./recent-trades.ts";

/** A change of one order's state; it halts the journal where the order does not stand at `was`. */
export type OrderChange = Pick<
  IntentRow,
  "clientOrderId" | "status" | "reason" | "sentAt" | "sentWallAt" | "ackAt" | "ackWallAt"
> & { readonly was: IntentRow["status"] };

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
  /** The day's row, where the candle began the day or reached its loss. */
  readonly day: DayRow | null;
}

/** What a reconciliation settles, written as one transaction. */
export interface Settlement {
  readonly baseline: readonly BaselineRow[];
  readonly adjustments: readonly FillRow[];
  /** Differences with the venue that were accepted: they are not told again. */
  readonly waived: readonly { readonly kind: WaivedKind; readonly id: string }[];
  /** Exchange time before which everything is settled, epoch ms. */
  readonly throughMs: number;
}

/** A venue's open order that the journal does not know, and a journaled fill that the venue does not know. */
export type WaivedKind = "order" | "fill";

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
 * Opens (or makes) the runner's journal under the data folder, carrying an older version over, and becomes its writer before
 * anything of it is read. The caller holds the runner's name lock: one writer. Throws FabricError "config" for a newer schema version, "refused" where it is bound to something else,
 * "io" where it cannot be written. Blocks: every write waits for the disk (WAL, synchronous = FULL).
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

/** SQLite's application_id is a signed 32-bit number. */
const MAX_WRITERS = 2 ** 31 - 1;

/** Page of fills read at a time. */
const FILLS_PAGE = 1000;

/** The runner's durable memory. Any failed write halts it for good: each later write throws the same JournalHalted. */
export class Journal {
  readonly path: string;
  readonly binding: JournalBinding;
  readonly #database: SqlDatabase;
  readonly #payload: string;
  readonly #sql: Statements;
  #halted: JournalHalted | null = null;
  /** Which of its writers we are, as the file's application_id counts them; null where not even that could be written. */
  #writer: number | null = null;
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
    this.#claim();
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
      for (const fill of entry.fills) insertFill(this.#sql, fill);
      for (const change of entry.changes) this.#change(change);
      for (const intent of entry.intents) insertIntent(this.#sql, intent, this.#payload);
      if (entry.anchor) this.#sql.anchor.run(entry.anchor.symbol, entry.anchor.openTime, entry.anchor.commitSeq);
      this.#sql.cursor.run(cursor.symbol, cursor.lastOpenTime, cursor.digest, cursor.delivered, cursor.commitSeq);
      this.#sql.meta.run("throughSeq", String(entry.throughSeq));
      if (entry.day) this.#sql.day.run(entry.day.day, entry.day.equity, entry.day.hitAt);
      if (entry.saved !== null)
        this.#sql.saved.run(cursor.symbol, cursor.lastOpenTime, cursor.digest, cursor.delivered, entry.saved);
    });
  }

  /** What became known of one order, with the fills that are new. */
  writeOrder(change: OrderChange, fills: readonly FillRow[]): void {
    this.#write(`order ${change.clientOrderId}`, () => {
      for (const fill of fills) insertFill(this.#sql, fill);
      this.#change(change);
    });
  }

  settle(settlement: Settlement): void {
    this.#write("the reconciliation", () => {
      for (const { symbol, quantity } of settlement.baseline) this.#sql.baseline.run(symbol, quantity);
      for (const fill of settlement.adjustments) insertFill(this.#sql, fill);
      for (const { kind, id } of settlement.waived) this.#sql.waive.run(kind, id);
      this.#sql.meta.run("settledThrough", String(settlement.throughMs));
    });
  }

  /** Exchange time before which journal and venue were found to agree, epoch ms; null before the first reconciliation. */
  settledThrough(): number | null {
    return this.#metaNumber("settledThrough");
  }

  /** What the account held before the runner's first order, by symbol; empty before the first reconciliation. */
  baseline(): ReadonlyMap<string, string> {
    const rows = this.#database.prepare("SELECT * FROM baseline").all().map(baselineFrom);
    return new Map(rows.map(({ symbol, quantity }) => [symbol, quantity]));
  }

  isWaived(kind: WaivedKind, id: string): boolean {
    return this.#get("SELECT 1 AS found FROM waived WHERE kind = ? AND id = ?", kind, id) !== undefined;
  }

  cursors(): readonly CursorRow[] {
    return this.#database.prepare("SELECT * FROM cursor ORDER BY symbol").all().map(cursorFrom);
  }

  anchor(symbol: string): AnchorRow | null {
    const row = this.#get("SELECT * FROM anchor WHERE symbol = ?", symbol);
    return row ? anchorFrom(row) : null;
  }

  savedState(symbol: string): SavedRow | null {
    const row = this.#get("SELECT * FROM strategy_state WHERE symbol = ?", symbol);
    return row ? savedFrom(row) : null;
  }

  /** The newest day that began; null before the first candle. */
  newestDay(): DayRow | null {
    const row = this.#get("SELECT * FROM day ORDER BY day DESC LIMIT 1");
    return row ? dayFrom(row) : null;
  }

  /** Orders that are not final, in the order they were decided. Bounded by the handler's limits on what is in flight. */
  activeIntents(): readonly IntentRow[] {
    const sql = "SELECT * FROM intent WHERE status IN ('pending', 'unknown', 'open') ORDER BY rowid";
    return this.#database.prepare(sql).all().map(intentFrom);
  }

  /** Any order, final or not; null where the journal does not know the id. */
  intent(clientOrderId: string): IntentRow | null {
    const row = this.#get("SELECT * FROM intent WHERE client_order_id = ?", clientOrderId);
    return row ? intentFrom(row) : null;
  }

  /** Decisions with a time in (`after`, `through`] that nothing kept from the broker. */
  decidedBetween(after: number, through: number): number {
    const sql = "SELECT count(*) AS n FROM intent WHERE refusal IS NULL AND decided_at > ? AND decided_at <= ?";
    return Number(this.#get(sql, after, through)?.n);
  }

  /** Every fill and adjustment of a symbol in the order in which decisions saw them, read page by page. */
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

  fillsOfOrder(clientOrderId: string): readonly FillRow[] {
    const sql = "SELECT * FROM fill WHERE client_order_id = ? ORDER BY rowid";
    return this.#database.prepare(sql).all(clientOrderId).map(fillFrom);
  }

  /** Fills of the orders handed to the broker at or after that exchange time. */
  fillsSentSince(sentAt: number): readonly FillRow[] {
    const sql = "SELECT f.* FROM intent i JOIN fill f USING (client_order_id) WHERE i.sent_at >= ? ORDER BY f.rowid";
    return this.#database.prepare(sql).all(sentAt).map(fillFrom);
  }

  fill(fillId: string): FillRow | null {
    const row = this.#get("SELECT * FROM fill WHERE fill_id = ?", fillId);
    return row ? fillFrom(row) : null;
  }

  adjustmentCount(): number {
    return Number(this.#get("SELECT count(*) AS n FROM fill WHERE client_order_id IS NULL")?.n);
  }

  symbolsWithFills(): readonly string[] {
    const rows = this.#database.prepare("SELECT DISTINCT symbol FROM fill ORDER BY symbol").all();
    return rows.map((row) => String(row.symbol));
  }

  /** The newest orders, newest first. */
  newestOrders(limit: number): readonly OrderRow[] {
    return orderRows(this.#database, this.binding.runner, limit);
  }

  newestTrades(limit: number): NewestTrades {
    return newestTrades(this.#database, limit);
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
      const writer = this.#checkWriter();
      run();
      this.#database.exec("COMMIT");
      this.#writer = writer;
    } catch (error) {
      this.#halted = new JournalHalted(this.path, what, error);
      this.#rollBack();
      throw this.#halted;
    }
  }

  /**
   * Opening makes a process the journal's writer, before it reads anything, and everyone before it is none any more: where a name's
   * lock was lost (its file deleted) and a second runner began, the first halts before its next order. What the second has read
   * can change no more, so that it sends nothing which the first has sent.
   */
  #claim(): void {
    try {
      this.#write("the claim of its writer", () => undefined);
    } catch (error) {
      // A full disk now is no other than one at the first order: each later write tells of it.
      if (!(error instanceof JournalHalted)) throw error;
    }
  }

  #checkWriter(): number {
    const newest = Number(this.#get("PRAGMA application_id")?.application_id);
    if (this.#writer === newest) return newest;
    if (this.#writer !== null) throw new AnotherWriter();
    const writer = newest >= MAX_WRITERS ? 1 : newest + 1;
    this.#database.exec(`PRAGMA application_id = ${writer}`);
    return writer;
  }

  /** After some failures SQLite has rolled back by itself, and says so; either way nothing of the transaction is left. */
  #rollBack(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch (error) {
      assert(this.#halted !== null, `a journal that cannot roll back (${messageOf(error)}) is halted`);
    }
  }

  #change(change: OrderChange): void {
    const { status, reason, sentAt, sentWallAt, ackAt, ackWallAt, clientOrderId, was } = change;
    this.#sql.change.run(status, reason, sentAt, sentWallAt, ackAt, ackWallAt, clientOrderId, was);
    if (Number(this.#get("SELECT changes() AS n")?.n) !== 1)
      throw new Error(`order ${clientOrderId} is not ${was} there, as it is held to be`);
  }

  #get(sql: string, ...values: readonly SqlValue[]): Readonly<Record<string, SqlValue>> | undefined {
    return this.#database.prepare(sql).get(...values);
  }

  #metaNumber(key: string): number | null {
    const row = this.#get("SELECT value FROM meta WHERE key = ?", key);
    return row ? Number(row.value) : null;
  }
}
