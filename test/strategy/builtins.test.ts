import { describe, expect, test } from "bun:test";
import type { Candle } from "../../src/core/candle.ts";
import { type Decision, flatPosition } from "../../src/core/decision.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { BUILTIN_STRATEGIES } from "../../src/strategy/builtins.ts";
import { defineStrategy } from "../../src/strategy/contract.ts";
import { StrategyHost } from "../../src/strategy/host.ts";
import { told } from "../../src/strategy/long-only.ts";
import { strategySettings } from "../../src/strategy/params.ts";
import * as fabric from "../../src/strategy/public.ts";

const START = Date.UTC(2025, 0, 1);

function hostOf(name: string, params: string): StrategyHost {
  const strategy = BUILTIN_STRATEGIES.get(name);
  if (!strategy) throw new Error(`no built-in ${name}`);
  return new StrategyHost(strategy, strategySettings(strategy, params));
}

function minute(index: number, close: number, more: Partial<Candle> = {}): Candle {
  return {
    symbol: "BTCUSDT",
    openTime: START + index * MINUTE_MS,
    open: close,
    high: close,
    low: close,
    close,
    volume: 1,
    quoteVolume: close,
    trades: 1,
    takerBuyVolume: 0,
    takerBuyQuoteVolume: 0,
    firstTradeId: null,
    lastTradeId: null,
    provenance: "complete",
    ...more,
  };
}

/** Feeds closes; each decision is filled at once. Gives "index side quantity" for each. */
function trade(host: StrategyHost, closes: readonly (number | Candle)[]): readonly string[] {
  let held = "0";
  return closes.flatMap((close, index) => {
    const candle = typeof close === "number" ? minute(index, close) : close;
    const decisions: readonly Decision[] = host
      .decide(candle, { ...flatPosition("BTCUSDT"), quantity: held })
      .bars.flatMap((bar) => bar.decisions);
    for (const decision of decisions) held = decision.side === "buy" ? decision.quantity : "0";
    return decisions.map((decision) => `${index} ${decision.side} ${decision.quantity}`);
  });
}

describe("The built-in strategies", () => {
  test("sma-cross buys on the cross up, sells all on the cross down, one order a candle at most", () => {
    const closes = [5, 4, 3, 2, 3, 5, 7, 7, 5, 3, 1, 1];
    expect(trade(hostOf("sma-cross", "fast=2,slow=4,quantity=0.5"), closes)).toEqual(["5 buy 0.5", "9 sell 0.5"]);
  });

  test("rsi-reversion buys when oversold and sells when overbought", () => {
    const closes = [10, 9, 8, 7, 6, 7, 8, 9, 10, 11, 12];
    const orders = trade(hostOf("rsi-reversion", "period=3"), closes);
    expect(orders[0]).toBe("3 buy 0.01");
    expect(orders[1]).toMatch(/^\d+ sell 0\.01$/);
  });

  test("channel-breakout buys above the channel of the bars before and sells below it", () => {
    const closes = [10, 11, 10, 11, 12, 12, 11, 12, 9];
    expect(trade(hostOf("channel-breakout", "entry=3,exit=3"), closes)).toEqual(["4 buy 0.01", "8 sell 0.01"]);
  });

  test("wait with a second order until a candle traded, since the first may still be on its way", () => {
    const host = hostOf("channel-breakout", "entry=2,exit=2");
    const flat = flatPosition("BTCUSDT");
    const quiet = { trades: 0, provenance: "empty" } as const;
    const orders = [minute(0, 10), minute(1, 10), minute(2, 11), minute(3, 12, quiet), minute(4, 13)].map(
      (candle) => host.decide(candle, flat).bars.length,
    );
    expect(orders).toEqual([0, 0, 1, 0, 1]);
  });

  test("decide nothing during warm-up, and carry its state over", () => {
    const host = hostOf("channel-breakout", "entry=2,exit=2");
    for (const candle of [minute(0, 10), minute(1, 10), minute(2, 11)]) host.warm(candle);
    expect(host.warmupFrom(START + 3 * MINUTE_MS)).toBe(START + MINUTE_MS);
    expect(host.decide(minute(3, 12), flatPosition("BTCUSDT")).bars.length).toBe(1);
  });

  for (const [name, params] of [
    ["sma-cross", "fast=2,slow=4"],
    ["channel-breakout", "entry=3,exit=2"],
  ] as const) {
    test(`${name} continues from its saved state exactly as from the candles themselves`, () => {
      const closes = Array.from({ length: 60 }, (_, index) => 100 + 10 * Math.sin(index / 3) + (index % 5));
      const flat = flatPosition("BTCUSDT");
      const whole = hostOf(name, params);
      for (const [index, close] of closes.entries()) {
        const { saved } = whole.decide(minute(index, close), flat);
        const other = hostOf(name, params);
        expect(other.restore("BTCUSDT", saved ?? "")).toBe(true);
        const copy = hostOf(name, params);
        for (const [before, value] of closes.slice(0, index + 1).entries()) copy.decide(minute(before, value), flat);
        for (let next = index + 1; next < closes.length; next++) {
          const candle = minute(next, closes[next] ?? 1);
          expect(other.decide(candle, flat)).toEqual(copy.decide(candle, flat));
        }
      }
    });
  }

  test("do not take up a saved state that makes no sense, and stay as they were", () => {
    const host = hostOf("sma-cross", "");
    expect(host.restore("BTCUSDT", "{")).toBe(false);
    expect(host.restore("BTCUSDT", '{"lastOpenTime":null,"rollUp":null,"state":{"closes":"x"}}')).toBe(false);
    expect(hostOf("rsi-reversion", "").restore("BTCUSDT", "{}")).toBe(false);
    expect(host.failure).toBeNull();
  });
});

describe("A strategy's host", () => {
  test("keeps symbols apart", () => {
    const host = hostOf("channel-breakout", "entry=2,exit=2");
    const flat = flatPosition("ETHUSDT");
    for (const index of [0, 1]) host.decide(minute(index, 10), flat);
    expect(host.decide(minute(2, 99, { symbol: "ETHUSDT" }), flat).bars).toEqual([]);
    expect(host.decide(minute(2, 99), flat).bars.length).toBe(1);
  });

  test("gives partial bars to those who ask alone, and tells the others of the gap", () => {
    const seen: string[] = [];
    const watcher = (includePartial: boolean) =>
      defineStrategy({
        name: "watcher",
        version: "1",
        params: fabric.v.object({}),
        timeframe: "3m",
        includePartial,
        warmup: () => 0,
        init: () => null,
        onCandle: ({ candle }) => void seen.push(`bar ${(candle.openTime - START) / MINUTE_MS} ${candle.provenance}`),
        onGap: ({ fromOpenTime, toOpenTime }) =>
          void seen.push(`gap ${(fromOpenTime - START) / MINUTE_MS}-${(toOpenTime - START) / MINUTE_MS}`),
      });
    for (const includePartial of [false, true]) {
      const strategy = watcher(includePartial);
      const host = new StrategyHost(strategy, strategySettings(strategy, null));
      for (const index of [0, 1, 2, 3, 5, 6, 7, 8]) {
        host.decide(minute(index, 10, index === 7 ? { provenance: "partial" } : {}), flatPosition("BTCUSDT"));
      }
    }
    expect(seen).toEqual([
      ...["bar 0 complete", "gap 4-4", "gap 7-7"],
      ...["bar 0 complete", "gap 4-4", "bar 3 partial", "bar 6 partial"],
    ]);
  });

  test("marks the strategy failed when init, onGap, save or onCandle throws, and decides nothing any more", () => {
    const boom = () => {
      throw new Error("boom");
    };
    for (const broken of [{ init: boom }, { onGap: boom }, { onCandle: boom }, { save: boom, restore: boom }]) {
      const strategy = {
        ...defineStrategy({
          name: "broken",
          version: "1",
          params: fabric.v.object({}),
          warmup: () => 0,
          init: () => null,
          onCandle: () => [{ side: "buy" as const, quantity: "1" }],
        }),
        ...broken,
      };
      const host = new StrategyHost(strategy, strategySettings(strategy, null));
      const flat = flatPosition("BTCUSDT");
      host.decide(minute(0, 1), flat);
      expect(host.decide(minute(5, 1), flat)).toEqual({ bars: [], saved: null });
      expect(host.failure).toBe("Strategy broken failed on BTCUSDT: boom");
    }
  });
});

test("What a user's file imports from fabric has the contract, the indicators and valibot", () => {
  expect(typeof fabric.defineStrategy).toBe("function");
  expect(new fabric.EMA(3).getRequiredInputs()).toBe(3);
  expect(fabric.v.parse(fabric.v.number(), 1)).toBe(1);
});

test("a reason tells an indicator's value without what is only the arithmetic's", () => {
  const values = [3027.0939999999996, 155.92850000000004, 59797.331999999995, 0.000001234, 28, 1e21];
  expect(values.map(told)).toEqual(["3027.094", "155.9285", "59797.332", "0.000001234", "28", "1e+21"]);
});
