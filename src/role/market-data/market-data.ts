import { platform } from "#platform";
import { messageOf } from "../../core/errors.ts";
import { nodeName } from "../../core/symbol.ts";
import type { MarketFeed } from "../../feed/contract.ts";
import type { StoreWriter } from "../../store/contract.ts";
import { grantWriter } from "../../store/grant.ts";
import { openStoreWriter } from "../../store/writer.ts";
import { checkInputFile } from "../input-file.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { type Node, type NodeReport, runNode } from "../lifecycle/node.ts";
import { aborted } from "../lifecycle/stop-signal.ts";
import { MarketCore } from "./market-core.ts";
import { checkFeedOptions, openFeed, symbolsOf } from "./open-feed.ts";

export interface MarketDataOptions {
  readonly feed: "live" | "sim" | "replay";
  /** Whose protocol is spoken, binance-spot where undefined; a recording tells its own. */
  readonly venue: string | undefined;
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
      const feed = await openFeed(options, folder, node.log);
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

/** One market-data node: the core with a node's life around it, and what it tells of itself. */
class MarketDataNode {
  readonly #options: MarketDataOptions;
  readonly #node: Node;
  readonly #feed: MarketFeed;
  readonly #writer: StoreWriter;
  readonly #core: MarketCore;

  constructor(options: MarketDataOptions, node: Node, feed: MarketFeed, writer: StoreWriter) {
    this.#options = options;
    this.#node = node;
    this.#feed = feed;
    this.#writer = writer;
    this.#core = new MarketCore(
      { symbols: symbolsOf(options), historyMinutes: options.historyMinutes },
      {
        ...platform,
        feed,
        writer,
        log: node.log,
        publisher: node.publisher,
        onFatal: (error) => node.requestStop(messageOf(error)),
        onEnded: () => this.#replayEnded(),
      },
    );
  }

  async run(): Promise<number> {
    const { log, stop } = this.#node;
    this.#node.tell({ report: () => this.#report() });
    log.info(`Store ${this.#writer.storeId} at row ${this.#writer.commitSeq}, venue ${this.#feed.venue}`);
    await this.#core.run(stop);
    return 0;
  }

  async #replayEnded(): Promise<void> {
    const { log, stop } = this.#node;
    const counters = { ...this.#feed.facts().counters, ...this.#core.ingest.counters };
    const told = Object.entries(counters).filter(([, value]) => value > 0);
    log.info("Replay ended", Object.fromEntries(told));
    if (!this.#options.stay) return;
    log.info("Staying up, as told by --stay");
    await aborted(stop);
  }

  #report(): NodeReport {
    const facts = this.#feed.facts();
    const ingest = this.#core.ingest;
    const { state, sealFailure, ...pipeline } = this.#core.pipeline;
    const stalled = state.kind === "stalled" ? state.reason : null;
    const waiting = facts.connected || this.#feed.recording ? null : "not connected to the venue";
    const reason =
      stalled ??
      sealFailure ??
      (ingest.phase === "paused" ? (ingest.reason ?? "paused") : (waiting ?? facts.trouble ?? null));
    const lags = ingest.symbols.map((symbol) => symbol.lagMs ?? 0);
    return {
      state: reason === null ? "running" : "degraded",
      reason,
      dataAgeMs: facts.ageMs === null ? null : Math.round(facts.ageMs),
      mode: null,
      details: {
        feed: this.#options.feed,
        venue: this.#writer.venue,
        environment: this.#writer.environment,
        symbols: ingest.symbols.length,
        speed: facts.speed,
        exchangeTime: facts.exchangeTimeMs === null ? null : Math.round(facts.exchangeTimeMs),
        closedThrough: ingest.closedThrough,
        commitSeq: this.#writer.commitSeq,
      },
      values: {
        ...prefixed("feed.", facts.counters),
        ...prefixed("ingest.", ingest.counters),
        ...prefixed("store.", { ...this.#writer.counters() }),
        ...prefixed("pipeline.", { ...pipeline }),
        ...this.#core.latency(),
        "revisions.waiting": this.#core.revisions.waiting,
        "revisions.dropped.total": this.#core.revisions.dropped,
        "ingest.lag.max.ms": Math.max(0, ...lags),
        "ingest.waiting": ingest.symbols.reduce((sum, symbol) => sum + symbol.waiting, 0),
      },
      rails: [],
    };
  }
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}
