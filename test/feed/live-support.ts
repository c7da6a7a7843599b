import { platform } from "#platform";
import type { Candle } from "../../src/core/candle.ts";
import type { OpenSocket, Socket } from "../../src/core/env.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import type { MarketIngestOptions } from "../../src/feed/ingest-state.ts";
import { LiveFeed, type LiveFeedDeps, type LiveFeedOptions } from "../../src/feed/live/live-feed.ts";
import { openSimExchange, type SimExchange } from "../../src/feed/sim/sim-exchange.ts";
import { DEFAULT_START_MS, simTruth } from "../../src/feed/sim/truth.ts";
import type { TrackHead } from "../../src/feed/symbol-track.ts";
import { venueOf } from "../../src/feed/venues/venues.ts";
import { type Collected, collect, deps, quietLog } from "./support.ts";

export const START = DEFAULT_START_MS;
export const SEED = 7;
export const SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

export function startExchange(
  speed: number,
  more: { readonly port?: number; readonly folder?: string; readonly seed?: number } = {},
): SimExchange {
  return openSimExchange(
    {
      host: "127.0.0.1",
      port: more.port ?? 0,
      speed,
      source: {
        kind: "market",
        seed: more.seed ?? SEED,
        symbols: SYMBOLS,
        startMs: START,
        folder: more.folder ?? null,
      },
    },
    { ...platform, log: quietLog },
  );
}

/** A real feed on real sockets, cut or robbed of messages at will, or given others. */
export class Wire {
  readonly openSocket: OpenSocket;
  readonly #sockets = new Set<Socket>();
  /** Says which messages get lost. */
  lose: (text: string) => boolean = () => false;
  /** Says what arrives in place of a message. */
  change: (text: string) => string = (text) => text;

  constructor() {
    this.openSocket = (url, handlers) => {
      const socket: Socket = platform.openSocket(url, {
        ...handlers,
        onMessage: (text) => {
          if (!this.lose(text)) handlers.onMessage(this.change(text));
        },
        onClose: (reason) => {
          this.#sockets.delete(socket);
          handlers.onClose(reason);
        },
      });
      this.#sockets.add(socket);
      return socket;
    };
  }

  cut(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

export function liveFeed(port: number, more: Partial<LiveFeedOptions & LiveFeedDeps> = {}): LiveFeed {
  const { openSocket = platform.openSocket, ...options } = more;
  return new LiveFeed(
    { venue: venueOf("binance-spot"), symbols: SYMBOLS, url: `ws://127.0.0.1:${port}`, ...options },
    { ...deps, openSocket },
  );
}

export interface LiveRun extends AsyncDisposable {
  readonly ingest: ReturnType<typeof collect>["ingest"];
  readonly feed: LiveFeed;
  readonly out: Collected;
  readonly done: Promise<void>;
}

export function runLive(feed: LiveFeed, more: Partial<MarketIngestOptions> = {}): LiveRun {
  const { ingest, out } = collect(feed, SYMBOLS, { historyMinutes: 3, ...more });
  const done = ingest.run();
  done.catch(() => undefined);
  return {
    ingest,
    feed,
    out,
    done,
    async [Symbol.asyncDispose]() {
      await ingest.stop();
      await done.catch(() => undefined);
    },
  };
}

/** The heads a store would have after these rows. */
export function headsOf(candles: readonly Candle[]): ReadonlyMap<string, TrackHead> {
  return new Map(
    candles.map((candle) => [
      candle.symbol,
      { lastOpenTime: candle.openTime, lastClose: candle.close, lastTradeId: candle.lastTradeId },
    ]),
  );
}

const FIGURES = [
  "open",
  "high",
  "low",
  "close",
  "volume",
  "quoteVolume",
  "trades",
  "takerBuyVolume",
  "takerBuyQuoteVolume",
] as const;

/** What differs from the simulated market's own list, and what is missing, repeated or out of order. Empty where nothing. */
export function faults(out: Collected, seed = SEED): readonly string[] {
  const found: string[] = out.gaps.map((gap) => `gap ${gap.symbol} ${gap.fromOpenTime} ${gap.reason}`);
  const newest = Math.max(...out.candles.map((candle) => candle.openTime));
  const minutes = Math.max(0, (newest - START) / MINUTE_MS + 1);
  const rows = [...simTruth({ seed, symbols: SYMBOLS, startMs: START, minutes })];
  const truth = new Map(rows.map((row) => [`${row.symbol} ${row.openTime}`, row]));
  for (const symbol of SYMBOLS) {
    const candles = out.of(symbol);
    candles.forEach((candle, at) => {
      const before = candles[at - 1];
      const name = `${symbol} +${(candle.openTime - START) / MINUTE_MS} ${candle.provenance}`;
      if (before !== undefined && candle.openTime !== before.openTime + MINUTE_MS) found.push(`${name}: out of step`);
      if (candle.provenance === "partial") found.push(`${name}: partial`);
      const row = truth.get(`${symbol} ${candle.openTime}`);
      if (candle.openTime < START) return;
      if (row === undefined) found.push(`${name}: not in the market`);
      for (const figure of FIGURES) {
        if (row !== undefined && candle[figure] !== row[figure])
          found.push(`${name}: ${figure} ${candle[figure]} is not ${row[figure]}`);
      }
      if (candle.provenance === "complete" && row !== undefined) {
        if (candle.firstTradeId !== row.firstTradeId || candle.lastTradeId !== row.lastTradeId)
          found.push(`${name}: trade ids differ`);
      }
    });
  }
  return found;
}

/** Minutes of every symbol from the market's start on. */
export function fullMinutes(out: Collected): number {
  return Math.min(...SYMBOLS.map((symbol) => out.of(symbol).filter((candle) => candle.openTime >= START).length));
}

export function countOf(out: Collected, provenance: Candle["provenance"]): number {
  return out.candles.filter((candle) => candle.provenance === provenance).length;
}
