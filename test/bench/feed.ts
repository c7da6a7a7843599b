/**
 * Recorded Binance frames to candles, on one core, beside bare JSON.parse of the same lines in the same run.
 * `bun test/bench/feed.ts [rounds]`; recordings from MARKET_RECORDINGS.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { minuteOf } from "../../src/core/time.ts";
import { FrameReader } from "../../src/feed/binance/frame-reader.ts";
import type { MarketFeed } from "../../src/feed/contract.ts";
import { MarketIngest } from "../../src/feed/market-ingest.ts";
import { MinuteAggregator } from "../../src/feed/minute-aggregator.ts";
import { deps, SPOT, USDM } from "../feed/support.ts";

const rounds = Number(process.argv[2] ?? 5);
const inputs = [
  { name: "spot", file: `${SPOT}/spot_btcusdt.trades.ws.txt.gz` },
  { name: "usdm", file: `${USDM}/usdm_btcusdt.trades.ws.txt.gz` },
];

/** The best of some rounds over the lines, in lines a second. */
function best(lines: readonly string[], run: (lines: readonly string[]) => number): number {
  let most = 0;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const done = run(lines);
    most = Math.max(most, done / ((performance.now() - began) / 1000));
  }
  return most;
}

function parseOnly(lines: readonly string[]): number {
  let trades = 0;
  for (const line of lines) trades += (JSON.parse(line) as { data: { e: string } }).data.e === "trade" ? 1 : 0;
  return trades;
}

function scanOnly(lines: readonly string[]): number {
  const reader = new FrameReader();
  let trades = 0;
  for (const line of lines) trades += reader.read(line).type === "trades" ? 1 : 0;
  return trades;
}

function foldOnly(lines: readonly string[]): number {
  const reader = new FrameReader();
  const frames = lines.map((line) => reader.read(line)).filter((frame) => frame.type === "trades");
  let most = 0;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const aggregator = new MinuteAggregator("BTCUSDT", minuteOf(frames[0]?.trades[0].timeMs ?? 0), null);
    for (const { trades } of frames) aggregator.add(trades[0]);
    most = Math.max(most, frames.length / ((performance.now() - began) / 1000));
  }
  return most;
}

/** Frames through the whole ingest, candles counted. */
function toCandles(lines: readonly string[]): number {
  let candles = 0;
  const feed: MarketFeed = {
    venue: "binance-spot",
    recording: true,
    run: async (sink) => {
      const reader = new FrameReader();
      sink.onConnected(["BTCUSDT"]);
      for (const line of lines) {
        const frame = reader.read(line);
        if (frame.type === "trades") sink.onTrade(frame.trades[0]);
      }
    },
    stop: async () => undefined,
    klines: async () => [],
    facts: () => ({ connected: true, exchangeTimeMs: null, speed: 0, environment: null, ageMs: null, counters: {} }),
  };
  const ingest = new MarketIngest(
    {
      symbols: ["BTCUSDT"],
      heads: new Map(),
      closedThrough: null,
      emit: (batch) => {
        candles += batch.candles.length;
        return "accepted";
      },
    },
    { ...deps, feed },
  );
  void ingest.run();
  if (candles === 0) throw new Error("no candle came out");
  return lines.length;
}

const figure = (perSecond: number) => `${(perSecond / 1e6).toFixed(2)} M/s`;

for (const { name, file } of inputs) {
  const recorded = gunzipSync(readFileSync(file)).toString().trim().split("\n");
  const lines = recorded.map((line) => line.slice(line.indexOf("{")));
  const parse = best(lines, parseOnly);
  const scan = best(lines, scanOnly);
  const candles = best(lines, toCandles);
  console.log(
    `${name}: ${lines.length} frames; JSON.parse alone ${figure(parse)}; scanner ${figure(scan)}; fold alone ` +
      `${figure(foldOnly(lines))}; frames to candles ${figure(candles)} (${(candles / parse).toFixed(2)} x JSON.parse)`,
  );
}
