import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { StoredCandle } from "../../src/core/candle.ts";
import { quoteAssetOf } from "../../src/core/symbol.ts";
import { decimal } from "../../src/execution/decimal.ts";
import { Instruments } from "../../src/execution/instruments.ts";
import { profitOf } from "../../src/execution/profit.ts";
import { defineStrategy, type Strategy } from "../../src/strategy/contract.ts";
import { v } from "../../src/strategy/public.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { candle, deliveryAfter, MemoryMarket } from "./support/market.ts";
import { bindingOf, hostOf, journalIn, runnerOf } from "./support/runner.ts";

const DAY_MINUTES = 1440;

/** Buys and sells one in turn, on every bar. */
const inTurn: Strategy = defineStrategy({
  name: "in-turn",
  version: "1",
  params: v.object({}),
  warmup: () => 0,
  init: () => ({}),
  onCandle: ({ position }) => [{ side: position.quantity === "0" ? "buy" : "sell", quantity: "1", reason: "its turn" }],
});

/** Two days' last and first minutes, of rising prices. */
function rowsOf(symbol: string): readonly StoredCandle[] {
  return Array.from({ length: 20 }, (_, i) =>
    candle(symbol, DAY_MINUTES - 10 + i, {
      open: 100 + i,
      high: 103 + i,
      low: 99 + i,
      close: 101.25 + i,
      commitSeq: i + 1,
    }),
  );
}

async function run(folder: string, rows: readonly StoredCandle[], through = rows.length) {
  const host = hostOf(inTurn);
  const limits = {
    maxPosition: null,
    maxNotional: null,
    maxOrdersPerMinute: 15,
    maxDailyLoss: null,
    priceCollarPercent: null,
  };
  const core = runnerOf(
    { journal: journalIn(folder, bindingOf(host)), maker: host, market: new MemoryMarket(rows) },
    { limits },
  );
  const cursor = await core.start(0);
  for (const { event, cursor: after } of deliveryAfter(rows.slice(0, through), cursor)) await core.handle(event, after);
  return core;
}

describe("What a runner tells of its trading", () => {
  test("are its newest fills and decisions with what became of them, newest first", async () => {
    using folder = tempFolder();
    const core = await run(folder.path, rowsOf("BTCUSDT"));
    const { fills, decisions } = core.account();
    expect([fills.length, decisions.length]).toEqual([19, 20]);
    expect(decisions[0]).toMatchObject({ outcome: "open", reason: "its turn", outcomeReason: null, refusal: null });
    expect(decisions[1]).toMatchObject({ outcome: "filled" });
    expect(fills[0]).toMatchObject({ symbol: "BTCUSDT", feeAsset: "USDT", clientOrderId: decisions[1]?.clientOrderId });
    for (const { at } of decisions) expect(at % 60_000).toBe(0);
    await core.close();
  });

  test("stay those of before once the journal is closed, and come back with a restart", async () => {
    using folder = tempFolder();
    const rows = rowsOf("BTCUSDT");
    const core = await run(folder.path, rows, 12);
    const before = core.account();
    await core.close();
    expect(core.account()).toEqual(before);
    const again = await run(folder.path, rows, 0);
    const { fills, decisions, pnl } = again.account();
    expect({ fills, decisions, pnl }).toEqual({ fills: before.fills, decisions: before.decisions, pnl: before.pnl });
    await again.close();
  });

  test("today's profit begins with the day's first candle, and adds up with the position's figures", async () => {
    using folder = tempFolder();
    const core = await run(folder.path, rowsOf("BTCUSDT"), 10);
    const yesterday = decimal(core.account().pnl.total ?? "");
    await core.close();
    const next = await run(folder.path, rowsOf("BTCUSDT"));
    const { pnl } = next.account();
    const [row] = next.positions();
    expect(pnl.day).toBe(Date.UTC(2025, 0, 2));
    expect(pnl.total).toBe(
      decimal(row?.realisedPnl ?? "")
        .plus(row?.unrealisedPnl ?? "")
        .toFixed(),
    );
    expect(pnl.today).toBe(
      decimal(pnl.total ?? "")
        .minus(yesterday)
        .toFixed(),
    );
    expect(pnl.byQuote).toEqual([{ quote: "USDT", today: pnl.today, total: pnl.total ?? "" }]);
    await next.close();
  });
});

describe("Profit and loss", () => {
  const amounts = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => decimal((cents / 100).toFixed(2)));
  const symbols = fc.constantFrom("BTCUSDT", "ETHUSDT", "ETHBTC", "BTC-USD", "WHATEVER", "ODD");

  test("is never summed over different quote assets", () => {
    fc.assert(
      fc.property(fc.dictionary(symbols, amounts), fc.dictionary(symbols, amounts), (now, start) => {
        const day = { day: 0, equity: "12.5", hitAt: null };
        const told = profitOf({
          equities: new Map(Object.entries(now)),
          day,
          dayStart: new Map(Object.entries(start)),
        });
        const quotes = new Set(Object.keys(now).map((symbol) => quoteAssetOf(symbol) ?? `quote of ${symbol}`));
        expect(told.byQuote.map(({ quote }) => quote)).toEqual([...quotes].sort());
        expect(told.total === null).toBe(quotes.size > 1);
        for (const { quote, total } of told.byQuote) {
          const own = Object.entries(now).filter(
            ([symbol]) => (quoteAssetOf(symbol) ?? `quote of ${symbol}`) === quote,
          );
          expect(decimal(total).eq(own.reduce((sum, [, amount]) => sum.plus(amount), decimal("0")))).toBe(true);
        }
      }),
    );
  });

  test("of today is not known by quote asset where the day began before the runner did", () => {
    const equities = new Map([
      ["BTCUSDT", decimal("5")],
      ["ETHBTC", decimal("0.1")],
    ]);
    const told = profitOf({ equities, day: { day: 0, equity: "1", hitAt: null }, dayStart: null });
    expect(told).toMatchObject({
      today: null,
      total: null,
      byQuote: [
        { quote: "BTC", today: null },
        { quote: "USDT", today: null },
      ],
    });
    const one = profitOf({
      equities: new Map([["BTCUSDT", decimal("5")]]),
      day: { day: 0, equity: "1", hitAt: null },
      dayStart: null,
    });
    expect(one).toMatchObject({ today: "4", total: "5" });
  });
});

describe("Instruments", () => {
  test("have the venue's decimals where it told them, else the most that their candles had", () => {
    const told = new Map([["ETHUSDT", { priceDecimals: 4, quantityDecimals: null }]]);
    const instruments = new Instruments((symbol) => told.get(symbol) ?? null);
    instruments.note(candle("BTCUSDT", 1, { close: 100.25, volume: 1e-7 }));
    instruments.note(candle("BTCUSDT", 2, { close: 100.5, volume: 3 }));
    instruments.note(candle("ETHUSDT", 2));
    expect(instruments.rows(["ETHUSDT"])).toEqual([
      { symbol: "ETHUSDT", priceDecimals: 4, quantityDecimals: null, source: "venue" },
      { symbol: "BTCUSDT", priceDecimals: 2, quantityDecimals: 7, source: "observed" },
    ]);
    for (let i = 0; i < 600; i++) instruments.note(candle(`S${i}`, 1));
    expect(instruments.rows(["S599"])[0]?.symbol).toBe("S599");
    expect(instruments.rows([])).toHaveLength(500);
  });

  test("are priced in the asset that follows a mark, or a known one at their name's end", () => {
    const quotes = ["BTCUSDT", "ETHBTC", "BTC-USD", "XBT/EUR", "BTC_FDUSD", "SOLFDUSD", "USDT", "ABC"].map(
      quoteAssetOf,
    );
    expect(quotes).toEqual(["USDT", "BTC", "USD", "EUR", "FDUSD", "FDUSD", null, null]);
  });
});
