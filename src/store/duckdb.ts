import type {
  DuckDBConnection,
  DuckDBInstance,
  DuckDBPreparedStatement,
  DuckDBType,
  DuckDBValue,
} from "@duckdb/node-api";
import type { Files } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { guardOpening, type Opening } from "./guard.ts";
import type { ValueType } from "./json-value.ts";

/** A value as DuckDB's binding gives it: BIGINT as bigint, nested and time types as the binding's objects. */
export type Cell = DuckDBValue;

/** A table as a query gives it, whole in memory. */
export interface Answer {
  readonly names: readonly string[];
  readonly types: readonly ValueType[];
  readonly rows: readonly (readonly Cell[])[];
  /** There were more rows than asked for. */
  readonly truncated: boolean;
}

/** What a fresh instance is given; see DuckDB's configuration page for the names. */
export type Settings = Readonly<Record<string, string>>;

/** Largest vector the binding takes in one chunk (DuckDB's STANDARD_VECTOR_SIZE). */
const CHUNK_ROWS = 2048;
const TIMESTAMP_TYPE = 12;
const BIGINT_TYPE = 5;

type Library = typeof import("@duckdb/node-api");

/** libduckdb is 70 MB: it is loaded by the first database, not by importing this file. The runtime caches the module. */
function loadLibrary(): Promise<Library> {
  return import("@duckdb/node-api");
}

/** An open DuckDB instance. Keep it in a live field until `close`: a collected handle drops its file lock. */
export class Database {
  readonly #library: Library;
  readonly #instance: DuckDBInstance;
  readonly #opening: Opening | null;
  readonly #connections = new Set<Connection>();

  private constructor(library: Library, instance: DuckDBInstance, opening: Opening | null) {
    this.#library = library;
    this.#instance = instance;
    this.#opening = opening;
    opening?.keep(this);
  }

  /** In memory: free to every role. Never spills to disk; `memory_limit` is its bound. */
  static async memory(settings: Settings): Promise<Database> {
    const library = await loadLibrary();
    return new Database(
      library,
      await library.DuckDBInstance.create(":memory:", { ...settings, temp_directory: "" }),
      null,
    );
  }

  /** On disk, for reading and writing: through the role guard, which throws before the library is even loaded. */
  static async file(path: string, settings: Settings, files: Files): Promise<Database> {
    const opening = guardOpening(path, files);
    try {
      const library = await loadLibrary();
      return new Database(library, await library.DuckDBInstance.create(opening.path, { ...settings }), opening);
    } catch (error) {
      opening.release();
      throw error;
    }
  }

  /** A connection in UTC. */
  async connect(): Promise<Connection> {
    const connection = new Connection(this.#library, await this.#instance.connect());
    this.#connections.add(connection);
    await connection.run("SET TimeZone = 'UTC'");
    return connection;
  }

  /** Closes its connections, then the file. Idempotent. */
  close(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    this.#instance.closeSync();
    this.#opening?.release();
  }
}

/** One connection. DuckDB works on its own threads: calls do not block the event loop, except `append` (memory only). */
export class Connection {
  readonly #library: Library;
  readonly #connection: DuckDBConnection;
  #closed = false;

  constructor(library: Library, connection: DuckDBConnection) {
    this.#library = library;
    this.#connection = connection;
  }

  /** Runs trusted SQL whose result nobody needs. Throws the driver's error. */
  async run(sql: string): Promise<void> {
    await this.#connection.run(sql);
  }

  /** Runs trusted SQL and reads every row. Throws the driver's error. */
  async rows(sql: string): Promise<readonly (readonly Cell[])[]> {
    const reader = await this.#connection.runAndReadAll(sql);
    return reader.getRows();
  }

  /**
   * Runs one SELECT, looked at by DuckDB's own statement type before it runs, and reads at most `maxRows` rows. Throws
   * FabricError "refused" for every other statement (ATTACH, COPY, SET …) and for several in one text. EXPLAIN passes only
   * where the caller has made sure of what is explained: EXPLAIN ANALYZE runs it.
   */
  async select(sql: string, maxRows = Number.POSITIVE_INFINITY, explain = false): Promise<Answer> {
    const extracted = await this.#connection.extractStatements(sql);
    if (extracted.count !== 1) throw notASelect(`${extracted.count} statements`);
    const prepared = await extracted.prepare(0);
    try {
      const { SELECT, EXPLAIN } = this.#library.StatementType;
      const type = prepared.statementType;
      if (type !== SELECT && !(explain && type === EXPLAIN)) throw notASelect(this.#library.StatementType[type]);
      return await readRows(prepared, maxRows);
    } finally {
      prepared.destroySync();
    }
  }

  /** Parses user SQL without binding or running any of it; the answer is DuckDB's JSON tree or its error, as JSON text. */
  async parse(sql: string): Promise<string> {
    const reader = await this.#connection.runAndReadAll("SELECT json_serialize_sql($1::VARCHAR)", [sql]);
    return String(reader.getRows()[0]?.[0]);
  }

  /**
   * Appends to a table inside the transaction the caller began. One array a column, all of one length; TIMESTAMP columns
   * take epoch ms, BIGINT columns safe integers. Throws the driver's error; the caller rolls back.
   */
  async append(table: string, columns: readonly (readonly (string | number | null)[])[]): Promise<void> {
    const appender = await this.#connection.createAppender(table);
    const types = columns.map((_, index) => appender.columnType(index));
    const total = columns[0]?.length ?? 0;
    for (let start = 0; start < total; start += CHUNK_ROWS) {
      const rows = Math.min(CHUNK_ROWS, total - start);
      const chunk = this.#library.DuckDBDataChunk.create(types, rows);
      chunk.setColumns(
        columns.map((column, index) =>
          column.slice(start, start + rows).map((value) => this.#toCell(value, types[index])),
        ),
      );
      appender.appendDataChunk(chunk);
    }
    appender.flushSync();
    appender.closeSync();
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.disconnectSync();
  }

  #toCell(value: string | number | null, type: DuckDBType | undefined): DuckDBValue {
    if (typeof value !== "number") return value;
    const typeId: number | undefined = type?.typeId;
    if (typeId === TIMESTAMP_TYPE) return new this.#library.DuckDBTimestampValue(BigInt(value) * 1000n);
    return typeId === BIGINT_TYPE ? BigInt(value) : value;
  }
}

async function readRows(prepared: DuckDBPreparedStatement, maxRows: number): Promise<Answer> {
  const result = await prepared.stream();
  const rows: (readonly Cell[])[] = [];
  let truncated = false;
  for await (const batch of result.yieldRows()) {
    for (const row of batch) {
      if (rows.length < maxRows) rows.push(row);
      else truncated = true;
    }
    if (truncated) break;
  }
  return { names: result.columnNames(), types: result.columnTypes() as unknown as ValueType[], rows, truncated };
}

/** A text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Whether an instance is beyond use after this error, and has to be opened anew. */
export function isFatal(error: unknown): boolean {
  return /FATAL|database has been invalidated/.test(messageOf(error));
}

/** Whether a query failed because a segment file it was told to read is gone. */
export function isMissingFile(error: unknown): boolean {
  return /No files found|No such file|Cannot open file/i.test(messageOf(error));
}

/** A driver's error on one line, for logs and health, without DuckDB's excerpt of the SQL. */
export function driverMessage(error: unknown): string {
  const excerpt = /\n+LINE \d+: [\s\S]*$/;
  return messageOf(error)
    .trim()
    .replace(excerpt, "")
    .replace(/\s*[\n\r\u2028\u2029]\s*/g, " ");
}

/** A failure of the store's database as the house's error: who holds the lock, disk trouble, or a bug. */
export function storeFailure(action: string, path: string, error: unknown): FabricError {
  if (error instanceof FabricError) return error;
  const text = messageOf(error);
  const told = driverMessage(error);
  const cause = { cause: error };
  const holder = /Conflicting lock is held.*?PID (\d+)/s.exec(text)?.[1];
  if (holder || /Could not set lock/.test(text)) {
    return new FabricError(
      "unavailable",
      `Cannot ${action} ${path}: process ${holder ?? "(unknown)"} holds it; stop that market-data node first, or use another data folder`,
      cause,
    );
  }
  if (/not a valid DuckDB database file/.test(text)) {
    return new FabricError(
      "config",
      `Cannot ${action} ${path}: it is not a DuckDB database; move it away, or use another data folder`,
      cause,
    );
  }
  if (/IO Error|No space left|Could not (write|sync|create|open|read)|Cannot open file|Permission denied/i.test(text)) {
    return new FabricError("io", `Cannot ${action} ${path}: ${told}`, cause);
  }
  return new FabricError("internal", `Cannot ${action} ${path}: ${told}`, cause);
}

function notASelect(found: string | undefined): FabricError {
  return new FabricError(
    "refused",
    `Refused to run this SQL: one SELECT is needed, found ${found ?? "something else"}`,
  );
}
