import { describe, expect, test } from "bun:test";
import { CANDLE_FIGURES, type CandleFigure } from "../../src/core/candle.ts";
import { judge, type Pair } from "../../src/role/audit/judge.ts";

const FIGURES_OF: Readonly<Record<CandleFigure, number>> = {
  open: 10,
  high: 12,
  low: 9,
  close: 11,
  volume: 3,
  quoteVolume: 31,
  trades: 5,
  takerBuyVolume: 1,
  takerBuyQuoteVolume: 10,
};
const FLAT = { open: 11, high: 11, low: 11, close: 11 };
const NOTHING = { volume: 0, quoteVolume: 0, trades: 0, takerBuyVolume: 0, takerBuyQuoteVolume: 0 };

const stored = (changes: Partial<Record<CandleFigure, number>> = {}, provenance = "complete") => ({
  ...FIGURES_OF,
  ...changes,
  provenance,
});
const official = (changes: Partial<Record<CandleFigure, number | null>> = {}) => ({ ...FIGURES_OF, ...changes });
const pair = (changes: Partial<Pair>): Pair => ({
  openTime: 0,
  stored: stored(),
  official: official(),
  officialPreviousClose: null,
  gapReason: null,
  idBreak: null,
  ...changes,
});
const told = (changes: Partial<Pair>, venue = "binance-spot") => {
  const { verdict, why } = judge(pair(changes), venue);
  return why === null ? verdict : `${verdict}: ${why}`;
};

describe("A minute's verdict", () => {
  test("is equal where every figure that the klines tell is the very number that is stored", () => {
    expect(told({})).toBe("equal");
    const bare = { quoteVolume: null, trades: null, takerBuyVolume: null, takerBuyQuoteVolume: null };
    expect(told({ official: official(bare) })).toBe("equal");
    expect(told({ stored: stored({}, "partial") })).toBe("equal");
  });

  for (const figure of CANDLE_FIGURES) {
    test(`is wrong where ${figure} differs in its last digit, and says how`, () => {
      const other = FIGURES_OF[figure] + 1e-9;
      const { verdict, why, differences } = judge(pair({ official: official({ [figure]: other }) }), "binance-spot");
      expect([verdict, why]).toEqual(["wrong", `${figure} ${FIGURES_OF[figure]} instead of ${other}`]);
      expect(differences).toEqual([{ field: figure, stored: FIGURES_OF[figure], official: other }]);
    });
  }

  test("is explained where the row says itself that it is partial", () => {
    const differing = { official: official({ volume: 4 }), stored: stored({}, "partial") };
    expect(told(differing)).toBe("explained: partial: not all of the minute was heard");
    for (const provenance of ["complete", "backfilled", "imported", "empty"])
      expect(told({ ...differing, stored: stored({}, provenance) })).toBe("wrong: volume 3 instead of 4");
  });

  test("of a minute that is not stored is explained by a gap or by its having no trade, else wrong", () => {
    expect(told({ stored: null, gapReason: "the venue gave none" })).toBe("explained: gap: the venue gave none");
    expect(told({ stored: null, official: official({ ...FLAT, ...NOTHING }) })).toStartWith("explained: no trade");
    expect(told({ stored: null })).toBe("wrong: not stored, and no gap says why");
  });

  test("of a minute that the klines leave out is explained where it had no trade, else wrong", () => {
    expect(told({ official: null, stored: stored({ ...FLAT, ...NOTHING }, "empty") })).toStartWith(
      "explained: no trade",
    );
    expect(told({ official: null })).toBe("wrong: the klines do not have this minute");
  });

  test("lets the flat price of a minute without trades be convention, and nothing else about it", () => {
    const empty = stored({ ...FLAT, ...NOTHING }, "empty");
    const flat = { open: 10.5, high: 10.5, low: 10.5, close: 10.5 };
    expect(told({ stored: empty, official: official({ ...flat, ...NOTHING }) })).toStartWith("explained: no trade");
    expect(told({ stored: empty, official: official({ ...flat, ...NOTHING, trades: 1 }) })).toStartWith("wrong");
  });

  test("lets an import lack what files of candles often lack, and not differ in it", () => {
    const lacking = { quoteVolume: 0, trades: 0, takerBuyVolume: 0, takerBuyQuoteVolume: 0 };
    expect(told({ stored: stored(lacking, "imported") })).toBe("explained: imported without these figures");
    expect(told({ stored: stored({ ...lacking, trades: 4 }, "imported") })).toStartWith("wrong");
    expect(told({ stored: stored(lacking) })).toStartWith("wrong");
  });

  test("knows that Bybit opens at the previous close, and lets no other figure or venue do so", () => {
    const opened = { official: official({ open: 13, high: 13 }), officialPreviousClose: 13 };
    expect(told(opened, "bybit-spot")).toBe("explained: Bybit opens at the previous close");
    expect(told({ ...opened, officialPreviousClose: 14 }, "bybit-spot")).toStartWith("wrong");
    expect(told({ ...opened, official: official({ open: 13, high: 14 }) }, "bybit-spot")).toStartWith("wrong");
    expect(told({ ...opened, official: official({ open: 13, high: 13, close: 12 }) }, "bybit-spot")).toStartWith(
      "wrong",
    );
    expect(told(opened, "binance-spot")).toStartWith("wrong");
  });

  test("knows that Kraken's vwap is cut at the price's last digit, and lets nothing else about it pass", () => {
    const kraken = (quoteVolume: number, more = {}) =>
      told({ stored: stored({ open: 10.1 }), official: official({ open: 10.1, quoteVolume, ...more }) }, "kraken");
    // 31 / 3 = 10.333… is told as 10.3, which makes 30.9.
    expect(kraken(10.3 * 3)).toBe("explained: Kraken's vwap is cut at the price's last digit");
    expect(kraken(10.2 * 3)).toStartWith("wrong: quoteVolume");
    expect(kraken(10.4 * 3)).toStartWith("wrong: quoteVolume");
    expect(kraken(10.3 * 3, { trades: 6 })).toStartWith("wrong: quoteVolume");
    expect(told({ official: official({ quoteVolume: 30.9 }) }, "okx")).toStartWith("wrong");
  });

  test("tells trade ids that do not follow on: explained beside a partial row or by equal figures, else wrong", () => {
    const jump = { before: 9, first: 12, besidePartial: false };
    expect(told({ idBreak: jump })).toBe("explained: trade ids jump from 9 to 12, and every figure is the klines'");
    expect(told({ idBreak: { ...jump, besidePartial: true } })).toBe("explained: partial: trade ids jump from 9 to 12");
    expect(told({ idBreak: jump, official: official({ volume: null }) })).toStartWith("wrong: trade ids jump");
    expect(told({ idBreak: { ...jump, first: 9 } })).toStartWith("explained: trade id 9 follows 9");
    expect(told({ idBreak: jump, official: official({ volume: 4 }) })).toBe("wrong: volume 3 instead of 4");
  });
});
