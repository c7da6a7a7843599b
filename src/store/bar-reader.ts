import type { Bar, BarPage, BarQuery, GapQuery, NumberedGap } from "../core/bars.ts";
import { MINUTE_MS } from "../core/time.ts";
import { bucketOf, timeframeMs } from "../core/timeframe.ts";
import type { BarRange, BarRow } from "./bar-rows.ts";
import { DuckDbSegments } from "./duckdb-segments.ts";
import { headsOf, type Manifest, type Segment } from "./manifest.ts";
import type { StoreReaderDeps } from "./reader.ts";
import { SegmentAccess } from "./segment-access.ts";

/** Minutes looked at for one page: some two years. Beyond it a page ends, and tells where the next begins. */
const MAX_MINUTES = 1_050_000;

/** Reads bars of any timeframe, and recorded gaps, from published segments alone: never market.duckdb. */
export interface BarReader {
  /**
   * The newest bars of the query, as one state of the store has them. Null while there is no store. Reads minutes of that symbol
   * alone, and about as many as the page needs. Rejects with FabricError "unavailable", "config".
   */
  bars(query: BarQuery): Promise<BarPage | null>;
  /** The newest recorded gaps, newest first. Null while there is no store. Rejects as `bars`. */
  gaps(query: GapQuery): Promise<readonly NumberedGap[] | null>;
  close(): Promise<void>;
}

/** Opens nothing yet: neither the store nor DuckDB has to be there. Every role may. */
export function openBarReader(options: { readonly folder: string }, deps: StoreReaderDeps): BarReader {
  return new SegmentBars(options.folder, deps);
}

class SegmentBars implements BarReader {
  readonly #rows = new DuckDbSegments();
  readonly #access: SegmentAccess;

  constructor(folder: string, deps: StoreReaderDeps) {
    this.#access = new SegmentAccess(folder, deps);
  }

  bars(query: BarQuery): Promise<BarPage | null> {
    return this.#access.withManifest((manifest) => this.#page(manifest, query));
  }

  gaps({ symbol, before, limit }: GapQuery): Promise<readonly NumberedGap[] | null> {
    return this.#access.withManifest((manifest) => {
      const segments = manifest.segments.filter(
        ({ kind, firstSeq }) => kind === "gap" && (before === null || firstSeq < before),
      );
      return this.#access.read(segments, (paths) => this.#rows.newestGaps(paths, symbol, before, limit));
    });
  }

  async close(): Promise<void> {
    this.#access.close();
    await this.#rows.close();
  }

  async #page(manifest: Manifest, query: BarQuery): Promise<BarPage> {
    const segments = manifest.segments.filter(({ kind }) => kind === "candle");
    const { from, to } = rangeOf(segments, query);
    const { symbol, timeframe, limit } = query;
    const lengthMs = timeframeMs(timeframe);
    const found: BarRow[] = [];
    let low = to;
    // The window grows while it finds too little: a symbol may have long silences.
    for (let bars = limit; low > from && found.length < limit && to - low < MAX_MINUTES * MINUTE_MS; bars *= 4) {
      const high = low;
      const wantedMs = Math.max(1, Math.min(bars, Math.floor((MAX_MINUTES * MINUTE_MS) / lengthMs))) * lengthMs;
      low = Math.max(from, high - wantedMs);
      const range = { symbol, timeframe, from: low, to: high, limit: limit - found.length };
      found.push(...(await this.#read(segments, range)));
    }
    const oldest = found.at(-1)?.openTime ?? low;
    const next = found.length >= limit ? oldest : low;
    const closedBefore = closedBeforeOf(manifest, symbol);
    const bars = found.toReversed().map((row) => barOf(row, lengthMs, closedBefore));
    const isKnown = bars.length > 0 || (await this.#has(segments, symbol));
    return { bars, older: next > from && isKnown ? next : null, isKnown };
  }

  #read(segments: readonly Segment[], range: BarRange): Promise<readonly BarRow[]> {
    const holding = segments.filter(
      ({ minOpenTime, maxOpenTime }) => maxOpenTime >= range.from && minOpenTime < range.to,
    );
    return this.#access.read(holding, (paths) => this.#rows.bars(paths, range));
  }

  async #has(segments: readonly Segment[], symbol: string): Promise<boolean> {
    const rows = await this.#access.read(segments, (paths) => this.#rows.latest(paths, symbol, 1));
    return rows.length > 0;
  }
}

/** What can hold bars of the query, [from, to), at bars' starts; empty where to is not above from. */
function rangeOf(segments: readonly Segment[], query: BarQuery): { readonly from: number; readonly to: number } {
  const { timeframe } = query;
  const lengthMs = timeframeMs(timeframe);
  const after = (timeMs: number) => bucketOf(timeMs, timeframe) + lengthMs;
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { minOpenTime, maxOpenTime } of segments) {
    from = Math.min(from, bucketOf(minOpenTime, timeframe));
    to = Math.max(to, after(maxOpenTime));
  }
  if (query.from !== null) from = Math.max(from, after(query.from - 1));
  if (query.to !== null) to = Math.min(to, after(query.to));
  if (query.before !== null) to = Math.min(to, after(query.before - 1));
  return from < to ? { from, to } : { from: 0, to: 0 };
}

/** Exchange time before which no minute of the symbol can still come live. */
function closedBeforeOf(manifest: Manifest, symbol: string): number {
  const head = headsOf(manifest).get(symbol)?.lastOpenTime;
  // A symbol without a head has imports alone: history.
  if (head === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(head, manifest.closedThrough ?? head) + MINUTE_MS;
}

function barOf({ lastMinute, ...row }: BarRow, lengthMs: number, closedBefore: number): Bar {
  const end = row.openTime + lengthMs;
  const closed = end <= closedBefore;
  const due = closed ? end : Math.max(lastMinute + MINUTE_MS, Math.min(end, closedBefore));
  const missing = (due - row.openTime) / MINUTE_MS - row.minutes;
  return { ...row, provenance: missing > 0 ? "partial" : row.provenance, missing, closed };
}
