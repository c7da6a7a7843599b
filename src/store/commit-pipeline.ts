import type { Offer } from "../core/bounded-queue.ts";
import type { StoredCandle } from "../core/candle.ts";
import type { CloseBatch } from "../core/delivery.ts";
import type { Clock, Log, Timer, Timers } from "../core/env.ts";
import { messageOf } from "../core/errors.ts";
import type { StoreWriter } from "./contract.ts";

export interface CommitPipelineOptions {
  readonly writer: Pick<StoreWriter, "commit" | "seal" | "compact" | "heal">;
  /**
   * Publishes committed rows, called synchronously as soon as their commit has returned and before they are sealed. Also called
   * for a batch without rows (its gaps or `closedThrough` moved on). What it throws is logged, never retried.
   */
  readonly onCommitted: (rows: readonly StoredCandle[], batch: CloseBatch) => void;
  readonly onStateChange?: (state: PipelineState) => void;
  /** Most rows (candles and gaps) that may wait, the batch in progress included. Default 200,000. */
  readonly maxWaitingRows?: number;
}

export interface CommitPipelineDeps {
  readonly timers: Timers;
  readonly clock: Clock;
  readonly log: Log;
}

/** `stalled`: the oldest batch could not be committed and is tried again; nothing newer is. */
export type PipelineState =
  | { readonly kind: "writable" }
  | { readonly kind: "stalled"; readonly reason: string; readonly sinceMs: number };

export interface PipelineCounters {
  readonly waitingBatches: number;
  readonly waitingRows: number;
  readonly committedBatches: number;
  readonly failedCommits: number;
  /** Seals and healings that failed. */
  readonly failedSeals: number;
  readonly failedCompactions: number;
  /** Offers answered "full". */
  readonly refused: number;
}

const MAX_WAITING_ROWS = 200_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5000;
/** With a backlog one seal covers several commits, but no more than this. */
const MAX_UNSEALED_COMMITS = 8;
/** A seal that goes on failing for the same reason is told again after this. */
const SEAL_WARNING_MS = 10_000;
/** After this much quiet, small segments are merged … */
const IDLE_MS = 200;
/** … and after so many seals where quiet never comes (a replay, a fast market), or segments and DuckDB's log would only grow. */
const SEALS_WITHOUT_MERGE = 32;

/**
 * Close batches on their way into the store, strictly first in, first out: commit, then publish, then seal. Sealing follows at
 * once and may cover several commits; merging waits for quiet, but not for ever. While the oldest batch cannot be committed (disk full),
 * nothing newer is, and `offer` answers "full" at the bound: the caller stops ingesting and backfills later.
 */
export class CommitPipeline {
  readonly #options: CommitPipelineOptions;
  readonly #deps: CommitPipelineDeps;
  readonly #bound: number;
  readonly #waiting: CloseBatch[] = [];
  #waitingRows = 0;
  #state: PipelineState = { kind: "writable" };
  /** Commits that no successful seal has followed yet. */
  #unsealed = 0;
  #sealFailure: string | null = null;
  /** What was last told of the failure in progress. */
  #sealWarning: { readonly kind: string; readonly atMs: number } | null = null;
  #isRunning = false;
  #isClosing = false;
  #pause: Pause | null = null;
  #idleTimer: Timer | null = null;
  #merging: Promise<void> = Promise.resolve();
  #isMerging = false;
  #sealsSinceMerge = 0;
  #healing: Promise<void> | null = null;
  readonly #drained: (() => void)[] = [];
  readonly #committed: (() => void)[] = [];
  #counts = { committedBatches: 0, failedCommits: 0, failedSeals: 0, failedCompactions: 0, refused: 0 };

  constructor(options: CommitPipelineOptions, deps: CommitPipelineDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#bound = options.maxWaitingRows ?? MAX_WAITING_ROWS;
  }

  get state(): PipelineState {
    return this.#state;
  }

  /** Why what is committed is not published now; null again once a seal works. Commits go on meanwhile. */
  get sealFailure(): string | null {
    return this.#sealFailure;
  }

  counters(): PipelineCounters {
    return { ...this.#counts, waitingBatches: this.#waiting.length, waitingRows: this.#waitingRows };
  }

  /** Takes a batch. A batch larger than the bound is taken where nothing else waits. Does not block or throw. */
  offer(batch: CloseBatch): Offer {
    if (this.#isClosing) return "closed";
    const rows = rowsOf(batch);
    if (this.#waiting.length > 0 && this.#waitingRows + rows > this.#bound) {
      this.#counts.refused++;
      return "full";
    }
    this.#waiting.push(batch);
    this.#waitingRows += rows;
    this.#wake();
    return "accepted";
  }

  /**
   * Looks after what is published, beside commits and seals; a call while the last one is at work does nothing. To be called about
   * once a second. What fails shows as `sealFailure`.
   */
  heal(): void {
    if (this.#healing !== null || this.#isClosing) return;
    this.#healing = this.#options.writer
      .heal()
      .then(
        () => this.#published(),
        (error: unknown) => this.#notPublished(error),
      )
      .finally(() => {
        this.#healing = null;
      });
  }

  /** Resolves when every batch offered so far is committed and sealed; while the store is stalled, not before it recovers. */
  drain(): Promise<void> {
    if (!this.#isRunning && !this.#hasWork()) return Promise.resolve();
    const drained = new Promise<void>((resolve) => this.#drained.push(resolve));
    this.#wake();
    return drained;
  }

  /**
   * Resolves when nothing waits to be committed, sealed or not: a folder that cannot be published to holds up nothing else. While
   * the store is stalled, not before it recovers, or `close`.
   */
  committed(): Promise<void> {
    if (this.#waiting.length === 0) return Promise.resolve();
    return new Promise<void>((resolve) => this.#committed.push(resolve));
  }

  /**
   * Takes no more batches, commits what waits (ending at the first that fails), and gives the batches that are not in the store.
   * It does not close the writer. Idempotent.
   */
  async close(): Promise<readonly CloseBatch[]> {
    this.#isClosing = true;
    this.#pause?.end();
    await this.drain();
    this.#idleTimer?.cancel();
    await this.#merging;
    await this.#healing;
    return this.#waiting;
  }

  #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#unsealed > 0;
  }

  #wake(): void {
    this.#idleTimer?.cancel();
    if (this.#pause?.isForSeal) this.#pause.end();
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (this.#hasWork()) {
      const isCommit = this.#waiting.length > 0 && this.#unsealed < MAX_UNSEALED_COMMITS;
      const isDone = isCommit ? await this.#commitOldest() : await this.#seal();
      failures = isDone ? 0 : failures + 1;
      if (isDone) continue;
      if (this.#isClosing && (isCommit || this.#waiting.length === 0)) break;
      // A seal that fails does not hold up commits.
      if (isCommit || this.#waiting.length === 0) await this.#rest(failures, !isCommit);
    }
    this.#isRunning = false;
    for (const resolve of [...this.#drained.splice(0), ...this.#committed.splice(0)]) resolve();
    if (!this.#isClosing) this.#idleTimer = this.#deps.timers.after(IDLE_MS, () => this.#merge());
  }

  async #commitOldest(): Promise<boolean> {
    const batch = this.#waiting[0];
    if (!batch) return true;
    let rows: readonly StoredCandle[];
    try {
      rows = await this.#options.writer.commit(batch);
    } catch (error) {
      this.#counts.failedCommits++;
      this.#stall(messageOf(error));
      return false;
    }
    this.#publish(rows, batch);
    this.#waiting.shift();
    this.#waitingRows -= rowsOf(batch);
    this.#counts.committedBatches++;
    this.#unsealed++;
    if (this.#state.kind === "stalled") this.#enter({ kind: "writable" });
    if (this.#waiting.length === 0) for (const resolve of this.#committed.splice(0)) resolve();
    return true;
  }

  async #seal(): Promise<boolean> {
    try {
      await this.#options.writer.seal();
      this.#unsealed = 0;
      this.#published();
      if (++this.#sealsSinceMerge >= SEALS_WITHOUT_MERGE && !this.#isClosing) this.#merge();
      return true;
    } catch (error) {
      this.#unsealed = 1;
      this.#notPublished(error);
      return false;
    }
  }

  #published(): void {
    if (this.#sealFailure !== null) this.#deps.log.info("Segments can be published again");
    this.#sealFailure = null;
    this.#sealWarning = null;
  }

  #notPublished(error: unknown): void {
    this.#counts.failedSeals++;
    this.#sealFailure = messageOf(error);
    this.#warnOfSeal(this.#sealFailure);
  }

  #warnOfSeal(reason: string): void {
    const atMs = this.#deps.clock.monotonicMs();
    const kind = kindOf(reason);
    const last = this.#sealWarning;
    if (last?.kind === kind && atMs - last.atMs < SEAL_WARNING_MS) return;
    this.#sealWarning = { kind, atMs };
    this.#deps.log.warn(`Cannot publish segments now, trying again: ${reason}`);
  }

  /** Beside commits and seals; one at a time. */
  #merge(): void {
    if (this.#isMerging) return;
    this.#isMerging = true;
    this.#sealsSinceMerge = 0;
    this.#merging = this.#options.writer
      .compact()
      .catch((error: unknown) => {
        this.#counts.failedCompactions++;
        this.#deps.log.warn(`Cannot merge segments now, trying again later: ${messageOf(error)}`);
      })
      .finally(() => {
        this.#isMerging = false;
      });
  }

  #publish(rows: readonly StoredCandle[], batch: CloseBatch): void {
    try {
      this.#options.onCommitted(rows, batch);
    } catch (error) {
      this.#deps.log.error(`Publishing committed candles failed: ${messageOf(error)}`);
    }
  }

  #stall(reason: string): void {
    const state = this.#state;
    if (state.kind === "stalled" && state.reason === reason) return;
    const sinceMs = state.kind === "stalled" ? state.sinceMs : this.#deps.clock.nowMs();
    this.#enter({ kind: "stalled", reason, sinceMs });
  }

  #enter(state: PipelineState): void {
    this.#state = state;
    if (state.kind === "stalled") this.#deps.log.error(`The market store cannot be written: ${state.reason}`);
    else this.#deps.log.info("The market store can be written again");
    this.#options.onStateChange?.(state);
  }

  /** Waits before the next try, doubling; cut short by `close`, and after a failed seal by the next batch. */
  #rest(failures: number, isForSeal: boolean): Promise<void> {
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel();
        this.#pause = null;
        resolve();
      };
      const timer = this.#deps.timers.after(delayMs, end);
      this.#pause = { isForSeal, end };
    });
  }
}

interface Pause {
  readonly isForSeal: boolean;
  end(): void;
}

/** A reason without what differs from attempt to attempt: the numbers and the identity in a file's name. */
function kindOf(reason: string): string {
  return reason.replace(/[\da-f]*\d[\da-f]*/g, "#");
}

function rowsOf(batch: CloseBatch): number {
  return batch.candles.length + batch.gaps.length;
}
