import { platform } from "#platform";
import { closeTimeOf, type StoredCandle } from "../../core/candle.ts";
import type { CloseBatch } from "../../core/delivery.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { nodeName } from "../../core/symbol.ts";
import { candleTopic, TOPICS } from "../../core/topic.ts";
import type { MarketFeed } from "../../feed/contract.ts";
import { MarketIngest } from "../../feed/market-ingest.ts";
import { CommitPipeline } from "../../store/commit-pipeline.ts";
import type { StoreWriter } from "../../store/contract.ts";
import { grantWriter } from "../../store/grant.ts";
import { openStoreWriter } from "../../store/writer.ts";
import { checkInputFile } from "../input-file.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { LatencyRing } from "../lifecycle/latency.ts";
import { type Node, type NodeReport, runNode } from "../lifecycle/node.ts";
import { aborted } from "../lifecycle/stop-signal.ts";
import { checkFeedOptions, openFeed, symbolsOf } from "./open-feed.ts";

export interface MarketDataOptions {
  readonly feed: "binance" | "sim" | "replay";
  /** ws:// or wss://; the venue's own address where absent. */
  readonly url: string | undefined;
  readonly files: readonly string[];
  /** Of a replay: exchange ms per wall ms. A venue tells its own. */
  readonly speed: number | "max";
  readonly symbols: readonly string[] | undefined;
  /** Klines that a fresh symbol starts with. */
  readonly historyMinutes: number;
  readonly data: string | undefined;
  readonly publish: readonly string[];
  readonly stay: boolean;
}

const HEARTBEAT_MS = 1000;

/**
 * The market-data role: the feed's minutes are committed, then published, then sealed; this process alone writes the store.
 * A replay ends with its input (exit 0) unless told to stay.
 */
export async function runMarketData(options: MarketDataOptions): Promise<number | undefined> {
  checkFeedOptions(options);
  for (const file of options.files) checkInputFile("replay", file);
  const folder = dataFolder(options.data);
  return runNode(
    { role: "market-data", name: nodeName("market-data"), folder, publish: options.publish },
    async (node) => {
      const feed = await openFeed(options, folder.run, node.log);
      const grant = grantWriter("market-data");
      const writer = await openStoreWriter(
        { folder: folder.path, venue: feed.venue, grant },
        { ...platform, log: node.log },
      );
      try {
        return await new MarketDataNode(options, node, feed, writer).run();
      } finally {
        await writer.close();
      }
    },
  );
}

/** One market-data node with its parts wired: feed → ingest → pipeline → store and wire. */
class MarketDataNode {
  readonly #options: MarketDataOptions;
  readonly #node: Node;
  readonly #feed: MarketFeed;
  readonly #writer: StoreWriter;
  readonly #ingest: MarketIngest;
  readonly #pipeline: CommitPipeline;
  readonly #closeToPublish = new LatencyRing();
  /** When each batch was offered, monotonic ms; as long as the pipeline's queue. */
  readonly #offeredMs: number[] = [];
  #fatal: unknown = null;

  constructor(options: MarketDataOptions, node: Node, feed: MarketFeed, writer: StoreWriter) {
    this.#options = options;
    this.#node = node;
    this.#feed = feed;
    this.#writer = writer;
    const { log } = node;
    this.#pipeline = new CommitPipeline(
      {
        writer: bindingWriter(
          writer,
          () => feed.facts().environment,
          (error) => this.#stopWith(error),
        ),
        onCommitted: (rows) => this.#publish(rows),
      },
      { ...platform, log },
    );
    this.#ingest = new MarketIngest(
      {
        symbols: symbolsOf(options),
        heads: writer.heads,
        closedThrough: writer.closedThrough,
        historyMinutes: options.historyMinutes,
        emit: (batch) => this.#offer(batch),
        revise: (candles) => {
          writer.revise(candles).then(
            () => writer.seal(),
            (error: unknown) => log.warn(`Cannot store revisions: ${messageOf(error)}`),
          );
        },
      },
      { ...platform, feed, log },
    );
  }

  async run(): Promise<number> {
    const { log, stop } = this.#node;
    this.#node.tell({ report: () => this.#report() });
    const heartbeat = platform.timers.every(HEARTBEAT_MS, () => {
      this.#heartbeat();
      void this.#refuseOtherMarket();
    });
    log.info(`Store ${this.#writer.storeId} at row ${this.#writer.commitSeq}, venue ${this.#feed.venue}`);
    try {
      await this.#refuseOtherMarket();
      const running = this.#ingest.run();
      await Promise.race([running, aborted(stop)]);
      if (!stop.aborted) {
        await running;
        await this.#finishReplay();
      }
    } finally {
      await this.#ingest.stop();
      const left = await this.#pipeline.close();
      if (left.length > 0)
        log.error(`${left.length} closed minutes were not committed; they will come from the venue again`);
      heartbeat.cancel();
      this.#heartbeat();
    }
    if (this.#fatal !== null) throw this.#fatal;
    return 0;
  }

  async #finishReplay(): Promise<void> {
    const { log, stop } = this.#node;
    await Promise.race([this.#pipeline.drain(), aborted(stop)]);
    const counters = { ...this.#feed.facts().counters, ...this.#ingest.state().counters };
    const told = Object.entries(counters).filter(([, value]) => value > 0);
    log.info("Replay ended", Object.fromEntries(told));
    if (!this.#options.stay) return;
    log.info("Staying up, as told by --stay");
    await aborted(stop);
  }

  #offer(batch: CloseBatch): "accepted" | "full" | "closed" {
    const answer = this.#pipeline.offer(batch);
    if (answer === "accepted") this.#offeredMs.push(platform.clock.monotonicMs());
    if (answer === "full" && !this.#feed.recording) {
      this.#node.log.error("The commit queue is full: ingesting stops until the store can be written");
      void this.#resume();
    }
    return answer;
  }

  /** After a stall: what is queued goes in first; then the feed starts anew from the store's heads. */
  async #resume(): Promise<void> {
    await this.#pipeline.drain();
    if (this.#ingest.state().phase !== "paused") return;
    this.#ingest.resume(this.#writer.heads, this.#writer.closedThrough);
    this.#node.log.info("Ingesting again; what was missed comes from the venue");
  }

  #publish(rows: readonly StoredCandle[]): void {
    const { storeId } = this.#writer;
    for (const row of rows) {
      this.#node.publisher.publish(candleTopic(row.symbol), { storeId, ...row, closeTime: closeTimeOf(row.openTime) });
    }
    const offered = this.#offeredMs.shift();
    if (offered !== undefined) this.#closeToPublish.add(platform.clock.monotonicMs() - offered);
  }

  #heartbeat(): void {
    const { storeId, commitSeq, closedThrough } = this.#writer;
    const { exchangeTimeMs, speed } = this.#feed.facts();
    this.#node.publisher.publish(TOPICS.heartbeat, {
      storeId,
      commitSeq,
      closedThrough,
      exchangeTime: exchangeTimeMs === null ? null : Math.floor(exchangeTimeMs),
      speed,
    });
  }

  /** As soon as the feed says what it is: its first commit, which would be refused, may be long in coming. */
  async #refuseOtherMarket(): Promise<void> {
    const told = this.#feed.facts().environment;
    const { environment } = this.#writer;
    if (told === null || environment === null || told === environment) return;
    await this.#writer.bind(told).catch((error: unknown) => this.#stopWith(error));
  }

  #stopWith(error: unknown): void {
    this.#fatal ??= error;
    this.#node.requestStop(messageOf(error));
  }

  #report(): NodeReport {
    const facts = this.#feed.facts();
    const state = this.#ingest.state();
    const pipeline = this.#pipeline.counters();
    const stalled = this.#pipeline.state.kind === "stalled" ? this.#pipeline.state.reason : null;
    const waiting = facts.connected || this.#feed.recording ? null : "not connected to the venue";
    const reason =
      stalled ??
      this.#pipeline.sealFailure ??
      (state.phase === "paused" ? (state.reason ?? "paused") : (waiting ?? facts.trouble ?? null));
    const lags = state.symbols.map((symbol) => symbol.lagMs ?? 0);
    return {
      state: reason === null ? "running" : "degraded",
      reason,
      dataAgeMs: facts.ageMs === null ? null : Math.round(facts.ageMs),
      mode: null,
      details: {
        feed: this.#options.feed,
        venue: this.#writer.venue,
        environment: this.#writer.environment,
        symbols: state.symbols.length,
        speed: facts.speed,
        exchangeTime: facts.exchangeTimeMs === null ? null : Math.round(facts.exchangeTimeMs),
        closedThrough: state.closedThrough,
        commitSeq: this.#writer.commitSeq,
      },
      values: {
        ...prefixed("feed.", facts.counters),
        ...prefixed("ingest.", state.counters),
        ...prefixed("store.", { ...this.#writer.counters() }),
        ...prefixed("pipeline.", { ...pipeline }),
        ...this.#closeToPublish.values("close.to.publish"),
        "ingest.lag.max.ms": Math.max(0, ...lags),
        "ingest.waiting": state.symbols.reduce((sum, symbol) => sum + symbol.waiting, 0),
      },
      rails: [],
    };
  }
}

/** The writer, with its environment fixed before its first commit: by then the venue has said what it is. */
function bindingWriter(
  writer: StoreWriter,
  environment: () => string | null,
  onRefused: (error: unknown) => void,
): Pick<StoreWriter, "commit" | "seal" | "compact"> {
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
  };
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}
