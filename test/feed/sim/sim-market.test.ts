import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatScaled, nearestNumber, parseScaled, wireFormatter } from "../../../src/feed/sim/decimal.ts";
import { SimMarket, TRADES_PER_HOUR } from "../../../src/feed/sim/sim-market.ts";
import type { SimSymbol } from "../../../src/feed/sim/sim-symbol.ts";
import { DEFAULT_START_MS, marketCandle, simTruth } from "../../../src/feed/sim/truth.ts";
import { naiveCandles, type WireTrade } from "./naive-aggregator.ts";

const MINUTE = 60_000;
const NAMES = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT", "AUSDT"];
/** Minutes from 1970 to about 2060. */
const anyMinute = fc.integer({ min: 0, max: 47_000_000 }).map((minute) => minute * MINUTE);

describe("the simulated market", () => {
  test("gives the same minute whenever, in whatever order and from whichever instance it is asked for", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(fc.tuple(anyMinute, fc.nat({ max: 4 })), { minLength: 1, maxLength: 6 }),
        (seed, asked) => {
          const one = new SimMarket(seed, NAMES);
          const first = asked.map(([openTime, index]) => one.minute(symbolAt(one, index), openTime));
          const other = new SimMarket(seed, NAMES.toReversed());
          const again = asked
            .toReversed()
            .map(([openTime, index]) => other.minute(symbolAt(other, NAMES.length - 1 - index), openTime));
          expect(again.toReversed()).toEqual(first);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("numbers trades without a hole from any minute to the next, across hours and days, and finds them again by id", () => {
    fc.assert(
      fc.property(fc.nat(), anyMinute, (seed, openTime) => {
        const market = new SimMarket(seed, NAMES);
        for (const symbol of market.symbols) {
          const minute = market.minute(symbol, openTime);
          expect(market.firstIdOf(symbol, openTime + MINUTE)).toBe(minute.firstId + minute.count);
          expect(minute.firstId).toBeGreaterThan(0);
          expect(Number.isSafeInteger(minute.firstId)).toBe(true);
          if (minute.count === 0) continue;
          expect(market.minuteOfId(symbol, minute.firstId)).toBe(openTime);
          expect(market.minuteOfId(symbol, minute.firstId + minute.count - 1)).toBe(openTime);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("has sorted times inside the minute, prices and quantities above zero, and the same number of trades each hour", () => {
    const market = new SimMarket(7, NAMES);
    for (const symbol of market.symbols) {
      for (const hour of [0, 482_136, 482_137, 700_000]) {
        let count = 0;
        for (let at = 0; at < 60; at++) {
          const minute = market.minute(symbol, (hour * 60 + at) * MINUTE);
          count += minute.count;
          expect([...minute.offsets]).toEqual([...minute.offsets].sort((a, b) => a - b));
          expect(minute.offsets.every((offset) => offset < MINUTE)).toBe(true);
          expect(minute.ticks.every((ticks) => ticks > 0) && minute.lots.every((lots) => lots > 0)).toBe(true);
        }
        expect(count).toBe(TRADES_PER_HOUR);
      }
    }
  });

  test("has quiet minutes, bursts, both sides, and often several trades in one millisecond", () => {
    const market = new SimMarket(1, ["BTCUSDT"]);
    const symbol = symbolAt(market, 0);
    const day = Array.from({ length: 1440 }, (_, at) => market.minute(symbol, DEFAULT_START_MS + at * MINUTE));
    const counts = day.map((minute) => minute.count);
    expect(counts.filter((count) => count === 0).length).toBeGreaterThan(20);
    expect(Math.max(...counts)).toBeGreaterThan(200);
    const shared = day.flatMap((minute) =>
      [...minute.offsets].filter((offset, at) => offset === minute.offsets[at - 1]),
    );
    expect(shared.length).toBeGreaterThan(10_000);
    const sells = day.reduce((sum, minute) => sum + minute.sells.reduce((a, b) => a + b, 0), 0);
    expect(Math.abs(sells / (24 * TRADES_PER_HOUR) - 0.5)).toBeLessThan(0.05);
  });

  test("prices Bitcoin near 60,000, Ether near 3,000 and Solana near 150, and no two symbols alike", () => {
    const truth = [...simTruth({ seed: 1, symbols: NAMES, startMs: DEFAULT_START_MS, minutes: 60 })];
    const range = (symbol: string) =>
      truth.filter((row) => row.symbol === symbol).flatMap((row) => [row.low, row.high]);
    for (const [symbol, price] of [
      ["BTCUSDT", 60_000],
      ["ETHUSDT", 3000],
      ["SOLUSDT", 150],
    ] as const) {
      expect(Math.min(...range(symbol))).toBeGreaterThan(price * 0.7);
      expect(Math.max(...range(symbol))).toBeLessThan(price * 1.3);
    }
    const shapes = NAMES.map((symbol) =>
      truth
        .filter((row) => row.symbol === symbol)
        .map((row) => row.trades)
        .join(),
    );
    expect(new Set(shapes).size).toBe(NAMES.length);
  });

  test("moves enough for an average of 5 closes to cross one of 20 a few times an hour", () => {
    const closes = [...simTruth({ seed: 1, symbols: ["BTCUSDT"], startMs: DEFAULT_START_MS, minutes: 1440 })].map(
      (row) => row.close,
    );
    const mean = (end: number, length: number) => closes.slice(end - length, end).reduce((a, b) => a + b, 0) / length;
    let crossings = 0;
    for (let end = 21; end <= closes.length; end++)
      if (mean(end, 5) > mean(end, 20) !== mean(end - 1, 5) > mean(end - 1, 20)) crossings++;
    expect(crossings).toBeGreaterThan(24);
    expect(crossings).toBeLessThan(240);
  });

  test("does not change from one release to the next: stores and expectations rest on it", () => {
    const [row] = simTruth({ seed: 1, symbols: ["BTCUSDT"], startMs: DEFAULT_START_MS, minutes: 1 });
    expect(row).toEqual({
      symbol: "BTCUSDT",
      openTime: 1735689600000,
      closeTime: 1735689659999,
      open: 59810.51,
      high: 59817.14,
      low: 59795.65,
      close: 59804.04,
      volume: 0.49698,
      quoteVolume: 29721.6410488,
      trades: 46,
      takerBuyVolume: 0.29962,
      takerBuyQuoteVolume: 17919.0341026,
      firstTradeId: 2450550198,
      lastTradeId: 2450550243,
    });
  });
});

describe("the oracle", () => {
  test("agrees in every field with a naive aggregation of the same trades, and is flat where there are none", () => {
    const options = { seed: 3, symbols: NAMES, startMs: DEFAULT_START_MS, minutes: 90 };
    const market = new SimMarket(options.seed, NAMES);
    const trades = market.symbols.flatMap((symbol) => tradesOf(market, symbol, options.startMs, options.minutes));
    const naive = new Map(naiveCandles(trades).map((row) => [`${row.symbol} ${row.openTime}`, row]));
    const closes = new Map<string, number>();
    let quiet = 0;
    for (const row of simTruth(options)) {
      const expected = naive.get(`${row.symbol} ${row.openTime}`);
      if (expected) expect(row).toEqual(expected);
      else {
        quiet++;
        expect([row.open, row.high, row.low, row.trades, row.volume, row.quoteVolume]).toEqual([
          row.close,
          row.close,
          row.close,
          0,
          0,
          0,
        ]);
        expect([row.firstTradeId, row.lastTradeId]).toEqual([null, null]);
        expect(row.close).toBe(closes.get(row.symbol) ?? row.close);
      }
      closes.set(row.symbol, row.close);
    }
    expect(quiet).toBeGreaterThan(0);
    expect(naive.size + quiet).toBe(NAMES.length * options.minutes);
  });

  test("knows the close before the start where the first minutes are quiet", () => {
    const market = new SimMarket(1, ["BTCUSDT"]);
    const symbol = symbolAt(market, 0);
    let openTime = DEFAULT_START_MS;
    while (market.countOf(symbol, openTime) > 0) openTime += MINUTE;
    const [row] = simTruth({ seed: 1, symbols: ["BTCUSDT"], startMs: openTime, minutes: 1 });
    expect(row?.open).toBe(marketCandle(market, symbol, openTime - MINUTE).truth().close);
    expect(row?.trades).toBe(0);
  });

  test("refuses a bad seed, start or length with a usage error", () => {
    const good = { seed: 1, symbols: ["BTCUSDT"], startMs: DEFAULT_START_MS, minutes: 1 };
    for (const bad of [
      { seed: -1 },
      { seed: 1.5 },
      { startMs: 1 },
      { startMs: -MINUTE },
      { symbols: [] },
      { minutes: -1 },
    ])
      expect(() => simTruth({ ...good, ...bad })).toThrow(/Cannot (make|list) the market/);
  });
});

describe("decimal text", () => {
  test("keeps every digit on the way out and in", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 25n }), fc.integer({ min: 0, max: 8 }), (scaled, decimals) => {
        const text = formatScaled(scaled, decimals);
        expect(parseScaled(text, decimals)).toBe(scaled);
        expect(nearestNumber(scaled, decimals)).toBe(Number(text));
      }),
    );
  });

  test("is written alike for single trades and for sums", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 8 }), (count, decimals) => {
        expect(wireFormatter(decimals)(count)).toBe(formatScaled(BigInt(count), decimals));
      }),
    );
    expect(wireFormatter(2)(6012345)).toBe("60123.45000000");
    expect(formatScaled(1234567890123456789n, 16)).toBe("123.4567890123456789");
    expect(parseScaled("1.123456789", 8)).toBeNull();
    expect(parseScaled("-1", 8)).toBeNull();
  });
});

function symbolAt(market: SimMarket, index: number): SimSymbol {
  const symbol = market.symbols[index];
  if (!symbol) throw new Error(`no symbol at ${index}`);
  return symbol;
}

function tradesOf(market: SimMarket, symbol: SimSymbol, startMs: number, minutes: number): WireTrade[] {
  const trades: WireTrade[] = [];
  for (let openTime = startMs; openTime < startMs + minutes * MINUTE; openTime += MINUTE) {
    const minute = market.minute(symbol, openTime);
    for (let at = 0; at < minute.count; at++)
      trades.push({
        s: symbol.name,
        t: minute.firstId + at,
        p: formatScaled(BigInt(minute.ticks[at] ?? 0), symbol.tickDecimals),
        q: formatScaled(BigInt(minute.lots[at] ?? 0), symbol.lotDecimals),
        T: openTime + (minute.offsets[at] ?? 0),
        m: minute.sells[at] === 1,
      });
  }
  return trades;
}
