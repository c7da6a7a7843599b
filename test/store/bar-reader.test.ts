import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Bar } from "../../src/core/bars.ts";
import type { Candle, StoredCandle } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { bucketOf, TIMEFRAMES, type Timeframe, timeframeMs } from "../../src/core/timeframe.ts";
import { type BarReader, openBarReader } from "../../src/store/bar-reader.ts";
import type { StoreWriter } from "../../src/store/contract.ts";
import { RollUp } from "../../src/strategy/rollup.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, candle, openReader, openWriter, START, storeDeps } from "./support.ts";

const folder = tempFolder();
const MINUTES = 6000;
/** Silences of one minute, of an hour's end, and of three days. */
const isAbsent = (minute: number) =>
  minute % 97 === 0 || (minute >= 55 && minute < 60) || (minute > 800 && minute < 5120);
let writer: StoreWriter;
let reader: BarReader;
let rows: readonly StoredCandle[];

beforeAll(async () => {
  writer = await openWriter(folder.path, { tuning: { deletionGraceMs: 0 } });
  const provenances = ["complete", "backfilled", "empty", "complete", "partial"] as const;
  for (let first = 0; first < MINUTES; first += 500) {
    const candles: Candle[] = [];
    for (let minute = first; minute < first + 500; minute++) {
      if (!isAbsent(minute)) candles.push(walked("BTCUSDT", minute, provenances[(minute >> 4) % 5] ?? "complete"));
      candles.push(walked("ETHUSDT", minute, "complete"));
    }
    const gaps = [{ symbol: "BTCUSDT", fromOpenTime: at(first), toOpenTime: at(first), reason: "never came" }];
    await writer.commit(batch(candles, at(first + 499), gaps));
    await writer.seal();
  }
  const odd = Array.from({ length: 60 }, (_, minute) => ({ ...candle("ODD", minute), volume: 1e18 / 7 }));
  await writer.commit(batch(odd, at(MINUTES - 1)));
  await writer.seal();
  const history = openReader(folder.path);
  rows = await history.history("BTCUSDT", 0, at(MINUTES));
  await history.close();
  reader = openBarReader({ folder: folder.path }, storeDeps());
});

afterAll(async () => {
  await reader?.close();
  await writer?.close();
  folder[Symbol.dispose]();
});

function at(minute: number): number {
  return START + minute * MINUTE_MS;
}

/** Prices and volumes that differ from minute to minute, so that a wrong first, last, highest or sum shows. */
function walked(symbol: string, minute: number, provenance: Candle["provenance"]): Candle {
  const price = 100 + ((minute * 37) % 61);
  const base = candle(symbol, minute, provenance, price);
  const volume = Math.round(((minute * 7919) % 100_003) + 110_000) / 1e5;
  const trades = provenance === "empty" ? 0 : 1 + (minute % 5);
  return {
    ...base,
    volume,
    quoteVolume: Math.round(volume * price * 1e7) / 1e7,
    trades,
    takerBuyVolume: 0.1,
    takerBuyQuoteVolume: 10.01,
  };
}

/** What strategies would be shown of these rows. */
function rolledUp(minutes: readonly StoredCandle[], timeframe: Timeframe): readonly Candle[] {
  const roll = new RollUp(timeframe);
  const bars: (Candle | null)[] = [];
  for (const { commitSeq: _seq, prevOpenTime: _prev, ...minute } of minutes)
    bars.push(roll.closeBefore(minute.openTime), roll.add(minute));
  bars.push(roll.closeBefore(Number.MAX_SAFE_INTEGER));
  return bars.filter((bar) => bar !== null);
}

async function allPages(query: { timeframe: Timeframe; from?: number; to?: number; limit: number }): Promise<Bar[]> {
  const bars: Bar[] = [];
  for (let before: number | null = null, pages = 0; ; pages++) {
    const { from = null, to = null, limit, timeframe } = query;
    const page = await reader.bars({ symbol: "BTCUSDT", timeframe, from, to, before, limit });
    if (!page) throw new Error("there is a store");
    expect(page.bars.length).toBeLessThanOrEqual(limit);
    expect(pages).toBeLessThan(MINUTES);
    bars.unshift(...page.bars);
    if (page.older === null) return bars;
    expect(before === null || page.older < before).toBe(true);
    before = page.older;
  }
}

describe("Bars out of published segments", () => {
  for (const timeframe of TIMEFRAMES) {
    test(`of ${timeframe} are those that strategies are shown, to the last figure`, async () => {
      const bars = await allPages({ timeframe, limit: 5000 });
      const wanted = rolledUp(rows, timeframe);
      expect(bars.map(({ openTime }) => openTime)).toEqual(wanted.map(({ openTime }) => openTime));
      for (const [i, { minutes, missing, closed, commitSeq, ...figures }] of bars.entries()) {
        const bar = wanted[i];
        if (closed) expect(figures).toEqual({ ...figures, ...bar });
        else expect({ ...figures, provenance: "" }).toEqual({ ...figures, ...bar, provenance: "" });
        const within = rows.filter((row) => bucketOf(row.openTime, timeframe) === figures.openTime);
        expect([minutes, commitSeq]).toEqual([within.length, within.at(-1)?.commitSeq ?? 0]);
        if (closed) expect(minutes + missing).toBe(timeframeMs(timeframe) / MINUTE_MS);
      }
      expect(bars.at(-1)?.closed).toBe(bucketOf(at(MINUTES), timeframe) === at(MINUTES));
    });
  }

  test("Sums that no whole number of units can hold are compensated, right to the last place or the one before", async () => {
    const page = await reader.bars({ symbol: "ODD", timeframe: "1h", from: null, to: null, before: null, limit: 1 });
    const volume = page?.bars[0]?.volume ?? 0;
    expect(page?.bars[0]?.minutes).toBe(60);
    expect(Math.abs(volume - 60e18 / 7)).toBeLessThanOrEqual(2 * Number.EPSILON * volume);
  });

  test("Paging gives every bar of any range exactly once, in any page size", async () => {
    const minute = fc.integer({ min: -100, max: MINUTES + 100 });
    const bound = fc.option(minute, { nil: undefined });
    const sizes = fc.integer({ min: 1, max: 700 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...TIMEFRAMES), bound, bound, sizes, async (timeframe, from, to, size) => {
        // A page reads at least one file: few of the smallest.
        const limit = Math.max(size, timeframe === "1m" || timeframe === "3m" ? 150 : 1);
        const range = {
          ...(from === undefined ? {} : { from: at(from) }),
          ...(to === undefined ? {} : { to: at(to) }),
        };
        const openTimes = (await allPages({ timeframe, limit, ...range })).map(({ openTime }) => openTime);
        const wanted = [...new Set(rows.map((row) => bucketOf(row.openTime, timeframe)))].filter(
          (openTime) => openTime >= (range.from ?? 0) && openTime <= (range.to ?? Number.MAX_SAFE_INTEGER),
        );
        expect(openTimes).toEqual(wanted);
      }),
      { numRuns: 40 },
    );
  });

  test("A symbol that the store does not have is told from a range that holds nothing", async () => {
    const query = { timeframe: "1m", from: null, to: at(-10), before: null, limit: 10 } as const;
    expect(await reader.bars({ ...query, symbol: "BTCUSDT" })).toEqual({ bars: [], older: null, isKnown: true });
    expect(await reader.bars({ ...query, symbol: "NOSUCH" })).toEqual({ bars: [], older: null, isKnown: false });
  });

  test("Without a store there is nothing to page", async () => {
    const nowhere = openBarReader({ folder: `${folder.path}/nowhere` }, storeDeps());
    const query = { symbol: "BTCUSDT", timeframe: "1m", from: null, to: null, before: null, limit: 10 } as const;
    expect(await nowhere.bars(query)).toBeNull();
    expect(await nowhere.gaps({ symbol: null, before: null, limit: 10 })).toBeNull();
    await nowhere.close();
  });

  test("Recorded gaps come newest first, page by page", async () => {
    const first = await reader.gaps({ symbol: "BTCUSDT", before: null, limit: 5 });
    expect(first?.map(({ gapSeq }) => gapSeq)).toEqual([12, 11, 10, 9, 8]);
    const second = await reader.gaps({ symbol: null, before: 8, limit: 100 });
    expect(second?.map(({ gapSeq }) => gapSeq)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(await reader.gaps({ symbol: "ETHUSDT", before: null, limit: 5 })).toEqual([]);
  });
});
