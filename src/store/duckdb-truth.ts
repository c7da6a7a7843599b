import type { Candle } from "../core/candle.ts";
import type { Clock, Files, Random } from "../core/env.ts";
import { assert, FabricError } from "../core/errors.ts";
import { SCHEMA_VERSION, type SymbolHead } from "./contract.ts";
import { type Cell, type Connection, Database, isFatal, literal, storeFailure } from "./duckdb.ts";
import type { StoreLayout } from "./layout.ts";
import { importsOf, latestRevisions, newestRows } from "./lookups.ts";
import type { Lane, SegmentContent, SegmentRange, Truth, TruthChange, TruthState } from "./ports.ts";
import { CREATE_TABLES, IS_DELIVERED, numberOrNull } from "./schema.ts";
import { writeSegmentFile } from "./segment-file.ts";
import { appendChange } from "./truth-change.ts";
import { isSame, UnsettledWrite } from "./unsettled-write.ts";

export interface TruthDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * DuckDB checkpoints by itself inside a commit once its log passes `wal_autocheckpoint`, and such a commit takes 100 ms. So that
 * bound is only a safety net here; `checkpoint` is called while the writer is idle. From storage version 1.4 on a checkpoint leaves the
 * metadata of unchanged row groups where it is: with a year of 100 symbols it takes 10 ms instead of 50 to 600, and so do a stop
 * and a start after a kill. A file made with an older version keeps it. What the cache holds is mostly blocks that were written and
 * will not be read again: with a larger limit it would only grow with the file.
 */
const SETTINGS = {
  threads: "2",
  memory_limit: "128MB",
  wal_autocheckpoint: "256MB",
  storage_compatibility_version: "v1.4.0",
};

/** The newest row's number, looked for above `fromSeq` alone, and the rest of the state. */
const stateSql = (fromSeq: number) => `SELECT (SELECT max(commit_seq) FROM candle WHERE commit_seq >= ${fromSeq}),
  (SELECT coalesce(max(revision_seq), 0) FROM candle_revision), (SELECT coalesce(max(gap_seq), 0) FROM feed_gap),
  epoch_ms(closed_through), environment FROM meta`;

/**
 * market.duckdb, held open for writing. One transaction at a time (the writer queues them). A failed one leaves the file as it
 * was; where DuckDB declares its instance unusable, the file is opened anew by the next call.
 */
export class DuckDbTruth implements Truth {
  readonly #layout: StoreLayout;
  readonly #deps: TruthDeps;
  readonly #checkpointBytes: number;
  #database: Database | null = null;
  #main: Connection | null = null;
  #side: Connection | null = null;
  #sideWork: Promise<unknown> = Promise.resolve();
  #state: TruthState = { commitSeq: 0, revisionSeq: 0, gapSeq: 0, closedThrough: null, environment: null };
  readonly #unsettled = new UnsettledWrite();
  #storeId = "";

  /** `checkpointBytes`: the log's length from which `checkpointIfDue` folds it into the file. */
  constructor(layout: StoreLayout, deps: TruthDeps, checkpointBytes: number) {
    this.#layout = layout;
    this.#deps = deps;
    this.#checkpointBytes = checkpointBytes;
  }

  get storeId(): string {
    return this.#storeId;
  }

  get state(): TruthState {
    return this.#state;
  }

  /**
   * Opens or makes the store. Throws FabricError "refused" (role, another venue), "config" (another schema version, not a
   * database), "unavailable" (another process holds it, with its pid), "io".
   */
  async open(venue: string): Promise<void> {
    try {
      const main = await this.#usable();
      const tables = await main.rows("SELECT table_name FROM duckdb_tables() WHERE table_name = 'meta'");
      if (tables.length === 0) await this.#create(main, venue);
      const found = (await main.rows("SELECT store_id, venue, schema_version FROM meta"))[0];
      assert(found, "a store's meta table holds one row");
      this.#checkKind(venue, found);
      this.#storeId = String(found[0]);
      this.#state = await readState(main);
    } catch (error) {
      await this.close();
      throw storeFailure("open the market store", this.#layout.market, error);
    }
  }

  /**
   * One transaction that takes the state to `after`; durable when it resolves. Rejects with FabricError and changes nothing
   * otherwise. A transaction whose commit reported a failure and yet is in the file counts as done, now or when it is repeated.
   */
  async write(after: TruthState, change: TruthChange): Promise<void> {
    const tellable = !isSame(after, this.#state);
    let isUnderWay = false;
    try {
      const main = await this.#usable();
      if (!(await this.#isDone(main, after))) {
        isUnderWay = true;
        await this.#transact(main, after, change);
      }
    } catch (error) {
      if (!isUnderWay && isFatal(error)) await this.#drop();
      if (isUnderWay && tellable) this.#unsettled.doubt(after, change);
      if (!isUnderWay || !(await this.#settledAfterFailure(after, error)) || !tellable)
        throw storeFailure("commit to the market store", this.#layout.market, error);
    }
    this.#unsettled.settled();
    this.#state = after;
  }

  /** The side lane has a snapshot of its own and runs beside the main one; its calls come one at a time, too. */
  writeSegment(range: SegmentRange, lane: Lane): Promise<SegmentContent> {
    return this.#run("publish from the market store", lane, (connection) => writeSegmentFile(range, connection));
  }

  importsOf(candles: readonly Candle[], heads: ReadonlyMap<string, SymbolHead>) {
    // Nothing is asked of the database in a running market.
    return importsOf(candles, heads, this.#state.commitSeq === 0 ? null : (sql) => this.#rows(sql));
  }

  latestRevisions(candles: readonly Candle[]) {
    return latestRevisions(candles, (sql) => this.#rows(sql));
  }

  newest(afterSeq: number): Promise<readonly Candle[]> {
    return newestRows(afterSeq, (sql) => this.#rows(sql));
  }

  /** Folds the log into the file where it has grown long. A failure is fatal to DuckDB's instance, not to the data. */
  async checkpointIfDue(): Promise<void> {
    const log = this.#deps.files.stat(this.#layout.marketWal);
    if (log === null || log.sizeBytes < this.#checkpointBytes) return;
    await this.#run("checkpoint the market store", "main", (connection) => connection.run("CHECKPOINT"));
  }

  /** The delivery heads over rows after `afterSeq`, put over `heads`. */
  async foldHeads(afterSeq: number, heads: Map<string, SymbolHead>): Promise<void> {
    const rows = await this.#rows(`SELECT symbol, epoch_ms(max(open_time)), max(commit_seq), arg_max(close, commit_seq),
      arg_max_null(last_trade_id, commit_seq) FROM candle WHERE commit_seq > ${afterSeq} AND ${IS_DELIVERED} GROUP BY symbol`);
    for (const [symbol, lastOpenTime, lastCommitSeq, lastClose, lastTradeId] of rows) {
      heads.set(String(symbol), {
        lastOpenTime: Number(lastOpenTime),
        lastCommitSeq: Number(lastCommitSeq),
        lastClose: Number(lastClose),
        lastTradeId: numberOrNull(lastTradeId),
      });
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#drop();
  }

  #rows(sql: string): Promise<readonly (readonly Cell[])[]> {
    return this.#run("read the market store", "main", (connection) => connection.rows(sql));
  }

  /** A fatal error on the side lane is left for the main lane to find: dropping the instance waits for the side lane. */
  async #run<T>(action: string, lane: Lane, work: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      const main = await this.#usable();
      if (lane === "main") return await work(main);
      const side = this.#side;
      assert(side, "an open store has a side connection");
      const result = work(side);
      this.#sideWork = result.catch(() => undefined);
      return await result;
    } catch (error) {
      if (lane === "main" && isFatal(error)) await this.#drop();
      throw storeFailure(action, this.#layout.market, error);
    }
  }

  async #usable(): Promise<Connection> {
    if (this.#main) return this.#main;
    this.#database = await Database.file(this.#layout.market, SETTINGS, this.#deps.files);
    this.#side = await this.#database.connect();
    this.#main = await this.#database.connect();
    return this.#main;
  }

  /** The file may be opened anew only when no connection of this process holds the old instance any more. */
  async #drop(): Promise<void> {
    await this.#sideWork;
    this.#database?.close();
    this.#database = null;
    this.#main = null;
    this.#side = null;
  }

  async #create(main: Connection, venue: string): Promise<void> {
    await main.run("BEGIN");
    for (const sql of CREATE_TABLES) await main.run(sql);
    await main.run(
      `INSERT INTO meta VALUES (${literal(this.#deps.random.uuid())}, ${literal(venue)}, NULL, ${SCHEMA_VERSION}, NULL)`,
    );
    await main.run("COMMIT");
  }

  #checkKind(venue: string, found: readonly Cell[]): void {
    const [, foundVenue, version] = found;
    if (version !== SCHEMA_VERSION) {
      throw new FabricError(
        "config",
        `Cannot open the market store ${this.#layout.market}: it has schema version ${String(version)} and this fabric needs ${SCHEMA_VERSION}; use the fabric that wrote it, or another data folder`,
      );
    }
    if (foundVenue !== venue) {
      throw new FabricError(
        "refused",
        `Cannot open the market store ${this.#layout.market} for venue "${venue}": it holds venue "${String(foundVenue)}"; use another data folder`,
      );
    }
  }

  async #transact(main: Connection, after: TruthState, change: TruthChange): Promise<void> {
    await main.run("BEGIN");
    try {
      await appendChange(main, this.#state, after, change);
      await main.run("COMMIT");
    } catch (error) {
      // After a failed COMMIT there is nothing left to roll back, and DuckDB says so: not news.
      await main.run("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  /** Whether this very transaction is in the file already. Throws where another one is that was in doubt: the caller tries again. */
  async #isDone(main: Connection, after: TruthState): Promise<boolean> {
    if (!this.#unsettled.isPending) return false;
    const found = await readState(main);
    const settlement = this.#unsettled.settle(found, this.#state, after);
    if (settlement === "write" || settlement === "done") return settlement === "done";
    if (settlement === "rework") this.#state = found;
    throw new FabricError(
      "try-again",
      "a transaction that had failed turned out to be in the store; this one comes after it",
    );
  }

  async #settledAfterFailure(after: TruthState, error: unknown): Promise<boolean> {
    if (isFatal(error)) await this.#drop();
    try {
      return isSame(await readState(await this.#usable()), after);
    } catch (unreadable) {
      // Whether it took place is found out by the repetition, once the store can be read again.
      if (isFatal(unreadable)) await this.#drop();
      return false;
    }
  }
}

/**
 * DuckDB answers max() from its statistics, but not where it has replayed its log: then it reads the whole column. The numbers have
 * no holes, so the newest is not below the number of rows, which DuckDB's catalogue tells or estimates; where it told too many,
 * all are looked at.
 */
async function readState(connection: Connection): Promise<TruthState> {
  const sizes = await connection.rows("SELECT estimated_size FROM duckdb_tables() WHERE table_name = 'candle'");
  const estimated = Number(sizes[0]?.[0] ?? 0);
  let row = (await connection.rows(stateSql(estimated)))[0];
  if (row?.[0] === null && estimated > 0) row = (await connection.rows(stateSql(0)))[0];
  assert(row, "a store's meta table holds one row");
  return {
    commitSeq: Number(row[0] ?? 0),
    revisionSeq: Number(row[1]),
    gapSeq: Number(row[2]),
    closedThrough: numberOrNull(row[3]),
    environment: row[4] === null || row[4] === undefined ? null : String(row[4]),
  };
}
