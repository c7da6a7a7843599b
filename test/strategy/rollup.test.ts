import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Candle, Provenance } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { bucketOf, TIMEFRAMES, type Timeframe, timeframeMs } from "../../src/core/timeframe.ts";
import { ExactSum } from "../../src/strategy/exact-sum.ts";
import { RollUp } from "../../src/strategy/rollup.ts";

const MONDAY = Date.UTC(2025, 0, 6);

function minute(openTime: number, more: Partial<Candle> = {}): Candle {
  return {
    symbol: "BTCUSDT",
    openTime,
    open: 100,
    high: 100,
    low: 100,
    close: 100,
    volume: 1,
    quoteVolume: 100,
    trades: 1,
    takerBuyVolume: 0.5,
    takerBuyQuoteVolume: 50,
    firstTradeId: 1,
    lastTradeId: 1,
    provenance: "complete",
    ...more,
  };
}

function roll(rollUp: RollUp, minutes: readonly Candle[]): readonly Candle[] {
  return minutes.flatMap((candle) => {
    const passed = rollUp.closeBefore(candle.openTime);
    const whole = rollUp.add(candle);
    return [passed, whole].filter((bar) => bar !== null);
  });
}

describe("A roll-up", () => {
  test("gives a bar with its last minute: first open, last close, extremes, sums, ids", () => {
    const bars = roll(new RollUp("3m"), [
      minute(MONDAY, { open: 10, high: 12, low: 9, close: 11, firstTradeId: 5, lastTradeId: 7, trades: 3 }),
      minute(MONDAY + MINUTE_MS, { open: 11, high: 15, low: 11, close: 14, provenance: "backfilled" }),
      minute(MONDAY + 2 * MINUTE_MS, {
        open: 14,
        high: 14,
        low: 8,
        close: 8,
        firstTradeId: 9,
        lastTradeId: 12,
        trades: 4,
      }),
    ]);
    expect(bars).toEqual([
      minute(MONDAY, {
        open: 10,
        high: 15,
        low: 8,
        close: 8,
        volume: 3,
        quoteVolume: 300,
        trades: 8,
        takerBuyVolume: 1.5,
        takerBuyQuoteVolume: 150,
        firstTradeId: 5,
        lastTradeId: 12,
        provenance: "backfilled",
      }),
    ]);
  });

  test("gives a bar as partial when a later minute passes it, and when a minute is missing inside", () => {
    const at = (index: number) => minute(MONDAY + index * MINUTE_MS);
    const bars = roll(new RollUp("5m"), [at(0), at(1), at(2), at(3), at(9), at(10), at(11), at(13), at(14)]);
    expect(bars.map((bar) => [(bar.openTime - MONDAY) / MINUTE_MS, bar.provenance])).toEqual([
      [0, "partial"],
      [5, "partial"],
      [10, "partial"],
    ]);
  });

  test("is empty only where every minute is, and takes its ids from the minutes that traded", () => {
    const quiet = { trades: 0, firstTradeId: null, lastTradeId: null, provenance: "empty" } as const;
    const three = (middle: Partial<Candle>) =>
      [quiet, middle, quiet].map((more, index) => minute(MONDAY + index * MINUTE_MS, more));
    const [empty, traded] = [
      roll(new RollUp("3m"), three(quiet))[0],
      roll(new RollUp("3m"), three({ lastTradeId: 4 }))[0],
    ];
    expect([empty?.provenance, empty?.firstTradeId]).toEqual(["empty", null]);
    expect([traded?.provenance, traded?.firstTradeId, traded?.lastTradeId]).toEqual(["complete", 1, 4]);
  });

  test("starts weeks on Monday and days at midnight, UTC", () => {
    const week = roll(
      new RollUp("1w"),
      Array.from({ length: 10_080 }, (_, index) => minute(MONDAY + index * MINUTE_MS)),
    );
    expect(week.map((bar) => [bar.openTime, bar.trades, bar.provenance])).toEqual([[MONDAY, 10_080, "complete"]]);
    expect(bucketOf(MONDAY - MINUTE_MS, "1w")).toBe(MONDAY - 7 * 1440 * MINUTE_MS);
  });

  test("gives the bars of a naive grouping, for any minutes and any timeframe, also when saved and restored on the way", () => {
    const frames = fc.constantFrom(...TIMEFRAMES.filter((frame) => frame !== "1w"));
    const indices = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 1 });
    fc.assert(
      fc.property(frames, indices, fc.nat(), (frame, unsorted, cut) => {
        const minutes = unsorted
          .sort((a, b) => a - b)
          .map((index) => minute(MONDAY + index * MINUTE_MS, { close: 1 + (index % 7), volume: index / 10 }));
        const split = cut % minutes.length;
        const first = new RollUp(frame);
        const bars = roll(first, minutes.slice(0, split));
        const saved = JSON.parse(JSON.stringify(first.save())) as ReturnType<RollUp["save"]>;
        const all = [...bars, ...roll(new RollUp(frame, saved), minutes.slice(split))];
        const naive = naiveBars(minutes, frame);
        expect(all.map((bar) => [bar.openTime, bar.close, bar.volume, bar.provenance])).toEqual(
          naive.slice(0, all.length),
        );
        expect(naive.length - all.length).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("A sum of volumes", () => {
  test("is the double nearest to the exact decimal sum, where venues' eight decimals suffice", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 10 ** 12 }), { maxLength: 200 }), (units) => {
        const sum = new ExactSum();
        for (const unit of units) sum.add(unit / 1e8);
        const total = units.reduce((a, b) => a + BigInt(b), 0n);
        expect(sum.value()).toBe(Number(total) / 1e8);
      }),
    );
  });

  test("does not lose small terms beside large ones, nor with more decimals", () => {
    const sum = new ExactSum();
    for (const term of [1e15, 0.1234567891234, 0.1, -1e15]) sum.add(term);
    expect(sum.value()).toBeCloseTo(0.2234567891234, 12);
  });
});

function naiveBars(minutes: readonly Candle[], frame: Timeframe): (number | Provenance)[][] {
  const groups = Map.groupBy(minutes, (candle) => bucketOf(candle.openTime, frame));
  return [...groups].map(([openTime, group]) => [
    openTime,
    group.at(-1)?.close ?? 0,
    group.reduce((sum, candle) => sum + Math.round(candle.volume * 10), 0) / 10,
    group.length === timeframeMs(frame) / MINUTE_MS ? "complete" : "partial",
  ]);
}
