import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { CandleEvent } from "../../src/bridge/contract.ts";
import { CandleSeries, type ChartCandle, MAX_BARS } from "../../src/bridge/dashboard/candle-series.ts";
import {
  countMarks,
  FillBook,
  fillMarks,
  IndicatorBook,
  marksOf,
  type RunnerFill,
} from "../../src/bridge/dashboard/chart-marks.ts";
import type { Provenance } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { candleText } from "./bodies.ts";

const STAMP = { topic: "t", receivedAt: 1000 };

/** The minute of that number, the row of that number; the one before it is the minute before unless told. */
function minute(n: number, prev: number | null = n - 1, change: Partial<CandleEvent> = {}): CandleEvent {
  const prevOpenTime = prev === null ? null : prev * MINUTE_MS;
  const body = JSON.parse(candleText({ seq: 1, openTime: n * MINUTE_MS, prevOpenTime })) as CandleEvent;
  return { ...body, commitSeq: n + 1, ...change, ...STAMP };
}

function bar(n: number, change: Partial<ChartCandle> = {}): ChartCandle {
  const figures = { open: 10, high: 12, low: 9, close: 11, volume: 5, trades: 3, provenance: "complete" as const };
  return { openTime: n * MINUTE_MS, ...figures, minutes: 1, missing: 0, commitSeq: n + 1, ...change };
}

const page = (candles: readonly ChartCandle[], older: number | null = null) => ({ candles, older });
const minutes = (series: CandleSeries) => series.rows.map((row) => row.openTime / MINUTE_MS);

describe("The chart's minutes", () => {
  test("Live candles go to the end, a hole sends the chart back to the store, late ones find their place.", () => {
    const series = new CandleSeries("1m");
    series.load(page([bar(1), bar(2)]));
    expect(series.add(minute(3))).toBe("end");
    expect(series.add(minute(3))).toBe("known");
    expect(series.add(minute(5))).toBe("hole");
    expect(series.add(minute(4))).toBe("inside");
    expect(minutes(series)).toEqual([1, 2, 3, 4, 5]);
  });

  test("Candles heard while the store was read are kept when its rows arrive.", () => {
    const series = new CandleSeries("1m");
    expect(series.add(minute(3))).toBe("hole");
    series.load(page([bar(1), bar(2)]));
    expect(minutes(series)).toEqual([1, 2, 3]);
  });

  test("Older pages go before, the newest page read again keeps them, and one that does not touch them drops them.", () => {
    const series = new CandleSeries("1m");
    series.load(page([bar(10), bar(11)], 10 * MINUTE_MS));
    expect(series.older).toBe(10 * MINUTE_MS);
    series.prepend(page([bar(8), bar(9)], 8 * MINUTE_MS));
    expect(minutes(series)).toEqual([8, 9, 10, 11]);
    series.load(page([bar(11), bar(12)], 11 * MINUTE_MS));
    expect([minutes(series), series.older]).toEqual([[8, 9, 10, 11, 12], 8 * MINUTE_MS]);
    series.load(page([bar(90), bar(91)], 90 * MINUTE_MS));
    expect([minutes(series), series.older]).toEqual([[90, 91], 90 * MINUTE_MS]);
  });

  test("A candle of another store leaves nothing of the last one, whose minutes were later.", () => {
    const series = new CandleSeries("1m");
    series.load(page([bar(1), bar(2), bar(3)], MINUTE_MS));
    expect(series.add(minute(4))).toBe("end");
    expect(series.add(minute(2, 1, { storeId: "other" }))).toBe("anew");
    expect([minutes(series), series.older]).toEqual([[2], null]);
    series.load(page([bar(0), bar(1)]));
    expect(minutes(series)).toEqual([0, 1, 2]);
    expect(series.add(minute(3, 2, { storeId: "other" }))).toBe("end");
  });

  test("What is held is bounded: then nothing older is asked for, and the oldest leaves for what comes live.", () => {
    const series = new CandleSeries("1m");
    const many = Array.from({ length: MAX_BARS }, (_, i) => bar(i));
    series.load(page(many, 0));
    expect(series.older).toBeNull();
    const landings = Array.from({ length: 1001 }, (_, i) => series.add(minute(MAX_BARS + i)));
    // Once in a thousand the oldest leave, and the chart is drawn anew without them.
    expect([landings.lastIndexOf("end"), landings.indexOf("inside")]).toEqual([999, 1000]);
    expect([series.rows.length, series.rows[0]?.openTime]).toEqual([MAX_BARS, 1001 * MINUTE_MS]);
  });
});

describe("Bars of a longer timeframe", () => {
  test("Live minutes are folded in once: a bar's newest row says what it already holds.", () => {
    const series = new CandleSeries("5m");
    series.load(page([bar(0, { minutes: 2, commitSeq: 2, high: 12, low: 9, volume: 5 })]));
    expect(series.add(minute(1))).toBe("known");
    expect(series.add(minute(2, 1, { high: 20, low: 8, close: 15, volume: 1, provenance: "backfilled" }))).toBe("end");
    expect(series.rows).toEqual([
      expect.objectContaining({
        open: 10,
        high: 20,
        low: 8,
        close: 15,
        volume: 6,
        minutes: 3,
        provenance: "backfilled",
      }),
    ]);
    expect(series.add(minute(5, 2))).toBe("end");
    expect(minutes(series)).toEqual([0, 5]);
  });

  test("A minute that lacks the one before it sends the chart back to the store; the page then counts.", () => {
    const series = new CandleSeries("5m");
    expect(series.add(minute(3))).toBe("hole");
    series.load(page([bar(0, { minutes: 3, commitSeq: 3 })]));
    expect(series.rows[0]?.minutes).toBe(3);
    expect(series.add(minute(4))).toBe("hole");
  });

  test("However a run of minutes is cut into a page and what follows live, the bars are the same.", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ close: fc.integer({ min: 1, max: 99 }), volume: fc.integer({ min: 0, max: 9 }) }), {
          minLength: 2,
          maxLength: 40,
        }),
        fc.nat(),
        (figures, cut) => {
          const live = figures.map(({ close, volume }, n) =>
            minute(n, n === 0 ? null : n - 1, { open: close, high: close + 1, low: close - 1, close, volume }),
          );
          const whole = foldedAll(live);
          const at = 1 + (cut % (live.length - 1));
          const series = new CandleSeries("5m");
          series.load(page(foldedAll(live.slice(0, at))));
          for (const candle of live.slice(at)) expect(series.add(candle)).toBe("end");
          expect(series.rows).toEqual(whole);
        },
      ),
    );
  });
});

/** Five-minute bars, worked out apart. */
function foldedAll(live: readonly CandleEvent[]): readonly ChartCandle[] {
  const buckets = new Map<number, CandleEvent[]>();
  for (const candle of live) {
    const openTime = Math.floor(candle.openTime / (5 * MINUTE_MS)) * 5 * MINUTE_MS;
    buckets.set(openTime, [...(buckets.get(openTime) ?? []), candle]);
  }
  return [...buckets].map(([openTime, all]) => ({
    openTime,
    open: all[0]?.open ?? 0,
    high: Math.max(...all.map(({ high }) => high)),
    low: Math.min(...all.map(({ low }) => low)),
    close: all.at(-1)?.close ?? 0,
    volume: all.reduce((sum, { volume }) => sum + volume, 0),
    trades: all.reduce((sum, { trades }) => sum + trades, 0),
    provenance: "complete",
    minutes: all.length,
    missing: 0,
    commitSeq: all.at(-1)?.commitSeq ?? 0,
  }));
}

describe("Marks on the chart", () => {
  test("Doubtful bars and the places where none is are marked and counted; sound ones are not.", () => {
    const of = (n: number, provenance: Provenance, missing = 0) => bar(n, { provenance, missing });
    const rows = [of(1, "complete"), of(2, "backfilled"), of(5, "empty"), of(6, "imported"), of(7, "partial", 1)];
    const marks = marksOf(rows, "1m");
    expect(marks.map(({ openTime, mark }) => [openTime / MINUTE_MS, mark])).toEqual([
      [2, "backfilled"],
      [3, "missing"],
      [4, "missing"],
      [6, "imported"],
      [7, "partial"],
    ]);
    expect(countMarks(marks)).toEqual({ backfilled: 1, imported: 1, partial: 1, missing: 2 });
  });

  test("A hole of a month is marked at its two ends, not forty thousand times.", () => {
    expect(marksOf([bar(0), bar(43_200)], "1m").map(({ openTime }) => openTime / MINUTE_MS)).toEqual([1, 43_199]);
  });

  test("Fills are kept once, drawn one a bar and side, and only where a bar is.", () => {
    const fill = (id: string, n: number, side: "buy" | "sell") => ({
      ...{ clientOrderId: id, symbol: "BTCUSDT", side, quantity: "1", price: "10", fee: "0", feeAsset: "USDT" },
      ...{ openTime: n * MINUTE_MS, at: n * MINUTE_MS },
    });
    const book = new FillBook();
    book.add("r", [fill("b", 6, "buy"), fill("a", 5, "buy")]);
    book.add("r", [fill("c", 7, "sell"), fill("b", 6, "buy")]);
    book.add("r", [fill("c", 7, "sell")]);
    expect(book.size).toBe(3);
    const all: readonly RunnerFill[] = book.all();
    expect(all.map(({ clientOrderId }) => clientOrderId)).toEqual(["a", "b", "c"]);
    expect(fillMarks(all, [bar(5)], "5m")).toEqual([
      { openTime: 5 * MINUTE_MS, side: "buy", count: 2 },
      { openTime: 5 * MINUTE_MS, side: "sell", count: 1 },
    ]);
    expect(fillMarks(all, [bar(0)], "5m")).toEqual([]);
  });

  test("Indicators near the price are drawn on it, others apart; they grow with each telling and follow the timeframe.", () => {
    const book = new IndicatorBook();
    const table = (rows: (number | null)[][]) => ({ symbol: "BTCUSDT", names: ["fast", "rsi"], rows });
    book.add(
      "r",
      table([
        [0, 10.5, null],
        [MINUTE_MS, 11, 40],
      ]),
    );
    book.add(
      "r",
      table([
        [MINUTE_MS, 11, 40],
        [2 * MINUTE_MS, 11.5, 60],
      ]),
    );
    const rows = [bar(0), bar(1), bar(2)];
    const lines = book.lines(rows, "1m", null);
    expect(lines.map(({ name, onPrice }) => [name, onPrice])).toEqual([
      ["fast", true],
      ["rsi", false],
    ]);
    expect(lines[1]?.points.map(({ value }) => value)).toEqual([null, 40, 60]);
    expect(book.lines([bar(0)], "5m", "r")[0]?.points).toEqual([{ openTime: 0, value: 11.5 }]);
    expect(book.lines(rows, "1m", "another")).toEqual([]);
  });
});
