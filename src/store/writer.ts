import type { Candle, StoredCandle } from "../core/candle.ts";
import type { CloseBatch } from "../core/delivery.ts";
import type { Log, Timers } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { toRfc3339 } from "../core/time.ts";
import { CallQueue } from "./call-queue.ts";
import type { StoreCounters, StoreWriter, SymbolHead } from "./contract.ts";
import { literal } from "./duckdb.ts";
import { isWriterGrant, type WriterGrant } from "./grant.ts";
import { processRole } from "./guard.ts";
import { storeLayout } from "./layout.ts";
import { importsOf, latestRevisions } from "./lookups.ts";
import { headsOf } from "./manifest.ts";
import { checkCandle, checkGaps, minuteKey, numberRows } from "./numbering.ts";
import { Publication, type PublicationTuning } from "./publication.ts";
import { candleColumns } from "./schema.ts";
import { Truth, type TruthDeps, type TruthState } from "./truth.ts";

export interface StoreTuning extends PublicationTuning {
  /** DuckDB's log is folded into market.duckdb by `compact` once it is longer than this. */
  readonly checkpointBytes: number;
}

export interface StoreWriterOptions {
  /** The data folder; made where it does not exist. */
  readonly folder: string;
  /** Fixed at creation; a store of another venue is refused. */
  readonly venue: string;
  readonly grant: WriterGrant;
  readonly tuning?: Partial<StoreTuning>;
}

export interface StoreWriterDeps extends TruthDeps {
  readonly timers: Timers;
  readonly log: Log;
}

/** 262,144 rows are about 13 MB of Parquet: synced and hashed in some tens of ms, once in hours even with 1,000 symbols. */
const TUNING: StoreTuning = {
  deletionGraceMs: 10_000,
  maxSegmentRows: 262_144,
  mergeWidth: 16,
  checkpointBytes: 16 * 1024 * 1024,
};

/** Calls that may wait for the one in progress. The commit pipeline has one or two; more is a caller that does not wait. */
const MAX_WAITING_CALLS = 1000;
const MAX_MERGES_PER_COMPACT = 16;

/**
 * Opens (or makes) the store of a data folder for writing, repairs what is published and publishes what is not yet. Rejects with
 * FabricError "refused" (role, venue), "config" (schema version), "unavailable" (held by another process, pid named), "io".
 */
export async function openStoreWriter(options: StoreWriterOptions, deps: StoreWriterDeps): Promise<StoreWriter> {
  if (!isWriterGrant(options.grant)) {
    throw new FabricError(
      "refused",
      `Cannot open the market store for writing: only the market-data role may, and this is "${processRole()}"; read the published segments instead`,
    );
  }
  const writer = new MarketStoreWriter(options, deps);
  await writer.open();
  return writer;
}

class MarketStoreWriter implements StoreWriter {
  readonly venue: string;
  readonly #folder: string;
  readonly #deps: StoreWriterDeps;
  readonly #truth: Truth;
  readonly #publication: Publication;
  #heads = new Map<string, SymbolHead>();
  readonly #queue = new CallQueue(MAX_WAITING_CALLS);
  #closing: Promise<void> | null = null;
  #compacting: Promise<void> | null = null;
  #counts = { commits: 0, rows: 0, skipped: 0, revisions: 0, gaps: 0, lastCommitMs: 0, lastSealMs: 0 };

  constructor(options: StoreWriterOptions, deps: StoreWriterDeps) {
    const layout = storeLayout(options.folder);
    const tuning = { ...TUNING, ...options.tuning };
    this.venue = options.venue;
    this.#folder = options.folder;
    this.#deps = deps;
    this.#truth = new Truth(layout, deps, tuning.checkpointBytes);
    this.#publication = new Publication(layout, this.#truth, deps, tuning);
  }

  get storeId(): string {
    return this.#truth.storeId;
  }

  get environment(): string | null {
    return this.#truth.state.environment;
  }

  get commitSeq(): number {
    return this.#truth.state.commitSeq;
  }

  get closedThrough(): number | null {
    return this.#truth.state.closedThrough;
  }

  get heads(): ReadonlyMap<string, SymbolHead> {
    return this.#heads;
  }

  /** Called once, by `openStoreWriter`. */
  async open(): Promise<void> {
    this.#deps.files.makeFolder(this.#folder);
    await this.#truth.open(this.venue);
    try {
      const manifest = await this.#publication.takeUp();
      if (manifest) this.#heads = headsOf(manifest);
      await this.#truth.foldHeads(manifest?.throughSeq ?? 0, this.#heads);
      await this.#truth.write(this.#truth.state, (connection) =>
        connection.run(
          `INSERT INTO node_start VALUES (make_timestamp_ms(${Math.floor(this.#deps.clock.nowMs())}), ${this.commitSeq}, ${manifest?.cleanStop ?? false})`,
        ),
      );
      if (manifest) await this.#publication.seal(this.#facts());
      else await this.#publication.sealAll(this.#facts());
    } catch (error) {
      this.#publication.abandon();
      await this.#truth.close();
      throw error;
    }
  }

  bind(environment: string): Promise<void> {
    return this.#inOrder("bind", async () => {
      const found = this.environment;
      if (found === environment) return;
      if (found !== null) {
        throw new FabricError(
          "refused",
          `Cannot use the market store in ${this.#folder} for "${environment}": it holds "${found}"; use another data folder`,
        );
      }
      await this.#truth.write({ ...this.#truth.state, environment }, (connection) =>
        connection.run(`UPDATE meta SET environment = ${literal(environment)}`),
      );
      await this.#publication.seal(this.#facts());
    });
  }

  commit(batch: CloseBatch): Promise<readonly StoredCandle[]> {
    return this.#inOrder("commit", async () => {
      const startMs = this.#deps.clock.monotonicMs();
      checkGaps(batch.gaps);
      const numbered = numberRows(batch.candles, {
        commitSeq: this.commitSeq,
        heads: this.#heads,
        ...(await importsOf(batch.candles, this.#heads, this.#truth)),
      });
      const before = this.#truth.state;
      const after: TruthState = {
        ...before,
        commitSeq: before.commitSeq + numbered.rows.length,
        gapSeq: before.gapSeq + batch.gaps.length,
        closedThrough: later(before.closedThrough, batch.closedThrough),
      };
      if (numbered.rows.length > 0 || batch.gaps.length > 0 || after.closedThrough !== before.closedThrough)
        await this.#write(numbered.rows, batch, before, after);
      for (const [symbol, head] of numbered.heads) this.#heads.set(symbol, head);
      this.#counts.commits++;
      this.#counts.rows += numbered.rows.length;
      this.#counts.skipped += numbered.skipped;
      this.#counts.gaps += batch.gaps.length;
      this.#counts.lastCommitMs = this.#deps.clock.monotonicMs() - startMs;
      return numbered.rows;
    });
  }

  revise(candles: readonly Candle[]): Promise<void> {
    return this.#inOrder("revise", async () => {
      if (candles.length === 0) return;
      for (const candle of candles) checkCandle(candle);
      const latest = await latestRevisions(candles, this.#truth);
      const before = this.#truth.state;
      const numbers = candles.map((candle) => {
        const key = minuteKey(candle.symbol, candle.openTime);
        const found = latest.get(key);
        if (!found)
          throw new FabricError(
            "bad-data",
            `Cannot revise ${candle.symbol} at ${toRfc3339(candle.openTime)}: no such row`,
          );
        const next = { commitSeq: found.commitSeq, revision: found.revision + 1 };
        latest.set(key, next);
        return next;
      });
      await this.#truth.write({ ...before, revisionSeq: before.revisionSeq + candles.length }, (connection) =>
        connection.append("candle_revision", [
          ...candleColumns(candles),
          numbers.map((number) => number.commitSeq),
          numbers.map((number) => number.revision),
          candles.map((_, index) => before.revisionSeq + index + 1),
        ]),
      );
      this.#counts.revisions += candles.length;
    });
  }

  seal(): Promise<void> {
    return this.#inOrder("seal", async () => {
      const startMs = this.#deps.clock.monotonicMs();
      await this.#publication.seal(this.#facts());
      this.#counts.lastSealMs = this.#deps.clock.monotonicMs() - startMs;
    });
  }

  /** The merged files are written beside commits and seals; only listing them waits its turn. */
  compact(): Promise<void> {
    this.#compacting ??= this.#compact().finally(() => {
      this.#compacting = null;
    });
    return this.#compacting;
  }

  counters(): StoreCounters {
    const { segments, rebuilt, merges } = this.#publication.counters;
    return { ...this.#counts, segments, rebuiltSegments: rebuilt, compactions: merges };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #compact(): Promise<void> {
    for (let merges = 0; merges < MAX_MERGES_PER_COMPACT && this.#closing === null; merges++) {
      const list = await this.#publication.merge();
      if (list === null) break;
      await this.#queue.run(async () => list(this.#facts()));
    }
    await this.#queue.run(() => this.#truth.checkpointIfDue());
  }

  async #close(): Promise<void> {
    await this.#compacting?.catch((error: unknown) => this.#warn("compact", error));
    await this.#queue.idle();
    try {
      await this.#publication.seal(this.#facts());
      this.#publication.stop(this.#facts());
    } catch (error) {
      // The rows are safe in the truth; the next start publishes them.
      this.#warn("publish", error);
      this.#publication.abandon();
    }
    await this.#truth.close();
  }

  #inOrder<T>(action: string, run: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) return Promise.reject(closedStore(action));
    return this.#queue.run(run);
  }

  async #write(rows: readonly StoredCandle[], batch: CloseBatch, before: TruthState, after: TruthState): Promise<void> {
    await this.#truth.write(after, async (connection) => {
      if (rows.length > 0) {
        await connection.append("candle", [
          ...candleColumns(rows),
          rows.map((row) => row.commitSeq),
          rows.map((row) => row.prevOpenTime),
        ]);
      }
      if (batch.gaps.length > 0) {
        await connection.append("feed_gap", [
          batch.gaps.map((gap) => gap.symbol),
          batch.gaps.map((gap) => gap.fromOpenTime),
          batch.gaps.map((gap) => gap.toOpenTime),
          batch.gaps.map((gap) => gap.reason),
          batch.gaps.map((_, index) => before.gapSeq + index + 1),
        ]);
      }
      if (after.closedThrough !== before.closedThrough)
        await connection.run(`UPDATE meta SET closed_through = make_timestamp_ms(${after.closedThrough})`);
    });
  }

  #facts() {
    return { venue: this.venue, heads: this.#heads };
  }

  #warn(action: string, error: unknown): void {
    this.#deps.log.warn(`While closing the market store, could not ${action}: ${messageOf(error)}`);
  }
}

function later(known: number | null, told: number | null): number | null {
  return known === null || (told !== null && told > known) ? told : known;
}

function closedStore(action: string): FabricError {
  return new FabricError("unavailable", `Cannot ${action}: the market store is closed`);
}
