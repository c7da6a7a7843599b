import { type Candle, closeTimeOf, type StoredCandle } from "../../core/candle.ts";
import type { CloseBatch } from "../../core/delivery.ts";
import type { Clock, Log, Random, Timers } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { candleTopic, TOPICS } from "../../core/topic.ts";
import type { MarketFeed } from "../../feed/contract.ts";
import type { IngestState } from "../../feed/ingest-state.ts";
import { MarketIngest } from "../../feed/market-ingest.ts";
import { RECENT_ROWS } from "../../feed/symbol-track.ts";
import { CommitPipeline, type PipelineCounters, type PipelineState } from "../../store/commit-pipeline.ts";
import type { StoreWriter } from "../../store/contract.ts";
import { LatencyRing } from "../lifecycle/latency.ts";
import { aborted } from "../lifecycle/stop-signal.ts";
import { type RevisionCounters, RevisionQueue } from "./revision-queue.ts";

export interface MarketCoreOptions {
  readonly symbols: readonly string[];
  /** Klines that a fresh symbol starts with. */
  readonly historyMinutes: number;
  /** As of the commit pipeline; its own default where absent. */
  readonly maxWaitingRows?: number;
  /** As of the ingest; its own default where absent. */
  readonly backfillWaitMs?: number;
}

export interface MarketCoreDeps {
  readonly feed: MarketFeed;
  /** Stays the caller's: `run` leaves it open. */
  readonly writer: StoreWriter;
  readonly publisher: { publish(topic: string, fields: object): void };
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** The store refused the feed for good. Whoever stops the node learns why from `run`, which rejects with the same. */
  onFatal(error: unknown): void;
  /** A recording has ended and all of it is committed: the core goes on (and tells its heartbeat) until this resolves. */
  onEnded?(): Promise<void>;
}

const HEARTBEAT_MS = 1000;

/** A market-data node without its process: feed → ingest → pipeline → store and wire, with everything from outside injected. */
export class MarketCore {
  readonly #deps: MarketCoreDeps;
  readonly #ingest: MarketIngest;
  readonly #pipeline: CommitPipeline;
  readonly #revisions: RevisionQueue;
  readonly #closeToPublish = new LatencyRing();
  /** When each batch was offered, monotonic ms; as long as the pipeline's queue. */
  readonly #offeredMs: number[] = [];
  #fatal: unknown = null;

  constructor(options: MarketCoreOptions, deps: MarketCoreDeps) {
    this.#deps = deps;
    const { feed, writer } = deps;
    this.#pipeline = new CommitPipeline(
      {
        writer: bindingWriter(
          writer,
          () => feed.facts().environment,
          (error) => this.#stopWith(error),
        ),
        onCommitted: (rows) => this.#publish(rows),
        ...(options.maxWaitingRows === undefined ? {} : { maxWaitingRows: options.maxWaitingRows }),
      },
      deps,
    );
    this.#revisions = new RevisionQueue(deps);
    this.#ingest = new MarketIngest(
      {
        symbols: options.symbols,
        heads: writer.heads,
        closedThrough: writer.closedThrough,
        historyMinutes: options.historyMinutes,
        ...(options.backfillWaitMs === undefined ? {} : { backfillWaitMs: options.backfillWaitMs }),
        emit: (batch) => this.#offer(batch),
        revise: (candles) => this.#revisions.offer(candles),
      },
      deps,
    );
  }

  /**
   * Runs until a recording has ended, or `stop`; then commits what waits. Call it once. Rejects with what stopped it: the feed's
   * FabricError where it can never work, "refused" where the store belongs to another market.
   */
  async run(stop: AbortSignal): Promise<void> {
    const { log, timers, onEnded } = this.#deps;
    const heartbeat = timers.every(HEARTBEAT_MS, () => {
      this.#heartbeat();
      void this.#refuseOtherMarket();
      this.#pipeline.heal();
    });
    try {
      await this.#refuseOtherMarket();
      this.#ingest.recall(await this.#newestRows());
      const running = this.#ingest.run();
      await Promise.race([running, aborted(stop)]);
      if (!stop.aborted) {
        await running;
        await Promise.race([this.#pipeline.drain(), aborted(stop)]);
        await onEnded?.();
      }
    } finally {
      await this.#ingest.stop();
      this.#revisions.close();
      const left = await this.#pipeline.close();
      if (left.length > 0)
        log.error(`${left.length} closed minutes were not committed; they will come from the venue again`);
      heartbeat.cancel();
      this.#heartbeat();
    }
    if (this.#fatal !== null) throw this.#fatal;
  }

  get ingest(): IngestState {
    return this.#ingest.state();
  }

  get pipeline(): PipelineCounters & { readonly state: PipelineState; readonly sealFailure: string | null } {
    const { state, sealFailure } = this.#pipeline;
    return { ...this.#pipeline.counters(), state, sealFailure };
  }

  get revisions(): RevisionCounters {
    return this.#revisions.counters();
  }

  /** From the close of a minute to its publishing, ms by dotted name. */
  latency(): Readonly<Record<string, number>> {
    return this.#closeToPublish.values("close.to.publish");
  }

  #offer(batch: CloseBatch): "accepted" | "full" | "closed" {
    const answer = this.#pipeline.offer(batch);
    if (answer === "accepted") this.#offeredMs.push(this.#deps.clock.monotonicMs());
    if (answer === "full" && !this.#deps.feed.recording) {
      this.#deps.log.error("The commit queue is full: ingesting stops until the store can be written");
      void this.#resume();
    }
    return answer;
  }

  /** After a stall: what is queued is committed first (sealed or not); then the feed starts anew from the store's heads. */
  async #resume(): Promise<void> {
    await this.#pipeline.committed();
    const newest = await this.#newestRows();
    if (this.#ingest.state().phase !== "paused") return;
    this.#ingest.resume(this.#deps.writer.heads, this.#deps.writer.closedThrough);
    this.#ingest.recall(newest);
    this.#deps.log.info("Ingesting again; what was missed comes from the venue");
  }

  /** Rows committed just before the end of the last life may be in doubt: the venue is asked about them again. */
  async #newestRows(): Promise<readonly Candle[]> {
    const { feed, writer, log } = this.#deps;
    if (feed.recording) return [];
    try {
      return await writer.newest(RECENT_ROWS * writer.heads.size);
    } catch (error) {
      log.warn(`Cannot read the newest rows, so they are not checked against the venue: ${messageOf(error)}`);
      return [];
    }
  }

  #publish(rows: readonly StoredCandle[]): void {
    const { publisher, writer, clock } = this.#deps;
    const { storeId } = writer;
    for (const row of rows) {
      publisher.publish(candleTopic(row.symbol), { storeId, ...row, closeTime: closeTimeOf(row.openTime) });
    }
    const offered = this.#offeredMs.shift();
    if (offered !== undefined) this.#closeToPublish.add(clock.monotonicMs() - offered);
  }

  #heartbeat(): void {
    const { storeId, commitSeq, closedThrough } = this.#deps.writer;
    const { exchangeTimeMs, speed } = this.#deps.feed.facts();
    this.#deps.publisher.publish(TOPICS.heartbeat, {
      storeId,
      commitSeq,
      closedThrough,
      exchangeTime: exchangeTimeMs === null ? null : Math.floor(exchangeTimeMs),
      speed,
    });
  }

  /** As soon as the feed says what it is: its first commit, which would be refused, may be long in coming. */
  async #refuseOtherMarket(): Promise<void> {
    const told = this.#deps.feed.facts().environment;
    const { environment } = this.#deps.writer;
    if (told === null || environment === null || told === environment) return;
    await this.#deps.writer.bind(told).catch((error: unknown) => this.#stopWith(error));
  }

  #stopWith(error: unknown): void {
    this.#fatal ??= error;
    this.#deps.onFatal(error);
  }
}

/** The writer, with its environment fixed before its first commit: by then the venue has said what it is. */
function bindingWriter(
  writer: StoreWriter,
  environment: () => string | null,
  onRefused: (error: unknown) => void,
): Pick<StoreWriter, "commit" | "seal" | "compact" | "heal"> {
  let bound = false;
  return {
    async commit(batch) {
      const told = environment();
      if (!bound && told !== null) {
        await writer.bind(told).catch((error: unknown) => {
          if (error instanceof FabricError && error.code === "refused") onRefused(error);
          throw error;
        });
        bound = true;
      }
      return writer.commit(batch);
    },
    seal: () => writer.seal(),
    compact: () => writer.compact(),
    heal: () => writer.heal(),
  };
}
