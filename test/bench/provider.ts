import { platform } from "#platform";
import { closeTimeOf, type StoredCandle } from "../../src/core/candle.ts";
import type { Log } from "../../src/core/env.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { type CandleBody, parseCandleBody } from "../../src/core/wire.ts";
import { DualRailProvider } from "../../src/provider/dual-rail-provider.ts";
import type { MarketHandlers, MarketSubscription } from "../../src/provider/market.ts";
import type { StoreReader, StoreView } from "../../src/store/contract.ts";

/** Deliveries per second through the provider on the fast path: `bun test/bench/provider.ts`. */

const SYMBOLS = 500;
const MINUTES = 2_000;
const BATCH = 1_000;
const STORE = "bench-store";
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

const view: StoreView = {
  storeId: STORE,
  venue: "bench",
  environment: "bench",
  throughSeq: 0,
  closedThrough: 0,
  heads: new Map(),
};

/** A store without rows: everything comes over the fast rail. */
const reader: StoreReader = {
  view: async () => view,
  delivery: async (afterSeq) => ({ candles: [], throughSeq: afterSeq, view }),
  history: async () => [],
  latest: async () => [],
  gaps: async () => [],
  close: async () => {},
};

for (const [what, prepare] of [
  ["bodies already parsed", () => (body: CandleBody) => () => body],
  ["JSON parsed on the way", () => (body: CandleBody) => parserOf(JSON.stringify(body))],
] as const) {
  for (let round = 0; round < 3; round++) {
    const perSecond = await measure(prepare());
    console.log(`${what}: ${Math.round(perSecond).toLocaleString("en")} deliveries/s`);
  }
}

async function measure(prepare: (body: CandleBody) => () => CandleBody): Promise<number> {
  let handlers: MarketHandlers | null = null;
  let delivered = 0;
  const market: MarketSubscription = {
    start: async (given) => {
      handlers = given;
    },
    stop: async () => {},
    counters: () => ({}),
  };
  const provider = new DualRailProvider(
    { ...platform, reader, market, log: silent },
    { symbols: "all", cursor: { storeId: STORE, throughSeq: 0, symbols: new Map() }, onDelivered: () => {} },
  );
  const running = provider.run(() => {
    delivered++;
  });
  await turn();
  let spentMs = 0;
  for (let minute = 0; minute < MINUTES; minute += BATCH / SYMBOLS) {
    const batch = bodies(minute, BATCH / SYMBOLS).map(prepare);
    const target = delivered + batch.length;
    const from = performance.now();
    for (const take of batch) (handlers as MarketHandlers | null)?.onCandle(take());
    while (delivered < target) await turn();
    spentMs += performance.now() - from;
  }
  await provider.close();
  await running;
  return (delivered / spentMs) * 1000;
}

function bodies(fromMinute: number, minutes: number): CandleBody[] {
  const made: CandleBody[] = [];
  for (let minute = fromMinute; minute < fromMinute + minutes; minute++)
    for (let index = 0; index < SYMBOLS; index++) made.push(bodyOf(rowOf(minute, index)));
  return made;
}

function rowOf(minute: number, index: number): StoredCandle {
  const price = 60_000.25 + minute / 8 + index;
  return {
    symbol: `SYM${index}USDT`,
    openTime: minute * MINUTE_MS,
    open: price,
    high: price + 1.5,
    low: price - 1.25,
    close: price + 0.75,
    volume: 12.34567,
    quoteVolume: price * 12.34567,
    trades: 321,
    takerBuyVolume: 6.54321,
    takerBuyQuoteVolume: price * 6.54321,
    firstTradeId: minute * 1_000,
    lastTradeId: minute * 1_000 + 320,
    provenance: "complete",
    commitSeq: minute * SYMBOLS + index + 1,
    prevOpenTime: minute === 0 ? null : (minute - 1) * MINUTE_MS,
  };
}

function bodyOf(row: StoredCandle): CandleBody {
  const envelope = { v: 1, node: "bench", epoch: "bench", seq: row.commitSeq, sentAt: 0 };
  return { ...envelope, ...row, storeId: STORE, closeTime: closeTimeOf(row.openTime) };
}

function parserOf(text: string): () => CandleBody {
  return () => {
    const body = parseCandleBody(text);
    if (typeof body === "string") throw new Error(body);
    return body;
  };
}

/** Lets the provider's loop run. */
function turn(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(resolve));
}
