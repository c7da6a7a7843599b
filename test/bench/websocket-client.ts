/**
 * Takes what websocket-server.ts sends, through the platform's socket, and does with each frame what the mode says; prints frames a second
 * and the share of a core that this process used, as JSON: `bun test/bench/websocket-client.ts MODE PORT SHAPE FRAMES SYMBOLS ROUNDS`.
 * A process does one thing, as a node does: what else a process has done makes its code slower.
 */
import { platform } from "#platform";
import type { FeedSink, MarketFeed, Trade } from "../../src/feed/contract.ts";
import { MarketIngest } from "../../src/feed/market-ingest.ts";
import type { VenueTrade } from "../../src/feed/venues/contract.ts";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { deps } from "../feed/support.ts";
import { benchSymbols, MODES, type Mode, SHAPES } from "./venue-shapes.ts";

const mode = MODES.find((one) => one === process.argv[2]);
const [port = 0, shapeAt = 0, frames = 0, symbolCount = 0, rounds = 0] = process.argv.slice(3).map(Number);
const shape = SHAPES[shapeAt];
const venue = VENUES.find(({ id }) => id === shape?.venue);
if (mode === undefined || shape === undefined || venue === undefined)
  throw new Error(`No mode ${process.argv[2]}, or no shape at ${shapeAt}`);
const symbols = benchSymbols(shape, symbolCount);

interface Pass {
  readonly perSecond: number;
  readonly core: number;
}

/** One connection from its first frame to its last. */
function receive(take: (text: string) => void): Promise<Pass> {
  return new Promise((resolve, reject) => {
    let received = 0;
    let beganMs = 0;
    let used = process.cpuUsage();
    const socket = platform.openSocket(`ws://127.0.0.1:${port}`, {
      onOpen: () => undefined,
      onMessage: (text) => {
        if (received === 0) {
          beganMs = performance.now();
          used = process.cpuUsage();
        }
        take(text);
        if (++received < frames) return;
        const ms = performance.now() - beganMs;
        const { user, system } = process.cpuUsage(used);
        resolve({ perSecond: (frames / ms) * 1000, core: (user + system) / 1000 / ms });
        socket.close();
      },
      onClose: (reason) => reject(new Error(`${received} of ${frames} frames came: ${reason}`)),
    });
  });
}

let kept: unknown;

async function parse(): Promise<Pass> {
  return receive((text) => {
    kept = JSON.parse(text);
  });
}

async function read(): Promise<Pass> {
  const reader = venue?.reader();
  return receive((text) => {
    kept = reader?.read(text);
  });
}

/** Counts the trades of a symbol where the venue gives no id that counts, as every feed does. */
class Ordinals {
  readonly #last = new Map<string, number>();

  numbered(trade: VenueTrade): Trade {
    if (trade.id !== null) return trade as Trade;
    const id = (this.#last.get(trade.symbol) ?? 0) + 1;
    this.#last.set(trade.symbol, id);
    return { ...trade, id };
  }
}

async function aggregate(): Promise<Pass> {
  const reader = venue?.reader();
  const ordinals = new Ordinals();
  let trades = 0;
  let pass: Pass | null = null;
  const feed: MarketFeed = {
    venue: venue?.id ?? "",
    idsCount: shape?.name !== "v1 trade" && venue?.tradeIds !== "none",
    // No klines to ask for: what was missed stays missed.
    recording: true,
    run: async (sink: FeedSink) => {
      sink.onConnected(symbols);
      pass = await receive((text) => {
        const frame = reader?.read(text);
        if (frame?.type === "trades") for (const trade of frame.trades) sink.onTrade(ordinals.numbered(trade));
      });
    },
    stop: async () => undefined,
    klines: async () => [],
    facts: () => ({ connected: true, exchangeTimeMs: null, speed: 0, environment: null, ageMs: null, counters: {} }),
  };
  const ingest = new MarketIngest(
    {
      symbols,
      heads: new Map(),
      closedThrough: null,
      emit: ({ candles }) => {
        for (const candle of candles) trades += candle.trades;
        return "accepted";
      },
    },
    { ...deps, feed },
  );
  await ingest.run();
  if (pass === null || trades !== frames) throw new Error(`${trades} trades in the candles, ${frames} frames`);
  return pass;
}

const runs: Readonly<Record<Mode, () => Promise<Pass>>> = {
  receive: () => receive(() => undefined),
  "JSON.parse": parse,
  reader: read,
  candles: aggregate,
};
for (let round = 0; round < rounds; round++) console.log(JSON.stringify(await runs[mode]()));
// What was read was for something.
process.exit(kept === null ? 1 : 0);
