import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { StoredCandle } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { BUILTIN_RULES } from "../../src/scan/builtins.ts";
import { defineRule } from "../../src/scan/contract.ts";
import { ScanEngine } from "../../src/scan/engine.ts";
import { asScanRule } from "../../src/scan/load.ts";

const START = Date.UTC(2025, 0, 1);
const ALL = [...BUILTIN_RULES.values()];

function minute(symbol: string, index: number, close: number, volume = 1): StoredCandle {
  return {
    symbol,
    openTime: START + index * MINUTE_MS,
    open: close,
    high: close,
    low: close,
    close,
    volume,
    quoteVolume: close * volume,
    trades: 1,
    takerBuyVolume: 0,
    takerBuyQuoteVolume: 0,
    firstTradeId: null,
    lastTradeId: null,
    provenance: "complete",
    commitSeq: index + 1,
    prevOpenTime: null,
  };
}

function feed(engine: ScanEngine, candles: readonly StoredCandle[]): ScanEngine {
  for (const candle of candles) engine.onEvent({ type: "candle", candle });
  return engine;
}

const series = (symbol: string, closes: readonly number[], volumes: readonly number[] = []) =>
  closes.map((close, index) => minute(symbol, index, close, volumes[index] ?? 1));
const flat = (length: number, close = 100) => Array.from({ length }, () => close);
const rows = (engine: ScanEngine, rule: string) =>
  engine
    .rows()
    .filter((row) => row.rule === rule)
    .map((row) => `${row.rank} ${row.symbol} ${row.score.toFixed(4)}`);

describe("The scanner's rules", () => {
  test("momentum-rank orders symbols by their change over 15 minutes, ties by name", () => {
    const engine = new ScanEngine(ALL);
    feed(engine, series("UP", [...flat(15), 110]));
    feed(engine, series("DOWN", [...flat(15), 90]));
    feed(engine, series("B", flat(16)));
    feed(engine, series("A", flat(16)));
    feed(engine, series("SHORT", flat(15)));
    expect(rows(engine, "momentum-rank")).toEqual(["1 UP 0.1000", "2 A 0.0000", "3 B 0.0000", "4 DOWN -0.1000"]);
    expect(engine.rows()[0]).toEqual({
      rule: "momentum-rank",
      symbol: "UP",
      rank: 1,
      score: 0.1,
      openTime: START + 15 * MINUTE_MS,
      note: "+10.00 % in 15 minutes",
    });
  });

  test("volume-spike shows volumes of at least three times the average before, which excludes the minute itself", () => {
    const engine = new ScanEngine(ALL);
    feed(engine, series("BIG", flat(21), [...flat(20, 2), 20]));
    feed(engine, series("SMALL", flat(21), [...flat(20, 2), 5.9]));
    feed(engine, series("DEAD", flat(21), [...flat(20, 0), 5]));
    expect(rows(engine, "volume-spike")).toEqual(["1 BIG 10.0000"]);
  });

  test("range-breakout shows closes outside the range of the 30 minutes before, on either side", () => {
    const engine = new ScanEngine(ALL);
    feed(engine, series("ABOVE", [...flat(30), 101]));
    feed(engine, series("BELOW", [...flat(30), 95]));
    feed(engine, series("INSIDE", flat(31)));
    expect(rows(engine, "range-breakout")).toEqual(["1 BELOW 0.0500", "2 ABOVE 0.0100"]);
  });
});

describe("The scan engine", () => {
  test("ranks the same whatever the order in which symbols interleave", () => {
    const candles = ["A", "B", "C"].flatMap((symbol, at) =>
      series(
        symbol,
        Array.from({ length: 40 }, (_, index) => 100 + ((index * (at + 3)) % 11)),
      ),
    );
    const expected = feed(new ScanEngine(ALL), candles).rows();
    expect(expected.length).toBeGreaterThan(2);
    fc.assert(
      fc.property(fc.array(fc.nat(2), { minLength: 120, maxLength: 120 }), (picks) => {
        const queues = [0, 1, 2].map((at) => candles.slice(at * 40, at * 40 + 40));
        const mixed = [...picks.map((pick) => queues[pick]?.shift()), ...queues.flat()];
        const engine = new ScanEngine(ALL);
        feed(
          engine,
          mixed.filter((candle) => candle !== undefined),
        );
        expect(engine.rows()).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  test("starts a symbol's windows anew after missing minutes, and leaves repeated candles out", () => {
    const engine = feed(new ScanEngine(ALL), series("A", flat(16)));
    feed(engine, [minute("A", 15, 500), minute("A", 20, 500)]);
    expect(rows(engine, "momentum-rank")).toEqual([]);
    expect(engine.counters()).toEqual({ candles: 17, resets: 1, repeated: 1, overflow: 0 });
  });

  test("drops a symbol that has fallen five minutes behind", () => {
    const engine = feed(new ScanEngine(ALL), series("QUIET", flat(16)));
    feed(engine, series("LIVE", flat(21)));
    expect(rows(engine, "momentum-rank").length).toBe(2);
    feed(engine, [minute("LIVE", 21, 100)]);
    expect(rows(engine, "momentum-rank")).toEqual(["1 LIVE 0.0000"]);
  });

  test("keeps at most so many rows a rule, and so many symbols", () => {
    const engine = new ScanEngine(ALL, { rowsPerRule: 2 });
    for (const symbol of ["A", "B", "C"]) feed(engine, series(symbol, flat(16)));
    expect(rows(engine, "momentum-rank")).toEqual(["1 A 0.0000", "2 B 0.0000"]);
    const full = new ScanEngine([]);
    for (let index = 0; index < 5001; index++) feed(full, [minute(`S${index}`, 0, 1)]);
    expect(full.counters().overflow).toBe(1);
    expect(() => new ScanEngine(ALL, { rowsPerRule: 0 })).toThrow("Bad rowsPerRule: expected 1 to 500, found 0");
    expect(() => new ScanEngine([...ALL, ...ALL])).toThrow("is named twice");
  });

  test("takes a rule that throws or talks nonsense out of the scan, and goes on with the others", () => {
    const rule = (name: string, onCandle: () => never) => defineRule({ name, init: () => null, onCandle });
    const throwing = rule("throwing", () => {
      throw new Error("no");
    });
    const nonsense = rule("nonsense", () => ({ score: Number.NaN, note: "x" }) as never);
    const engine = feed(new ScanEngine([throwing, nonsense, ...ALL]), series("A", flat(16)));
    expect([...engine.failures]).toEqual([
      ["throwing", "no"],
      ["nonsense", "its score is not a finite number"],
    ]);
    expect(rows(engine, "momentum-rank").length).toBe(1);
  });

  test("takes rules from modules that export one, and says in one line why it takes no other", () => {
    for (const rule of ALL) expect(asScanRule({ default: rule }, "x")).toBe(rule);
    expect(() => asScanRule({}, "./r.ts")).toThrow("Cannot use scanner rule ./r.ts: it has no default export");
    expect(() => asScanRule({ default: {} }, "./r.ts")).toThrow("was not made by defineRule");
    expect(() => asScanRule({ default: { ...ALL[0], onCandle: 1 } }, "./r.ts")).toThrow('"onCandle" is missing');
  });
});
