import { expect, test } from "bun:test";
import { platform } from "#platform";
import type { StoredCandle } from "../../src/core/candle.ts";
import { DualRailProvider } from "../../src/provider/dual-rail-provider.ts";
import type { MarketSubscription } from "../../src/provider/market.ts";
import type { StoreReader, StoreView } from "../../src/store/contract.ts";

const ROWS = 2000;
const BUSY_MS = 5;

function row(commitSeq: number): StoredCandle {
  const openTime = commitSeq * 60_000;
  const prevOpenTime = commitSeq === 1 ? null : openTime - 60_000;
  const prices = { open: 1, high: 1, low: 1, close: 1, volume: 1, quoteVolume: 1, trades: 1 };
  const rest = { takerBuyVolume: 0, takerBuyQuoteVolume: 0, firstTradeId: null, lastTradeId: null };
  return { symbol: "A", openTime, ...prices, ...rest, provenance: "backfilled", commitSeq, prevOpenTime };
}

/** A store whose reads resolve on promises alone, as those with nothing new do. */
function backlog(): StoreReader {
  const view: StoreView = {
    storeId: "s",
    venue: "v",
    environment: null,
    throughSeq: ROWS,
    closedThrough: ROWS * 60_000,
    heads: new Map(),
  };
  return {
    view: async () => view,
    delivery: async (afterSeq, limit) => {
      const candles = Array.from({ length: Math.min(limit, ROWS - afterSeq) }, (_, at) => row(afterSeq + at + 1));
      return { candles, throughSeq: afterSeq + candles.length, view };
    },
    history: async () => [],
    latest: async () => [],
    gaps: async () => [],
    close: async () => undefined,
  };
}

const silent: MarketSubscription = { start: async () => undefined, stop: async () => undefined, counters: () => ({}) };
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

test("a consumer that is slower than its backlog leaves timers their turns, and is stopped between two candles", async () => {
  const cursor = { storeId: "s", throughSeq: 0, symbols: new Map() };
  const provider = new DualRailProvider(
    { reader: backlog(), market: silent, ...platform, log },
    { symbols: ["A"], cursor },
  );
  let delivered = 0;
  let deliveredAtStop = 0;
  const stop = setTimeout(() => {
    deliveredAtStop = delivered;
    void provider.close();
  }, 100);
  await provider.run((event) => {
    if (event.type === "candle") delivered++;
    const end = performance.now() + BUSY_MS;
    while (performance.now() < end);
  });
  clearTimeout(stop);
  expect(deliveredAtStop).toBeGreaterThan(0);
  expect(delivered).toBeLessThan(ROWS / 2);
  expect(delivered - deliveredAtStop).toBeLessThanOrEqual(1);
});
