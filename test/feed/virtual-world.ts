import type { Candle } from "../../src/core/candle.ts";
import type { Clock, Random, Timers } from "../../src/core/env.ts";
import { FabricError } from "../../src/core/errors.ts";
import { MINUTE_MS, minuteOf } from "../../src/core/time.ts";
import type { FeedFacts, FeedSink, MarketFeed, Trade } from "../../src/feed/contract.ts";

interface Due {
  at: number;
  readonly order: number;
  readonly run: () => void;
  readonly periodMs: number | null;
}

/** Time that moves only when told: the same inputs give the same run, to the last timer. */
export class VirtualTime {
  #now = 0;
  #order = 0;
  readonly #due = new Set<Due>();

  readonly clock: Clock = { nowMs: () => this.#now, monotonicMs: () => this.#now };
  readonly timers: Timers = {
    after: (delayMs, run) => this.#add(delayMs, run, null),
    every: (periodMs, run) => this.#add(periodMs, run, periodMs),
  };
  readonly random: Random = { next: () => 0.5, uuid: () => "00000000-0000-4000-8000-000000000000" };

  constructor(nowMs: number) {
    this.#now = nowMs;
  }

  get now(): number {
    return this.#now;
  }

  /** Runs everything that falls due up to `atMs`, with all its promises. */
  async moveTo(atMs: number): Promise<void> {
    await settle();
    for (;;) {
      let next: Due | undefined;
      for (const due of this.#due) {
        if (
          due.at <= atMs &&
          (next === undefined || due.at < next.at || (due.at === next.at && due.order < next.order))
        )
          next = due;
      }
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      if (next.periodMs === null) this.#due.delete(next);
      else next.at += next.periodMs;
      next.run();
      await settle();
    }
    this.#now = Math.max(this.#now, atMs);
    await settle();
  }

  #add(delayMs: number, run: () => void, periodMs: number | null) {
    const due: Due = { at: this.#now + delayMs, order: this.#order++, run, periodMs };
    this.#due.add(due);
    return { cancel: () => void this.#due.delete(due) };
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await Promise.resolve();
}

/** What a venue's market really was, added up naively in BigInt. */
export function naiveCandle(symbol: string, openTime: number, trades: readonly Trade[]): Candle | null {
  const own = trades.filter((trade) => trade.symbol === symbol);
  const rows = own.filter((trade) => minuteOf(trade.timeMs) === openTime).sort((left, right) => left.id - right.id);
  const before = own
    .filter((trade) => trade.timeMs < openTime)
    .sort((left, right) => left.id - right.id)
    .at(-1);
  const first = rows[0];
  const last = rows.at(-1);
  if (first === undefined || last === undefined) {
    if (before === undefined) return null;
    const close = Number(before.price);
    return candle(symbol, openTime, [close, close, close, close], [0, 0, 0, 0, 0], null, null);
  }
  const takers = rows.filter((trade) => !trade.buyerIsMaker);
  const prices = rows.map((trade) => Number(trade.price));
  return candle(
    symbol,
    openTime,
    [Number(first.price), Math.max(...prices), Math.min(...prices), Number(last.price)],
    [
      total(
        rows.map((trade) => scaled(trade.quantity)),
        8,
      ),
      total(
        rows.map((trade) => scaled(trade.price) * scaled(trade.quantity)),
        16,
      ),
      rows.length,
      total(
        takers.map((trade) => scaled(trade.quantity)),
        8,
      ),
      total(
        takers.map((trade) => scaled(trade.price) * scaled(trade.quantity)),
        16,
      ),
    ],
    first.id,
    last.id,
  );
}

function candle(
  symbol: string,
  openTime: number,
  [open, high, low, close]: readonly [number, number, number, number],
  [volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume]: readonly [number, number, number, number, number],
  firstTradeId: number | null,
  lastTradeId: number | null,
): Candle {
  return {
    symbol,
    openTime,
    open,
    high,
    low,
    close,
    volume,
    quoteVolume,
    trades,
    takerBuyVolume,
    takerBuyQuoteVolume,
    firstTradeId,
    lastTradeId,
    provenance: "backfilled",
  };
}

function scaled(decimal: string): bigint {
  const [whole = "0", fraction = ""] = decimal.split(".");
  return BigInt(whole + fraction.padEnd(8, "0"));
}

function total(parts: readonly bigint[], places: number): number {
  const sum = parts.reduce((left, right) => left + right, 0n);
  const digits = sum.toString().padStart(places + 1, "0");
  return Number(`${digits.slice(0, -places)}.${digits.slice(-places)}`);
}

/** A feed that does what the test says, over a market whose klines are the naive candles. */
export class ScriptedFeed implements MarketFeed {
  readonly venue = "binance-spot";
  readonly recording = false;
  sink: FeedSink | null = null;
  /** The venue's klines answer; else they reject. */
  restUp = true;
  klineRequests = 0;
  readonly #time: VirtualTime;
  readonly #market: readonly Trade[];
  #ended: (() => void) | null = null;

  constructor(time: VirtualTime, market: readonly Trade[]) {
    this.#time = time;
    this.#market = market;
  }

  run(sink: FeedSink): Promise<void> {
    this.sink = sink;
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  async stop(): Promise<void> {
    this.#ended?.();
  }

  async klines(symbol: string, from: number, to: number): Promise<readonly Candle[]> {
    this.klineRequests++;
    const now = this.#time.now;
    if (!this.restUp) throw new FabricError("unavailable", "no answer");
    const candles: Candle[] = [];
    for (let openTime = from; openTime <= to && openTime + MINUTE_MS <= now; openTime += MINUTE_MS) {
      const row = naiveCandle(symbol, openTime, this.#market);
      if (row !== null) candles.push({ ...row, firstTradeId: null, lastTradeId: null });
    }
    return candles;
  }

  facts(): FeedFacts {
    return {
      connected: true,
      exchangeTimeMs: this.#time.now,
      speed: 1,
      environment: "sim:test",
      ageMs: 0,
      counters: {},
    };
  }
}
