import { existsSync, readFileSync } from "node:fs";
import { platform } from "#platform";
import type { Candle, FeedGap } from "../../src/core/candle.ts";
import type { CloseBatch } from "../../src/core/delivery.ts";
import type { Log } from "../../src/core/env.ts";
import type { MarketFeed } from "../../src/feed/contract.ts";
import type { MarketIngestOptions } from "../../src/feed/ingest-state.ts";
import { MarketIngest } from "../../src/feed/market-ingest.ts";
import { ReplayFeed } from "../../src/feed/replay/replay-feed.ts";

export const recordings = process.env.MARKET_RECORDINGS ?? `${import.meta.dir}/../../../shared/data`;
export const hasRecordings = existsSync(recordings);
if (!hasRecordings) console.warn(`SKIPPED: no recordings at ${recordings}; set MARKET_RECORDINGS`);

export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
export const deps = { ...platform, log: quietLog };

export const SPOT = `${recordings}/binance-spot-btcusdt`;
export const USDM = `${recordings}/binance-usdm-btcusdt`;

/** Everything an ingest put out, row by row. */
export class Collected {
  readonly batches: CloseBatch[] = [];
  readonly revised: Candle[] = [];

  get candles(): readonly Candle[] {
    return this.batches.flatMap((batch) => batch.candles);
  }

  get gaps(): readonly FeedGap[] {
    return this.batches.flatMap((batch) => batch.gaps);
  }

  of(symbol: string): readonly Candle[] {
    return this.candles.filter((candle) => candle.symbol === symbol);
  }
}

export function collect(
  feed: MarketFeed,
  symbols: readonly string[],
  more: Partial<MarketIngestOptions> = {},
  log: Log = quietLog,
): { readonly ingest: MarketIngest; readonly out: Collected } {
  const out = new Collected();
  const options: MarketIngestOptions = {
    symbols,
    heads: new Map(),
    closedThrough: null,
    emit: (batch) => {
      out.batches.push(batch);
      return "accepted";
    },
    revise: (candles) => out.revised.push(...candles),
    ...more,
  };
  return { ingest: new MarketIngest(options, { ...deps, log, feed }), out };
}

export async function replay(
  files: readonly string[],
  symbols: readonly string[],
  more: Partial<MarketIngestOptions> = {},
): Promise<{ readonly feed: ReplayFeed; readonly out: Collected; readonly ingest: MarketIngest }> {
  const feed = await ReplayFeed.open({ files, symbols, speed: "max" }, deps);
  const { ingest, out } = collect(feed, symbols, more);
  await ingest.run();
  return { feed, out, ingest };
}

export interface KlineRow {
  readonly openTime: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** The exchange's own klines beside a recording, under the candle's field names. */
export function recordedKlines(folder: string): ReadonlyMap<number, KlineRow> {
  const names: Readonly<Record<string, string>> = {
    quote_volume: "quoteVolume",
    count: "trades",
    taker_buy_volume: "takerBuyVolume",
    taker_buy_quote_volume: "takerBuyQuoteVolume",
  };
  const [head = "", ...lines] = readFileSync(`${folder}/klines_1m_BTCUSDT.csv`, "utf8").trim().split("\n");
  const columns = head.split(",");
  return new Map(
    lines.map((line) => {
      const cells = line.split(",").map(Number);
      const figures: Record<string, number> = {};
      columns.forEach((name, at) => {
        if (!["open_time", "close_time", "ignore"].includes(name))
          figures[names[name] ?? name] = cells[at] ?? Number.NaN;
      });
      const openTime = cells[0] ?? 0;
      return [openTime, { openTime, figures }];
    }),
  );
}

/** How many of a kline's fields a candle equals; every one must. */
export function differences(candle: Candle, kline: KlineRow): readonly string[] {
  return Object.entries(kline.figures)
    .filter(([name, value]) => candle[name as keyof Candle] !== value)
    .map(([name, value]) => `${candle.openTime} ${name}: ${String(candle[name as keyof Candle])} is not ${value}`);
}
