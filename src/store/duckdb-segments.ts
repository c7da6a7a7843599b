import type { NumberedGap } from "../core/bars.ts";
import type { FeedGap, StoredCandle } from "../core/candle.ts";
import { FabricError } from "../core/errors.ts";
import { type BarRange, type BarRow, barRow, barSql } from "./bar-rows.ts";
import { CallQueue } from "./call-queue.ts";
import { type Cell, type Connection, Database, driverMessage, isFatal, isMissingFile, literal } from "./duckdb.ts";
import type { SegmentRows } from "./ports.ts";
import { CANDLE_SELECT, feedGap, GAP_SELECT, IS_DELIVERED, storedCandle } from "./schema.ts";

/**
 * Without DuckDB's cache of file contents: it goes by a file's time stamp, and could hand on what was read of a file while that
 * was damaged. The operating system caches the same pages.
 */
const SETTINGS = { threads: "2", memory_limit: "512MB", enable_external_file_cache: "false" };

/** Reads that may wait for the one in progress: a connection streams one result at a time. */
const MAX_WAITING_READS = 1000;

/** Published Parquet files, read by a DuckDB in memory that is loaded by the first read. */
export class DuckDbSegments implements SegmentRows {
  readonly #queue = new CallQueue(MAX_WAITING_READS);
  #database: Promise<Database> | null = null;
  #connection: Promise<Connection> | null = null;

  async delivery(
    paths: readonly string[],
    afterSeq: number,
    limit: number,
    symbols: ReadonlySet<string> | "all",
  ): Promise<readonly StoredCandle[]> {
    const wanted = symbols === "all" ? "" : `AND symbol IN (${[...symbols].map(literal).join(", ")})`;
    const rows = await this.#select(
      paths,
      CANDLE_SELECT,
      `WHERE commit_seq > ${afterSeq} AND ${IS_DELIVERED} ${wanted} ORDER BY commit_seq LIMIT ${limit}`,
    );
    return rows.map(storedCandle);
  }

  async history(
    paths: readonly string[],
    symbol: string,
    fromOpenTime: number,
    toOpenTime: number,
  ): Promise<readonly StoredCandle[]> {
    const rows = await this.#select(
      paths,
      CANDLE_SELECT,
      `WHERE symbol = ${literal(symbol)} AND open_time BETWEEN make_timestamp_ms(${Math.floor(fromOpenTime)})
        AND make_timestamp_ms(${Math.floor(toOpenTime)}) ORDER BY open_time`,
    );
    return rows.map(storedCandle);
  }

  async latest(paths: readonly string[], symbol: string, limit: number): Promise<readonly StoredCandle[]> {
    const rest = `WHERE symbol = ${literal(symbol)} ORDER BY open_time DESC LIMIT ${limit}`;
    return (await this.#select(paths, CANDLE_SELECT, rest)).map(storedCandle);
  }

  async gaps(paths: readonly string[], symbol: string | null): Promise<readonly FeedGap[]> {
    const wanted = symbol === null ? "" : `WHERE symbol = ${literal(symbol)}`;
    return (await this.#select(paths, GAP_SELECT, `${wanted} ORDER BY gap_seq`)).map(feedGap);
  }

  /** Bars of a range, newest first; rejects as the others. */
  async bars(paths: readonly string[], range: BarRange): Promise<readonly BarRow[]> {
    return (await this.#ask(paths, barSql(paths, range))).map((row) => barRow(range.symbol, row));
  }

  /** The newest recorded gaps numbered below `before`, newest first; rejects as the others. */
  async newestGaps(
    paths: readonly string[],
    symbol: string | null,
    before: number | null,
    limit: number,
  ): Promise<readonly NumberedGap[]> {
    const wanted = [
      ...(symbol === null ? [] : [`symbol = ${literal(symbol)}`]),
      ...(before === null ? [] : [`gap_seq < ${before}`]),
    ];
    const where = wanted.length === 0 ? "" : `WHERE ${wanted.join(" AND ")}`;
    const rows = await this.#select(paths, `${GAP_SELECT}, gap_seq`, `${where} ORDER BY gap_seq DESC LIMIT ${limit}`);
    return rows.map((row) => ({ ...feedGap(row), gapSeq: Number(row[4]) }));
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    await this.#drop();
  }

  #select(paths: readonly string[], columns: string, rest: string): Promise<readonly (readonly Cell[])[]> {
    const sql = `SELECT ${columns} FROM read_parquet([${paths.map(literal).join(", ")}], union_by_name = true) ${rest}`;
    return this.#ask(paths, sql);
  }

  async #ask(paths: readonly string[], sql: string): Promise<readonly (readonly Cell[])[]> {
    try {
      this.#connection ??= this.#connect();
      const connection = await this.#connection;
      return (await this.#queue.run(() => connection.select(sql))).rows;
    } catch (error) {
      if (isFatal(error)) await this.#drop();
      throw readFailure(paths[0] ?? "", error);
    }
  }

  /** The next read opens an instance anew. What else waits on this one fails, and is asked again. */
  async #drop(): Promise<void> {
    const database = this.#database;
    this.#database = null;
    this.#connection = null;
    (await database)?.close();
  }

  async #connect(): Promise<Connection> {
    this.#database ??= Database.memory(SETTINGS);
    return (await this.#database).connect();
  }
}

/**
 * The SQL is ours and right, so a read fails for its files' sake or for memory's: both pass. (DuckDB has a hundred texts for a
 * Parquet file that is not whole, and takes some of them for errors in the SQL.)
 */
function readFailure(path: string, error: unknown): FabricError {
  if (error instanceof FabricError) return error;
  const folder = path.slice(0, path.lastIndexOf("/"));
  const code = isMissingFile(error) ? "missing-input" : "unavailable";
  return new FabricError(code, `Cannot read segments in ${folder}: ${driverMessage(error)}`, { cause: error });
}
