import { platform } from "#platform";
import type { OpenSocket } from "../../../src/core/env.ts";
import { MINUTE_MS } from "../../../src/core/time.ts";
import { LiveFeed, type LiveFeedDeps, type LiveFeedOptions } from "../../../src/feed/live/live-feed.ts";
import { parseBadDay } from "../../../src/feed/sim/bad-day.ts";
import { openSimExchange } from "../../../src/feed/sim/sim-exchange.ts";
import { DEFAULT_START_MS, simTruth } from "../../../src/feed/sim/truth.ts";
import type { Venue } from "../../../src/feed/venues/contract.ts";
import { type Collected, collect, deps, quietLog } from "../support.ts";

const SEED = 11;

/** The venue's own names of three pairs. */
export function namesOf(venue: Venue): readonly string[] {
  return ["BTC", "ETH", "SOL"].map((base) => venue.symbolOf({ base, quote: "USDT" }));
}

/** A simulated exchange of a venue, and a real feed and ingest that hear it over real sockets. */
export function openLive(
  venue: Venue,
  more: { readonly speed?: number; readonly badDay?: string; readonly openSocket?: OpenSocket } & Partial<
    LiveFeedOptions & LiveFeedDeps
  > = {},
) {
  const { speed = 60, badDay, openSocket = platform.openSocket, ...options } = more;
  const symbols = namesOf(venue);
  const exchange = openSimExchange(
    {
      host: "127.0.0.1",
      port: 0,
      speed,
      venue: venue.id,
      badDay: badDay === undefined ? null : parseBadDay(badDay),
      source: { kind: "market", seed: SEED, symbols, startMs: DEFAULT_START_MS, folder: null },
    },
    { ...platform, log: quietLog },
  );
  const feed = new LiveFeed(
    { venue, symbols, url: `ws://127.0.0.1:${exchange.port}`, ...options },
    { ...deps, openSocket },
  );
  const { ingest, out } = collect(feed, symbols, { historyMinutes: 0 });
  const done = ingest.run();
  done.catch(() => undefined);
  const count = (name: string) => ({ ...feed.facts().counters, ...ingest.state().counters })[name] ?? 0;
  return {
    exchange,
    feed,
    ingest,
    out,
    done,
    count,
    minutes: () => Math.min(...symbols.map((symbol) => out.of(symbol).length)),
    faults: () => faults(out, venue, symbols),
    async [Symbol.asyncDispose]() {
      await ingest.stop();
      await done.catch(() => undefined);
      await exchange.stop();
    },
  };
}

/** What differs from the market's own list in what the venue tells, and what is missing or out of step. Empty where nothing. */
function faults(out: Collected, venue: Venue, symbols: readonly string[]): readonly string[] {
  const found: string[] = out.gaps.map((gap) => `gap ${gap.symbol} ${gap.fromOpenTime} ${gap.reason}`);
  const newest = Math.max(...out.candles.map((candle) => candle.openTime));
  const minutes = (newest - DEFAULT_START_MS) / MINUTE_MS + 1;
  const truth = new Map(
    [...simTruth({ seed: SEED, symbols, startMs: DEFAULT_START_MS, minutes })].map((row) => [
      `${row.symbol} ${row.openTime}`,
      row,
    ]),
  );
  const revised = new Map(out.revised.map((row) => [`${row.symbol} ${row.openTime}`, row]));
  for (const symbol of symbols) {
    out.of(symbol).forEach((put, at, all) => {
      const candle = revised.get(`${symbol} ${put.openTime}`) ?? put;
      const before = all[at - 1];
      const name = `${symbol} +${(candle.openTime - DEFAULT_START_MS) / MINUTE_MS} ${candle.provenance}`;
      if (before !== undefined && candle.openTime !== before.openTime + MINUTE_MS) found.push(`${name}: out of step`);
      const row = truth.get(`${symbol} ${candle.openTime}`);
      if (row === undefined) {
        found.push(`${name}: not in the market`);
        return;
      }
      if (candle.provenance === "partial") found.push(`${name}: partial`);
      // Bybit's klines open at the close before.
      const told =
        venue.id === "bybit" ? (["close", "volume"] as const) : (["open", "high", "low", "close", "volume"] as const);
      for (const figure of told)
        if (candle[figure] !== row[figure]) found.push(`${name}: ${figure} ${candle[figure]} is not ${row[figure]}`);
      if (candle.provenance !== "complete") return;
      for (const figure of ["quoteVolume", "trades", "takerBuyVolume", "takerBuyQuoteVolume"] as const)
        if (candle[figure] !== row[figure]) found.push(`${name}: ${figure} ${candle[figure]} is not ${row[figure]}`);
    });
  }
  return found;
}
