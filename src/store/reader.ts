import type { FeedGap, StoredCandle } from "../core/candle.ts";
import type { Clock, Files, Timers } from "../core/env.ts";
import { FabricError } from "../core/errors.ts";
import { CallQueue } from "./call-queue.ts";
import type { DeliveryPage, StoreReader, StoreView } from "./contract.ts";
import { type Cell, type Connection, Database, driverMessage, isMissingFile, literal, storeFailure } from "./duckdb.ts";
import { storeLayout } from "./layout.ts";
import { type Manifest, type Segment, viewOf } from "./manifest.ts";
import { ManifestReader } from "./manifest-reader.ts";
import { CANDLE_SELECT, feedGap, GAP_SELECT, IS_DELIVERED, storedCandle } from "./schema.ts";

export interface StoreReaderDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
}

const SETTINGS = { threads: "2", memory_limit: "512MB" };

/** A page's rows at most, whatever the caller asks for. */
const MAX_PAGE_ROWS = 100_000;
/** Rows looked at for one page, so that a consumer of few symbols catches up in steps of bounded cost. */
const MAX_SCANNED_ROWS = 500_000;
/** A file vanishes under a reader when it was merged away; the newer manifest lists its successor. */
const MAX_ATTEMPTS = 5;
const RETRY_MS = 20;
const FIRST_FILES_FOR_LATEST = 8;
/** Reads that may wait for the one in progress: a connection streams one result at a time. */
const MAX_WAITING_READS = 1000;

/**
 * Opens nothing yet: neither the store nor DuckDB has to be there. Every role may; it never touches market.duckdb. A poll that
 * finds nothing new resolves without leaving the event loop's turn: pace polls with a timer.
 */
export function openStoreReader(options: { readonly folder: string }, deps: StoreReaderDeps): StoreReader {
  return new SegmentReader(options.folder, deps);
}

class SegmentReader implements StoreReader {
  readonly #segmentsFolder: string;
  readonly #manifests: ManifestReader;
  readonly #deps: StoreReaderDeps;
  #database: Promise<Database> | null = null;
  #connection: Promise<Connection> | null = null;
  readonly #queue = new CallQueue(MAX_WAITING_READS);
  #closed = false;
  #viewed: { readonly manifest: Manifest; readonly view: StoreView } | null = null;

  constructor(folder: string, deps: StoreReaderDeps) {
    const layout = storeLayout(folder);
    this.#segmentsFolder = layout.segments;
    this.#manifests = new ManifestReader(layout.manifest, deps.files, deps.clock);
    this.#deps = deps;
  }

  async view(): Promise<StoreView | null> {
    const manifest = this.#manifests.read();
    return manifest && this.#viewOf(manifest);
  }

  delivery(afterSeq: number, limit: number, symbols: ReadonlySet<string> | "all"): Promise<DeliveryPage | null> {
    return this.#withManifest(async (manifest) => {
      const view = this.#viewOf(manifest);
      if (afterSeq >= manifest.throughSeq) return { candles: [], throughSeq: afterSeq, view };
      const pageRows = Math.max(1, Math.min(limit, MAX_PAGE_ROWS));
      const segments = segmentsAfter(manifest, afterSeq);
      const last = segments.at(-1)?.lastSeq ?? manifest.throughSeq;
      if (symbols !== "all" && symbols.size === 0) return { candles: [], throughSeq: last, view };
      const wanted = symbols === "all" ? "" : `AND symbol IN (${[...symbols].map(literal).join(", ")})`;
      const rows = await this.#select(
        segments,
        CANDLE_SELECT,
        `WHERE commit_seq > ${afterSeq} AND ${IS_DELIVERED} ${wanted} ORDER BY commit_seq LIMIT ${pageRows}`,
      );
      const candles = rows.map(storedCandle);
      const isFull = candles.length === pageRows;
      return { candles, throughSeq: isFull ? (candles.at(-1)?.commitSeq ?? last) : last, view };
    });
  }

  async history(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly StoredCandle[]> {
    const found = await this.#withManifest(async (manifest) => {
      const segments = manifest.segments.filter(
        (segment) =>
          segment.kind === "candle" && segment.maxOpenTime >= fromOpenTime && segment.minOpenTime <= toOpenTime,
      );
      const rows = await this.#select(
        segments,
        CANDLE_SELECT,
        `WHERE symbol = ${literal(symbol)} AND open_time BETWEEN make_timestamp_ms(${Math.floor(fromOpenTime)})
          AND make_timestamp_ms(${Math.floor(toOpenTime)}) ORDER BY open_time`,
      );
      return rows.map(storedCandle);
    });
    return found ?? [];
  }

  async latest(symbol: string, limit: number): Promise<readonly StoredCandle[]> {
    const found = await this.#withManifest(async (manifest) => {
      const newestFirst = manifest.segments
        .filter((segment) => segment.kind === "candle")
        .sort((one, other) => other.maxOpenTime - one.maxOpenTime);
      for (let files = FIRST_FILES_FOR_LATEST; ; files *= 4) {
        const rows = await this.#select(
          newestFirst.slice(0, files),
          CANDLE_SELECT,
          `WHERE symbol = ${literal(symbol)} ORDER BY open_time DESC LIMIT ${Math.max(1, limit)}`,
        );
        const oldest = Number(rows.at(-1)?.[1] ?? Number.NEGATIVE_INFINITY);
        const isDone = rows.length >= limit && (newestFirst[files]?.maxOpenTime ?? Number.NEGATIVE_INFINITY) < oldest;
        if (isDone || files >= newestFirst.length) return rows.map(storedCandle).reverse();
      }
    });
    return found ?? [];
  }

  async gaps(symbol: string | null): Promise<readonly FeedGap[]> {
    const found = await this.#withManifest(async (manifest) => {
      const segments = manifest.segments.filter((segment) => segment.kind === "gap");
      const wanted = symbol === null ? "" : `WHERE symbol = ${literal(symbol)}`;
      return (await this.#select(segments, GAP_SELECT, `${wanted} ORDER BY gap_seq`)).map(feedGap);
    });
    return found ?? [];
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue.idle();
    const database = this.#database;
    this.#database = null;
    this.#connection = null;
    (await database)?.close();
  }

  #viewOf(manifest: Manifest): StoreView {
    if (this.#viewed?.manifest !== manifest) this.#viewed = { manifest, view: viewOf(manifest) };
    return this.#viewed.view;
  }

  /** Runs `read` on one manifest's state; once more on a newer one where a listed file was gone. */
  async #withManifest<T>(read: (manifest: Manifest) => Promise<T>): Promise<T | null> {
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new FabricError("unavailable", "Cannot read the market store: this reader is closed");
      const manifest = this.#manifests.read();
      if (manifest === null) return null;
      try {
        return await read(manifest);
      } catch (error) {
        if (!isMissingFile(error)) throw storeFailure("read segments in", this.#segmentsFolder, error);
        if (attempt === MAX_ATTEMPTS) {
          throw new FabricError(
            "unavailable",
            `Cannot read segments in ${this.#segmentsFolder}: a listed file is missing; restart the market-data node, which rebuilds it (${driverMessage(error)})`,
            { cause: error },
          );
        }
        this.#manifests.forget();
        await new Promise<void>((resolve) => this.#deps.timers.after(RETRY_MS, resolve));
      }
    }
  }

  async #select(segments: readonly Segment[], columns: string, rest: string): Promise<readonly (readonly Cell[])[]> {
    if (segments.length === 0) return [];
    this.#connection ??= this.#connect();
    const files = segments.map((segment) => literal(`${this.#segmentsFolder}/${segment.file}`)).join(", ");
    const connection = await this.#connection;
    const sql = `SELECT ${columns} FROM read_parquet([${files}], union_by_name = true) ${rest}`;
    return (await this.#queue.run(() => connection.select(sql))).rows;
  }

  async #connect(): Promise<Connection> {
    this.#database ??= Database.memory(SETTINGS);
    return (await this.#database).connect();
  }
}

/** The segments with rows past `afterSeq`, oldest first, up to the scan's bound. */
function segmentsAfter(manifest: Manifest, afterSeq: number): readonly Segment[] {
  const chosen: Segment[] = [];
  let rows = 0;
  for (const segment of manifest.segments) {
    if (segment.kind !== "candle" || segment.lastSeq <= afterSeq) continue;
    if (chosen.length > 0 && rows + segment.rows > MAX_SCANNED_ROWS) break;
    chosen.push(segment);
    rows += segment.rows;
  }
  return chosen;
}
