import type { FeedGap, StoredCandle } from "../core/candle.ts";
import type { Clock, Files, Timers } from "../core/env.ts";
import type { DeliveryPage, StoreReader, StoreView } from "./contract.ts";
import { DuckDbSegments } from "./duckdb-segments.ts";
import { type Manifest, type Segment, viewOf } from "./manifest.ts";
import type { SegmentRows } from "./ports.ts";
import { SegmentAccess } from "./segment-access.ts";

export interface StoreReaderDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** A page's rows at most, whatever the caller asks for. */
const MAX_PAGE_ROWS = 100_000;
/** Rows (and one segment) looked at for one page of few symbols, so that such a consumer catches up in steps of bounded cost. */
const MAX_SCANNED_ROWS = 500_000;

/**
 * Opens nothing yet: neither the store nor DuckDB has to be there. Every role may; it never touches market.duckdb. A poll that
 * finds nothing new resolves without leaving the event loop's turn: pace polls with a timer.
 */
export function openStoreReader(options: { readonly folder: string }, deps: StoreReaderDeps): StoreReader {
  return openStoreReaderOn(new DuckDbSegments(), options, deps);
}

/** The same over given rows, which the reader closes. */
export function openStoreReaderOn(
  rows: SegmentRows,
  options: { readonly folder: string },
  deps: StoreReaderDeps,
): StoreReader {
  return new SegmentReader(rows, options.folder, deps);
}

class SegmentReader implements StoreReader {
  readonly #rows: SegmentRows;
  readonly #access: SegmentAccess;
  #viewed: { readonly manifest: Manifest; readonly view: StoreView } | null = null;

  constructor(rows: SegmentRows, folder: string, deps: StoreReaderDeps) {
    this.#rows = rows;
    this.#access = new SegmentAccess(folder, deps);
  }

  async view(): Promise<StoreView | null> {
    const manifest = this.#access.manifest();
    return manifest && this.#viewOf(manifest);
  }

  delivery(afterSeq: number, limit: number, symbols: ReadonlySet<string> | "all"): Promise<DeliveryPage | null> {
    return this.#access.withManifest(async (manifest) => {
      const view = this.#viewOf(manifest);
      if (afterSeq >= manifest.throughSeq) return { candles: [], throughSeq: afterSeq, view };
      const pageRows = Math.max(1, Math.min(limit, MAX_PAGE_ROWS));
      const segments = segmentsAfter(manifest, afterSeq, symbols === "all" ? pageRows : MAX_SCANNED_ROWS);
      const last = segments.at(-1)?.lastSeq ?? manifest.throughSeq;
      if (symbols !== "all" && symbols.size === 0) return { candles: [], throughSeq: last, view };
      const candles = await this.#access.read(segments, (paths) =>
        this.#rows.delivery(paths, afterSeq, pageRows, symbols),
      );
      const isFull = candles.length === pageRows;
      return { candles, throughSeq: isFull ? (candles.at(-1)?.commitSeq ?? last) : last, view };
    });
  }

  async history(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly StoredCandle[]> {
    const found = await this.#access.withManifest(async (manifest) => {
      const segments = manifest.segments.filter(
        (segment) =>
          segment.kind === "candle" && segment.maxOpenTime >= fromOpenTime && segment.minOpenTime <= toOpenTime,
      );
      return this.#access.read(segments, (paths) => this.#rows.history(paths, symbol, fromOpenTime, toOpenTime));
    });
    return found ?? [];
  }

  async latest(symbol: string, limit: number): Promise<readonly StoredCandle[]> {
    const found = await this.#access.withManifest(async (manifest) => {
      const newestFirst = manifest.segments
        .filter((segment) => segment.kind === "candle")
        .sort((one, other) => other.maxOpenTime - one.maxOpenTime);
      // Where every symbol has a row a minute, so many rows hold what is asked for.
      for (let wanted = Math.max(1, limit) * Math.max(1, manifest.heads.length); ; wanted *= 4) {
        const files = filesHolding(newestFirst, wanted);
        const rows = await this.#access.read(newestFirst.slice(0, files), (paths) =>
          this.#rows.latest(paths, symbol, Math.max(1, limit)),
        );
        const oldest = rows.at(-1)?.openTime ?? Number.NEGATIVE_INFINITY;
        const isDone = rows.length >= limit && (newestFirst[files]?.maxOpenTime ?? Number.NEGATIVE_INFINITY) < oldest;
        if (isDone || files >= newestFirst.length) return rows.toReversed();
      }
    });
    return found ?? [];
  }

  async gaps(symbol: string | null): Promise<readonly FeedGap[]> {
    const found = await this.#access.withManifest(async (manifest) => {
      const segments = manifest.segments.filter((segment) => segment.kind === "gap");
      return this.#access.read(segments, (paths) => this.#rows.gaps(paths, symbol));
    });
    return found ?? [];
  }

  async close(): Promise<void> {
    this.#access.close();
    await this.#rows.close();
  }

  #viewOf(manifest: Manifest): StoreView {
    if (this.#viewed?.manifest !== manifest) this.#viewed = { manifest, view: viewOf(manifest) };
    return this.#viewed.view;
  }
}

/**
 * The segments with rows past `afterSeq`, oldest first, until they hold `mostRows` of these: a page costs what it brings, however far
 * behind its consumer is.
 */
function segmentsAfter(manifest: Manifest, afterSeq: number, mostRows: number): readonly Segment[] {
  const chosen: Segment[] = [];
  let rows = 0;
  for (const segment of manifest.segments) {
    if (segment.kind !== "candle" || segment.lastSeq <= afterSeq) continue;
    if (rows >= mostRows) break;
    chosen.push(segment);
    rows += segment.lastSeq - Math.max(afterSeq, segment.firstSeq - 1);
  }
  return chosen;
}

/** How many of the first segments hold at least so many rows. */
function filesHolding(segments: readonly Segment[], rows: number): number {
  let held = 0;
  let files = 0;
  while (held < rows && files < segments.length) held += segments[files++]?.rows ?? 0;
  return files;
}
