import type { Edit } from "./bugs.ts";

function bound(file: string, find: string, replace: string): Edit {
  return { file, find, replace };
}

/**
 * The product with bounds and pages so small that a short run reaches them: what happens at a bound has to be as right as what
 * happens below it. Nothing but sizes is changed.
 */
export const TIGHT_BOUNDS: readonly Edit[] = [
  bound("src/provider/options.ts", "INBOX_BOUND = 16_384;", "INBOX_BOUND = 4;"),
  bound("src/provider/options.ts", "STASH_SYMBOL_BOUND = 64;", "STASH_SYMBOL_BOUND = 2;"),
  bound("src/provider/options.ts", "STASH_BOUND = 8_192;", "STASH_BOUND = 3;"),
  bound("src/provider/options.ts", "AHEAD_BOUND = 16_384;", "AHEAD_BOUND = 2;"),
  bound("src/provider/options.ts", "DRAIN_BATCH = 1_024;", "DRAIN_BATCH = 2;"),
  bound("src/store/reader.ts", "MAX_SCANNED_ROWS = 500_000;", "MAX_SCANNED_ROWS = 5;"),
  bound("src/store/writer.ts", "maxSegmentRows: 262_144,", "maxSegmentRows: 7,"),
  bound("src/store/commit-pipeline.ts", "MAX_UNSEALED_COMMITS = 8;", "MAX_UNSEALED_COMMITS = 2;"),
  bound("src/feed/market-ingest.ts", "MAX_QUEUED_MINUTES = 512;", "MAX_QUEUED_MINUTES = 4;"),
  bound("src/feed/close-batches.ts", "MAX_BATCH_ROWS = 5000;", "MAX_BATCH_ROWS = 4;"),
  bound("src/feed/minute-aggregator.ts", "MAX_OPEN_MINUTES = 64;", "MAX_OPEN_MINUTES = 3;"),
  bound("src/feed/backfill.ts", "BACKFILL_CONCURRENCY = 8;", "BACKFILL_CONCURRENCY = 1;"),
  bound("src/feed/backfill.ts", "PAGE_MINUTES = 1000;", "PAGE_MINUTES = 3;"),
  bound("src/feed/id-runs.ts", "MAX_RUNS = 256;", "MAX_RUNS = 3;"),
  bound("src/execution/state-fold.ts", "CHUNK_MS = 10_080 * MINUTE_MS;", "CHUNK_MS = 3 * MINUTE_MS;"),
  bound("src/execution/journal.ts", "FILLS_PAGE = 1000;", "FILLS_PAGE = 2;"),
  bound("src/bus/message-publisher.ts", "DEFAULT_MAX_TOPICS = 16_384;", "DEFAULT_MAX_TOPICS = 2;"),
];
