import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { platform } from "#platform";
import type { StoredCandle } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { journalPath } from "../../src/execution/journal.ts";
import { type IntentRow, intentFrom } from "../../src/execution/journal-rows.ts";
import { PaperBroker } from "../../src/execution/paper-broker.ts";
import { NO_LIMITS, type RiskLimits } from "../../src/execution/risk-limits.ts";
import { BUILTIN_STRATEGIES } from "../../src/strategy/builtins.ts";
import { defineStrategy, type Strategy } from "../../src/strategy/contract.ts";
import { v } from "../../src/strategy/public.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { Life } from "./support/crash.ts";
import { startedSession, statuses, trader } from "./support/live-session.ts";
import { candle, deliveryAfter, MemoryMarket, randomRows, START } from "./support/market.ts";
import { bindingOf, hostOf, journalContents, journalIn, runnerOf } from "./support/runner.ts";
import { Venue } from "./support/venue.ts";

/** Decides by a script: what to do on each minute. */
function scripted(script: ReadonlyMap<number, readonly { side: "buy" | "sell"; quantity: string }[]>): Strategy {
  return defineStrategy({
    name: "scripted",
    version: "1",
    params: v.object({}),
    warmup: () => 0,
    init: () => ({}),
    onCandle: ({ candle: { openTime } }) => script.get((openTime - START) / MINUTE_MS) ?? [],
  });
}

/** What a paper runner made of a script over rows, order by order: minute, side, status, refusal. */
async function paper(
  folder: string,
  rows: readonly StoredCandle[],
  strategy: Strategy,
  limits: Partial<RiskLimits>,
  lives: readonly number[] = [],
): Promise<readonly string[]> {
  let from = 0;
  for (const end of [...lives, rows.length]) {
    const host = hostOf(strategy);
    const core = runnerOf(
      { journal: journalIn(folder, bindingOf(host)), maker: host, market: new MemoryMarket(rows) },
      { limits: { ...NO_LIMITS, ...limits } },
    );
    for (const { event, cursor } of deliveryAfter(rows.slice(0, end), await core.start(from)))
      await core.handle(event, cursor);
    from = end;
    await core.close();
  }
  return intentsIn(folder).map(
    ({ openTime, side, status, refusal: why }) => `${(openTime - START) / MINUTE_MS} ${side} ${why ?? status}`,
  );
}

function intentsIn(folder: string): readonly IntentRow[] {
  const database = platform.openSqlite(journalPath(folder, "tester"), { readOnly: true });
  try {
    return database.prepare("SELECT * FROM intent ORDER BY rowid").all().map(intentFrom);
  } finally {
    database.close();
  }
}

const buy = (quantity: string) => ({ side: "buy" as const, quantity });
const sell = (quantity: string) => ({ side: "sell" as const, quantity });
const flat = (minutes: number, price: (minute: number) => number) =>
  Array.from({ length: minutes }, (_, minute) => {
    const close = price(minute);
    return candle("BTCUSDT", minute, { open: close, high: close, low: close, close });
  });

describe("A runner with limits", () => {
  test("journals each refusal with the limit and its reason, counts it, and decides on", async () => {
    using folder = tempFolder();
    const script = new Map([
      [1, [buy("1"), buy("1"), buy("1.5")]],
      [3, [sell("5")]],
      [5, [buy("20")]],
    ]);
    const host = hostOf(scripted(script));
    const rows = flat(8, () => 100);
    const core = runnerOf(
      { journal: journalIn(folder.path, bindingOf(host)), maker: host, market: new MemoryMarket(rows) },
      { limits: { ...NO_LIMITS, maxPosition: "3", maxNotional: "500" } },
    );
    for (const { event, cursor } of deliveryAfter(rows, await core.start(0))) await core.handle(event, cursor);
    expect(intentsIn(folder.path).map(({ status, refusal: why, reason }) => [status, why, reason])).toEqual([
      ["filled", null, null],
      ["filled", null, null],
      ["rejected", "position", "refused: it could take BTCUSDT to 3.5 long; at most 3"],
      ["filled", null, null],
      ["rejected", "notional", "refused: the order is worth 2000 at the last close; at most 500"],
    ]);
    const counters = core.counters();
    expect([
      counters["orders.refused.position.total"],
      counters["orders.refused.notional.total"],
      counters["orders.refused.rate.total"],
      counters["orders.refused.total"],
    ]).toEqual([1, 1, 0, 2]);
    expect(core.positions()[0]?.quantity).toBe("-3");
    await core.close();
  });

  test("counts orders per minute of exchange time, over all symbols, and forgets them after it", async () => {
    using folder = tempFolder();
    const script = new Map([
      [1, [buy("1"), buy("1"), buy("1")]],
      [2, [buy("1")]],
    ]);
    const seen = await paper(
      folder.path,
      flat(4, () => 100),
      scripted(script),
      { maxOrdersPerMinute: 2 },
    );
    expect(seen).toEqual(["1 buy filled", "1 buy filled", "1 buy rate", "2 buy filled"]);

    using other = tempFolder();
    const both = ["BTCUSDT", "ETHUSDT"].map((symbol, at) => ({
      ...candle(symbol, 1),
      commitSeq: at + 1,
      prevOpenTime: null,
    }));
    expect(await paper(other.path, both, scripted(script), { maxOrdersPerMinute: 4 })).toEqual([
      "1 buy open",
      "1 buy open",
      "1 buy open",
      "1 buy open",
      "1 buy rate",
      "1 buy rate",
    ]);
  });

  const DAY = 1440;
  /** Buys one at 100 on the day's first minutes; the price falls to 80 and comes back. */
  const falling = flat(2 * DAY + 30, (minute) => (minute < 10 ? 100 : minute < 30 ? 80 : 100));
  const lossScript = new Map([
    [1, [buy("1")]],
    [12, [buy("1"), sell("0.5"), sell("0.6")]],
    [40, [buy("1")]],
    [DAY - 1, [buy("1")]],
    [DAY + 1, [buy("1")]],
  ]);
  const afterLoss = [
    "1 buy filled",
    "12 buy daily-loss",
    "12 sell filled",
    "12 sell daily-loss",
    "40 buy daily-loss",
    "1439 buy daily-loss",
    "1441 buy filled",
  ];

  test("stops opening once the day's loss is reached, though it is made good, until the next UTC day", async () => {
    using folder = tempFolder();
    expect(await paper(folder.path, falling, scripted(lossScript), { maxDailyLoss: "15" })).toEqual(afterLoss);
  }, 30_000);

  test("keeps that over restarts: before the fall, at its bottom, and after it", async () => {
    using folder = tempFolder();
    const lives = [5, 12, 20, 35, DAY + 1];
    expect(await paper(folder.path, falling, scripted(lossScript), { maxDailyLoss: "15" }, lives)).toEqual(afterLoss);
  }, 30_000);

  test("passes everything where the loss stays below its limit", async () => {
    using folder = tempFolder();
    const seen = await paper(folder.path, falling.slice(0, 50), scripted(lossScript), { maxDailyLoss: "25" });
    expect(seen.filter((line) => line.includes("daily-loss"))).toEqual([]);
  });

  test("does not trade at a price far from the last half hour's, nor at one that is stale, nor without one to compare", async () => {
    using folder = tempFolder();
    const rows = flat(120, (minute) => (minute === 50 ? 130 : 100)).map((row) =>
      row.openTime >= START + 60 * MINUTE_MS && row.openTime < START + 100 * MINUTE_MS ? { ...row, trades: 0 } : row,
    );
    const script = new Map([0, 10, 50, 51, 70, 95, 101].map((minute) => [minute, [buy("1")]]));
    const expected = [
      "0 buy collar",
      "10 buy filled",
      "50 buy collar",
      "51 buy filled",
      "70 buy filled",
      "95 buy collar",
      "101 buy filled",
    ];
    expect(await paper(folder.path, rows, scripted(script), { priceCollarPercent: 10 })).toEqual(expected);
    using again = tempFolder();
    const lives = [10, 50, 51, 60, 96];
    expect(await paper(again.path, rows, scripted(script), { priceCollarPercent: 10 }, lives)).toEqual(expected);
  });

  test("of a live venue holds orders whose outcome is open against the position", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["lost", "ok"];
    venue.lookupFails = true;
    const { core, upTo } = await startedSession({
      folder: folder.path,
      broker: venue,
      strategy: trader([1, 2]),
      options: { limits: { ...NO_LIMITS, maxPosition: "1.5" } },
    });
    await upTo(3);
    expect(statuses(folder.path)).toEqual(["rejected", "unknown"]);
    expect(venue.submits).toBe(1);
    await core.close();
  });
});

test("Invariant 5 (decide once, intent before order): with every limit on, a runner killed at any step ends with the orders, refusals, fills and days of an undisturbed one", async () => {
  const limits: RiskLimits = {
    maxPosition: new Map([
      ["BTCUSDT", "2"],
      ["ETHUSDT", "1"],
    ]),
    maxNotional: "150",
    maxOrdersPerMinute: 2,
    maxDailyLoss: "3",
    priceCollarPercent: 3,
  };
  const eager = { ...(BUILTIN_STRATEGIES.get("sma-cross") as Strategy) };
  const refusals = new Set<string>();
  const live = async (folder: string, market: MemoryMarket, steps: number) => {
    const life = new Life(steps);
    const host = hostOf(
      { ...eager, onCandle: (context) => flipFlop(context.candle.openTime, context.position.quantity) },
      "fast=1,slow=2",
    );
    try {
      const journal = journalIn(folder, bindingOf(host), life.openSqlite(platform.openSqlite));
      const core = runnerOf({ journal, maker: host, market, broker: life.broker(new PaperBroker()) }, { limits });
      for (const { event, cursor } of deliveryAfter(market.rows, await core.start(20)))
        await core.handle(event, cursor);
      await core.close();
    } catch (error) {
      if (!life.dead) throw error;
    } finally {
      life.end();
    }
  };
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }),
      async (seed, lives) => {
        const market = new MemoryMarket(randomRows(seed, ["BTCUSDT", "ETHUSDT"], 60));
        using calm = tempFolder();
        using rough = tempFolder();
        await live(calm.path, market, Number.POSITIVE_INFINITY);
        for (const steps of [...lives, Number.POSITIVE_INFINITY]) await live(rough.path, market, steps);
        const contents = (folder: string) => journalContents(journalPath(folder, "tester"));
        expect(contents(rough.path)).toEqual(contents(calm.path));
        for (const { refusal: why } of intentsIn(calm.path)) if (why !== null) refusals.add(why);
      },
    ),
    { numRuns: 12 },
  );
  // The markets make the limits bite, so that equal journals mean something.
  expect(refusals.size).toBeGreaterThanOrEqual(3);
}, 120_000);

/** Several orders now and then, by the minute alone. */
function flipFlop(openTime: number, held: string): readonly { side: "buy" | "sell"; quantity: string }[] {
  const minute = openTime / MINUTE_MS;
  if (minute % 3 === 0) return [buy("1"), buy("1"), buy("0.5")];
  return minute % 7 === 0 && Number(held) > 0 ? [sell(held)] : [];
}
