import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Candle } from "../../src/core/candle.ts";
import { flatPosition } from "../../src/core/decision.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { BUILTIN_STRATEGIES } from "../../src/strategy/builtins.ts";
import { defineStrategy, type Strategy } from "../../src/strategy/contract.ts";
import { StrategyHost } from "../../src/strategy/host.ts";
import { strategySettings } from "../../src/strategy/params.ts";
import { v } from "../../src/strategy/public.ts";

const START = Date.UTC(2025, 0, 1);

function minute(index: number, close: number, symbol = "BTCUSDT"): Candle {
  return {
    ...{ symbol, openTime: START + index * MINUTE_MS, open: close, high: close + 1, low: close - 1, close },
    ...{ volume: 1, quoteVolume: close, trades: index % 7 === 0 ? 0 : 3, takerBuyVolume: 0, takerBuyQuoteVolume: 0 },
    ...{ firstTradeId: null, lastTradeId: null, provenance: "complete" as const },
  };
}

function hostOf(strategy: Strategy, params = ""): StrategyHost {
  return new StrategyHost(strategy, strategySettings(strategy, params));
}

function builtin(name: string): Strategy {
  const strategy = BUILTIN_STRATEGIES.get(name);
  if (!strategy) throw new Error(`no built-in ${name}`);
  return strategy;
}

/** Everything that a run decides and saves, each fill at once; the host begins anew from what was saved at `restartAt`. */
function story(strategy: Strategy, closes: readonly number[], restartAt: number): string {
  let host = hostOf(strategy);
  let held = "0";
  let saved: string | null = null;
  const told: unknown[] = [];
  for (const [i, close] of closes.entries()) {
    if (i === restartAt && saved !== null) {
      host = hostOf(strategy);
      expect(host.restore("BTCUSDT", saved)).toBe(true);
    }
    if (i < 5) {
      host.warm(minute(i, close));
      continue;
    }
    const outcome = host.decide(minute(i, close), { ...flatPosition("BTCUSDT"), quantity: held });
    for (const { side, quantity } of outcome.bars.flatMap((bar) => bar.decisions))
      held = side === "buy" ? quantity : "0";
    saved = outcome.saved;
    told.push(outcome);
  }
  expect(host.failure).toBeNull();
  return JSON.stringify(told);
}

describe("Indicators", () => {
  for (const strategy of BUILTIN_STRATEGIES.values()) {
    test(`of ${strategy.name} change neither a decision nor what is saved`, () => {
      const { indicators: _shown, ...rest } = strategy;
      const closes = fc.array(fc.integer({ min: 50, max: 150 }), { minLength: 60, maxLength: 200 });
      fc.assert(
        fc.property(closes, fc.nat(100), (prices, restartAt) => {
          expect(story(strategy, prices, restartAt)).toBe(story(rest as Strategy, prices, restartAt));
        }),
        { numRuns: 25 },
      );
    });
  }

  test("are the values that the decision rested on", () => {
    const host = hostOf(builtin("sma-cross"), "fast=2,slow=4");
    for (let i = 0; i < 6; i++) host.decide(minute(i, 10 + i), flatPosition("BTCUSDT"));
    expect(host.indicators.tables()).toEqual([
      {
        symbol: "BTCUSDT",
        names: ["fast", "slow"],
        rows: [
          [START, null, null],
          [START + MINUTE_MS, 10.5, null],
          [START + 2 * MINUTE_MS, 11.5, null],
          [START + 3 * MINUTE_MS, 12.5, 11.5],
          [START + 4 * MINUTE_MS, 13.5, 12.5],
          [START + 5 * MINUTE_MS, 14.5, 13.5],
        ],
      },
    ]);
    const channel = hostOf(builtin("channel-breakout"), "entry=2,exit=2");
    for (let i = 0; i < 4; i++) channel.decide(minute(i, 10 + i), flatPosition("BTCUSDT"));
    // The channel of the bars before, not of the bar that was held against it.
    expect(channel.indicators.tables()[0]?.rows.at(-1)).toEqual([START + 3 * MINUTE_MS, 13, 10]);
    const rsi = hostOf(builtin("rsi-reversion"), "period=2");
    for (const [i, close] of [1, 2, 3, 4].entries()) rsi.warm(minute(i, close + 10));
    expect(rsi.indicators.tables()[0]?.rows.at(-1)).toEqual([START + 3 * MINUTE_MS, 100]);
  });

  test("keep the newest 120 bars, the first 64 symbols and the first 8 names; what is left out is told", () => {
    const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`i${i}`, i]));
    const host = hostOf(plain(() => many));
    for (let i = 0; i < 130; i++) host.decide(minute(i, 10), flatPosition("BTCUSDT"));
    for (let s = 0; s < 70; s++) host.decide(minute(0, 10, `S${s}USDT`), flatPosition(`S${s}USDT`));
    const tables = host.indicators.tables();
    expect([tables.length, host.indicators.omitted]).toEqual([64, 7]);
    const { names, rows } = tables.find(({ symbol }) => symbol === "BTCUSDT") ?? { names: [], rows: [] };
    expect([names.length, rows.length, rows[0]?.[0]]).toEqual([8, 120, START + 10 * MINUTE_MS]);
    expect(host.indicators.fault).toContain("at most 8 are kept");
  });

  test("that come later have no value on the bars before, and what is no number has none", () => {
    let bar = 0;
    const host = hostOf(plain(() => (++bar < 2 ? { a: 1 } : { b: 2, a: Number.NaN, c: "3" })));
    for (let i = 0; i < 2; i++) host.decide(minute(i, 10), flatPosition("BTCUSDT"));
    expect(host.indicators.tables()[0]).toMatchObject({
      names: ["a", "b", "c"],
      rows: [
        [START, 1, null, null],
        [START + MINUTE_MS, null, 2, null],
      ],
    });
  });

  for (const [what, give] of [
    [
      "throw",
      () => {
        throw new Error("no chart today");
      },
    ],
    ["are no object", () => 7],
  ] as const) {
    test(`that ${what} are not asked for again, and the strategy goes on deciding`, () => {
      let asked = 0;
      const host = hostOf(
        plain(() => {
          asked++;
          return give();
        }),
      );
      for (let i = 0; i < 3; i++) {
        const { bars } = host.decide(minute(i, 10), flatPosition("BTCUSDT"));
        expect(bars[0]?.decisions).toHaveLength(1);
      }
      expect([asked, host.failure]).toEqual([1, null]);
      expect(host.indicators.fault).toContain("not asked for any more");
    });
  }
});

/** Buys on every bar. */
function plain(indicators: () => unknown): Strategy {
  return defineStrategy({
    name: "plain",
    version: "1",
    params: v.object({}),
    warmup: () => 0,
    init: () => ({}),
    onCandle: () => [{ side: "buy" as const, quantity: "1" }],
    indicators: indicators as () => Readonly<Record<string, number>>,
  });
}
