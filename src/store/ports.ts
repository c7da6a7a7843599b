import type { Candle, FeedGap, StoredCandle } from "../core/candle.ts";
import type { SymbolHead } from "./contract.ts";
import type { Segment } from "./manifest.ts";
import type { Known } from "./numbering.ts";
import type { SegmentKind } from "./schema.ts";

/**
 * What the writer and the readers need of a database, and no more: DuckDB is one implementation, a simulator's memory another.
 * Numbering, linking, sealing, the manifest, merging and paging stand above these ports and are the same for both.
 */

/** How far the truth has come. A transaction is told apart from its absence by these. */
export interface TruthState {
  readonly commitSeq: number;
  readonly revisionSeq: number;
  readonly gapSeq: number;
  readonly closedThrough: number | null;
  readonly environment: string | null;
}

/** A correction of the stored row `commitSeq`. */
export interface Revision extends Candle {
  readonly commitSeq: number;
  /** 1, 2, 3 … per row. */
  readonly revision: number;
}

/** What one transaction brings. The numbers of revisions and gaps follow on from those of the state before. */
export interface TruthChange {
  readonly rows: readonly StoredCandle[];
  readonly revisions: readonly Revision[];
  readonly gaps: readonly FeedGap[];
  /** This start of the node; null for any other transaction. */
  readonly start: { readonly atMs: number; readonly afterCleanStop: boolean } | null;
}

/** Which connection: the writer queue's own, or the one for work beside it. */
export type Lane = "main" | "side";

export interface SegmentRange {
  readonly kind: SegmentKind;
  readonly first: number;
  readonly last: number;
  /** The file to be written. */
  readonly path: string;
}

/** What a written segment file holds. */
export type SegmentContent = Pick<Segment, "rows" | "bytes" | "minOpenTime" | "maxOpenTime">;

/** The store's database, open for writing. One transaction at a time: its caller queues them. */
export interface Truth {
  readonly storeId: string;
  readonly state: TruthState;
  /** Opens or makes the store. Rejects with FabricError "refused", "config", "unavailable" or "io". */
  open(venue: string): Promise<void>;
  /** One transaction that takes the state to `after`; durable when it resolves. Rejects with FabricError and changes nothing otherwise. */
  write(after: TruthState, change: TruthChange): Promise<void>;
  /** Writes rows `first` to `last` of a kind into one file, not yet synced; gives what the file holds. Rejects with FabricError. */
  writeSegment(range: SegmentRange, lane: Lane): Promise<SegmentContent>;
  /** The delivery heads over rows after `afterSeq`, put over `heads`. */
  foldHeads(afterSeq: number, heads: Map<string, SymbolHead>): Promise<void>;
  /** Rows after `afterSeq` in order, each as last revised, imports left out. */
  newest(afterSeq: number): Promise<readonly Candle[]>;
  /** What the store holds of a batch's imports. */
  importsOf(
    candles: readonly Candle[],
    heads: ReadonlyMap<string, SymbolHead>,
  ): Promise<Pick<Known, "importedThrough" | "importedMinutes">>;
  /** The stored row and the newest revision (0: none) of each candle's minute, by `minuteKey`. */
  latestRevisions(
    candles: readonly Candle[],
  ): Promise<Map<string, { readonly commitSeq: number; readonly revision: number }>>;
  /** Folds the log into the file where it has grown long. */
  checkpointIfDue(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * Rows of published files, by paths that the caller takes from the manifest (one at least). One call at a time takes effect, in
 * the order of the calls. Rejects with FabricError: "missing-input" where a file is not there, which a newer manifest mends;
 * "unavailable" where it cannot be read as what it should be. It need not find out that a file holds other values than were
 * written: its caller does.
 */
export interface SegmentRows {
  /** Rows of the delivery after `afterSeq` in commitSeq order, at most `limit`. */
  delivery(
    paths: readonly string[],
    afterSeq: number,
    limit: number,
    symbols: ReadonlySet<string> | "all",
  ): Promise<readonly StoredCandle[]>;
  /** Revision 0 by openTime, both ends inclusive. */
  history(
    paths: readonly string[],
    symbol: string,
    fromOpenTime: number,
    toOpenTime: number,
  ): Promise<readonly StoredCandle[]>;
  /** The newest `limit` by openTime, newest first. */
  latest(paths: readonly string[], symbol: string, limit: number): Promise<readonly StoredCandle[]>;
  gaps(paths: readonly string[], symbol: string | null): Promise<readonly FeedGap[]>;
  close(): Promise<void>;
}
