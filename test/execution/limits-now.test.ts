import { afterEach, describe, expect, test } from "bun:test";
import { FabricError } from "../../src/core/errors.ts";
import { TradingHalt } from "../../src/execution/order-news.ts";
import type { RiskLimits } from "../../src/execution/risk-limits.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { anOrder, closeVenueBenches, openVenueBench } from "./support/binance-bench.ts";
import { liveSession, minuteAt, startedSession, statuses, trader } from "./support/live-session.ts";
import { candle } from "./support/market.ts";
import { Venue } from "./support/venue.ts";

afterEach(closeVenueBenches);

const NONE = {
  maxPosition: null,
  maxNotional: null,
  maxOrdersPerMinute: null,
  maxDailyLoss: null,
  priceCollarPercent: null,
} satisfies RiskLimits;

describe("An order that waited", () => {
  const tighter: readonly (readonly [string, Partial<RiskLimits>])[] = [
    ["position", { maxPosition: "4" }],
    ["notional", { maxNotional: "499" }],
  ];
  for (const [what, limits] of tighter) {
    test(`is refused at its sending by a ${what} limit that a restart made tighter, and journaled so`, async () => {
      using folder = tempFolder();
      const venue = new Venue();
      venue.mishaps = ["busy"];
      const parts = {
        folder: folder.path,
        broker: venue,
        strategy: trader([1], 1, "buy", "5"),
        exchange: { nowMs: null },
      };
      const before = await startedSession(parts);
      await before.upTo(1);
      await before.core.close();
      const { core, time } = await startedSession({ ...parts, options: { limits: { ...NONE, ...limits } } });
      await time.by(5000);
      expect([statuses(folder.path), venue.orders.length]).toEqual([["rejected"], 0]);
      expect(core.counters()[`orders.refused.${what}.total`]).toBe(1);
      await core.close();
    });
  }

  test("is refused where the day's loss was reached meanwhile; one that reduces a position goes out", async () => {
    const rows = Array.from({ length: 6 }, (_, minute) =>
      candle("BTCUSDT", minute, minute < 3 ? {} : { close: 80, low: 80 }),
    );
    for (const side of ["buy", "sell"] as const) {
      using folder = tempFolder();
      const venue = new Venue();
      const parts = { folder: folder.path, broker: venue, rows, exchange: { nowMs: null } };
      const limits = { ...NONE, maxDailyLoss: "50" };
      const first = await startedSession({ ...parts, strategy: trader([1], 1, "buy", "5"), options: { limits } });
      await first.upTo(1);
      await first.core.close();
      // The second order is decided at 100; then the price falls, while the venue wants to hear nothing.
      venue.mishaps = ["busy"];
      const submit = venue.submit.bind(venue);
      venue.submit = async (order) => {
        const outcome = await submit(order);
        return outcome.type === "busy" ? { ...outcome, retryAfterMs: 70_000 } : outcome;
      };
      const { core, upTo, time } = await startedSession({
        ...parts,
        strategy: trader([2], 1, side, "5"),
        options: { limits },
      });
      await upTo(3);
      await time.by(15_000);
      expect([side, statuses(folder.path)[0]]).toEqual([side, side === "buy" ? "rejected" : "filled"]);
      await core.close();
    }
  });
});

test("A halt stops an order that waits inside the broker: it is asked beside the signing, and nothing reaches the venue", async () => {
  const bench = openVenueBench({ follow: false });
  let asked = 0;
  const outcome = await bench.broker.submit(anOrder(), () => {
    asked++;
    return "halted: a person says so";
  });
  expect(outcome).toEqual({ type: "busy", reason: "halted: a person says so", retryAfterMs: 0 });
  expect([asked, bench.orders(), bench.sent.filter(({ method }) => method === "POST")]).toEqual([1, 0, []]);
});

test("An order that the broker withheld for a halt ends as halted, never sent", async () => {
  using folder = tempFolder();
  const venue = new Venue();
  let halted: string | null = null;
  venue.submit = (_order: unknown, withheld?: () => string | null) => {
    halted = "halted: now";
    return Promise.resolve({ type: "busy", reason: withheld?.() ?? "not asked", retryAfterMs: 0 });
  };
  const parts = { folder: folder.path, broker: venue, strategy: trader([1]), halted: () => halted };
  const { core, upTo } = await startedSession(parts);
  await upTo(1);
  const [order] = core.orders();
  expect([order?.status, venue.orders.length, core.counters()["orders.refused.halted.total"]]).toEqual([
    "rejected",
    0,
    1,
  ]);
  await core.close();
});

describe("An adjustment in the venue's favour", () => {
  async function moved(
    folder: string,
  ): Promise<{ readonly venue: Venue; readonly exchange: { nowMs: number | null } }> {
    const venue = new Venue();
    venue.accountSays = "known";
    const exchange = { nowMs: null };
    const parts = { folder, broker: venue, strategy: trader([]), exchange, symbols: ["BTCUSDT"] };
    const { core } = await startedSession(parts);
    await core.close();
    venue.moved.set("BTCUSDT", 2);
    return { venue, exchange };
  }

  test("is valued at the store's newest close where no candle was decided yet, so that it brings no profit", async () => {
    using folder = tempFolder();
    const { venue, exchange } = await moved(folder.path);
    const parts = { folder: folder.path, broker: venue, strategy: trader([]), exchange, symbols: ["BTCUSDT"] };
    const { core, time, upTo } = liveSession({ ...parts, options: { acceptBroker: true } });
    await time.until(core.start(0, minuteAt(2)));
    await upTo(3);
    expect(core.positions()).toMatchObject([{ quantity: "2", averagePrice: "100", unrealisedPnl: "0" }]);
    await core.close();
  });

  test("is refused where the store has no close of the symbol", async () => {
    using folder = tempFolder();
    const { venue, exchange } = await moved(folder.path);
    const parts = {
      folder: folder.path,
      broker: venue,
      strategy: trader([]),
      exchange,
      symbols: ["BTCUSDT"],
      rows: [],
    };
    const { core, time } = liveSession({ ...parts, options: { acceptBroker: true } });
    const error = await time.until(core.start(0, minuteAt(2))).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TradingHalt);
    expect(String(error)).toContain("the store has no close of it");
    await core.close();
  });
});

test("A daily loss over symbols that are paid in several assets is refused: their losses add up to nothing", async () => {
  using folder = tempFolder();
  const venue = new Venue();
  venue.accountSays = "known";
  const symbols = ["SOLUSDT", "ETHUSDC"];
  const options = { limits: { ...NONE, maxDailyLoss: "500" } };
  const { core, time } = liveSession({ folder: folder.path, broker: venue, strategy: trader([]), symbols, options });
  const error = await time.until(core.start(0, minuteAt(0))).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FabricError);
  expect(error).toMatchObject({ code: "config", message: expect.stringContaining("USDC and USDT") });
  await core.close();
});
