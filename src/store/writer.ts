import type { Candle, StoredCandle } from "../core/candle.ts";
import type { CloseBatch } from "../core/delivery.ts";
import type { Log, Timers } from "../core/env.ts";
import { FabricError, isPassing, messageOf } from "../core/errors.ts";
import { toRfc3339 } from "../core/time.ts";
import { CallQueue } from "./call-queue.ts";
import type { StoreCounters, StoreWriter, SymbolHead } from "./contract.ts";
import { DuckDbTruth, type TruthDeps } from "./duckdb-truth.ts";
import { isWriterGrant, type WriterGrant } from "./grant.ts";
import { processRole } from "./guard.ts";
import { storeLayout } from "./layout.ts";
import { headsOf } from "./manifest.ts";
import { checkCandle, checkGaps, minuteKey, numberRows } from "./numbering.ts";
import type { Truth, TruthChange, TruthState } from "./ports.ts";
import { Publication, type PublicationTuning } from "./publication.ts";

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
  rowsPerCall: 500_000,
  checkpointBytes: 16 * 1024 * 1024,
};

/** Calls that may wait for the one in progress. The commit pipeline has one or two; more is a caller that does not wait. */
const MAX_WAITING_CALLS = 1000;
const MAX_MERGES_PER_COMPACT = 16;

const NO_CHANGE: TruthChange = { rows: [], revisions: [], gaps: [], start: null };

/**
 * Opens (or makes) the store of a data folder for writing, repairs what is published and publishes what is not yet; where the
 * published folder cannot be written, or very much is to be published, `heal` goes on with that. Rejects with
 * FabricError "refused" (role, venue), "config" (schema version), "unavailable" (held by another process, pid named), "io".
 */
export function openStoreWriter(options: StoreWriterOptions, deps: StoreWriterDeps): Promise<StoreWriter> {
  const { checkpointBytes } = tuningOf(options);
  return openStoreWriterOn(new DuckDbTruth(storeLayout(options.folder), deps, checkpointBytes), options, deps);
}

/**
 * The same on a truth that is given, not opened yet; the writer opens and closes it. The folder holds what is published. Rejects as
 * `openStoreWriter`, and with what the truth's `open` rejects with.
 */
export async function openStoreWriterOn(
  truth: Truth,
  options: StoreWriterOptions,
  deps: StoreWriterDeps,
): Promise<StoreWriter> {
  if (!isWriterGrant(options.grant)) {
    throw new FabricError(
      "refused",
      `Cannot open the market store for writing: only the market-data role may, and this is "${processRole()}"; read the published segments instead`,
    );
  }
  const writer = new MarketStoreWriter(truth, options, deps);
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

  constructor(truth: Truth, options: StoreWriterOptions, deps: StoreWriterDeps) {
    this.venue = options.venue;
    this.#folder = options.folder;
    this.#deps = deps;
    this.#truth = truth;
    this.#publication = new Publication(storeLayout(options.folder), truth, deps, tuningOf(options));
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
      const start = { atMs: Math.floor(this.#deps.clock.nowMs()), afterCleanStop: manifest?.cleanStop ?? false };
      await this.#truth.write(this.#truth.state, { ...NO_CHANGE, start });
      await this.#publication.seal(this.#facts()).catch((error: unknown) => {
        // Commits and the fast rail need no segments; healing goes on with this.
        if (!isPassing(error)) throw error;
        this.#deps.log.warn(`Cannot publish segments now, trying again: ${error.message}`);
      });
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
      await this.#truth.write({ ...this.#truth.state, environment }, NO_CHANGE);
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
        ...(await this.#truth.importsOf(batch.candles, this.#heads)),
      });
      const before = this.#truth.state;
      const after: TruthState = {
        ...before,
        commitSeq: before.commitSeq + numbered.rows.length,
        gapSeq: before.gapSeq + batch.gaps.length,
        closedThrough: later(before.closedThrough, batch.closedThrough),
      };
      if (numbered.rows.length > 0 || batch.gaps.length > 0 || after.closedThrough !== before.closedThrough)
        await this.#truth.write(after, { ...NO_CHANGE, rows: numbered.rows, gaps: batch.gaps });
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
      const latest = await this.#truth.latestRevisions(candles);
      const before = this.#truth.state;
      const revisions = candles.map((candle) => {
        const key = minuteKey(candle.symbol, candle.openTime);
        const found = latest.get(key);
        if (!found)
          throw new FabricError(
            "bad-data",
            `Cannot revise ${candle.symbol} at ${toRfc3339(candle.openTime)}: no such row`,
          );
        const next = { commitSeq: found.commitSeq, revision: found.revision + 1 };
        latest.set(key, next);
        return { ...candle, ...next };
      });
      const after = { ...before, revisionSeq: before.revisionSeq + revisions.length };
      await this.#truth.write(after, { ...NO_CHANGE, revisions });
      this.#counts.revisions += candles.length;
    });
  }

  newest(limit: number): Promise<readonly Candle[]> {
    return this.#inOrder("read", () => this.#truth.newest(Math.max(0, this.commitSeq - limit)));
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

  heal(): Promise<void> {
    return this.#inOrder("heal", () => this.#publication.heal(this.#facts()));
  }

  counters(): StoreCounters {
    const { segments, rebuilt, merges, manifests } = this.#publication.counters;
    return {
      ...this.#counts,
      segments,
      rebuiltSegments: rebuilt,
      rebuiltManifests: manifests,
      compactions: merges,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #compact(): Promise<void> {
    for (let merges = 0; merges < MAX_MERGES_PER_COMPACT && this.#closing === null; merges++) {
      const list = await this.#publication.merge();
      if (list === null) break;
      await this.#queue.run(async () => list());
    }
    await this.#queue.run(() => this.#truth.checkpointIfDue());
  }

  async #close(): Promise<void> {
    await this.#compacting?.catch((error: unknown) => this.#warn("compact", error));
    await this.#queue.idle();
    try {
      if (await this.#publication.seal(this.#facts())) this.#publication.stop(this.#facts());
      else this.#publication.abandon();
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

  #facts() {
    return { venue: this.venue, heads: this.#heads };
  }

  #warn(action: string, error: unknown): void {
    this.#deps.log.warn(`While closing the market store, could not ${action}: ${messageOf(error)}`);
  }
}

function tuningOf(options: StoreWriterOptions): StoreTuning {
  return { ...TUNING, ...options.tuning };
}

function later(known: number | null, told: number | null): number | null {
  return known === null || (told !== null && told > known) ? told : known;
}

function closedStore(action: string): FabricError {
  return new FabricError("unavailable", `Cannot ${action}: the market store is closed`);
}
