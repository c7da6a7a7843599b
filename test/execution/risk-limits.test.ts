import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decimal } from "../../src/execution/decimal.ts";
import { NO_LIMITS, type RiskFacts, type RiskLimits, refusalOf, type Wish } from "../../src/execution/risk-limits.ts";

const CALM: RiskFacts = {
  held: decimal("0"),
  underway: { buy: decimal("0"), sell: decimal("0") },
  lastClose: 100,
  reference: { median: 100, traded: true },
  ordersInWindow: 0,
  lossReached: false,
};
const BUY: Wish = { symbol: "BTCUSDT", side: "buy", quantity: "2" };
const SELL: Wish = { ...BUY, side: "sell" };

const refusal = (limits: Partial<RiskLimits>, wish: Wish, facts: Partial<RiskFacts> = {}) =>
  refusalOf({ ...NO_LIMITS, ...limits }, wish, { ...CALM, ...facts })?.refusal ?? null;

describe("A limit", () => {
  const d = decimal;
  const rows: readonly (readonly [string, Partial<RiskLimits>, Wish, Partial<RiskFacts>, string | null])[] = [
    ["that is not set refuses nothing", {}, BUY, { held: d("1000"), lastClose: 1e9, lossReached: true }, null],
    ["on the position passes what just fits", { maxPosition: "5" }, BUY, { held: d("3") }, null],
    ["on the position refuses more", { maxPosition: "5" }, BUY, { held: d("3.1") }, "position"],
    [
      "on the position counts buys under way",
      { maxPosition: "5" },
      BUY,
      { underway: { buy: d("3.1"), sell: d("9") } },
      "position",
    ],
    [
      "on the position counts on no sell under way",
      { maxPosition: "5" },
      BUY,
      { held: d("4"), underway: { buy: d("0"), sell: d("4") } },
      "position",
    ],
    ["on the position holds short, too", { maxPosition: "5" }, SELL, { held: d("-3.1") }, "position"],
    ["on the position passes what reduces one beyond it", { maxPosition: "5" }, SELL, { held: d("50") }, null],
    ["on the position by symbol", { maxPosition: new Map([["BTCUSDT", "1"]]) }, BUY, {}, "position"],
    [
      "on the position refuses a symbol it does not name",
      { maxPosition: new Map([["ETHUSDT", "9"]]) },
      BUY,
      {},
      "position",
    ],
    ["on the notional passes what just fits", { maxNotional: "200" }, BUY, {}, null],
    ["on the notional refuses more", { maxNotional: "199.99" }, SELL, {}, "notional"],
    ["on the rate passes the last one", { maxOrdersPerMinute: 3 }, BUY, { ordersInWindow: 2 }, null],
    ["on the rate refuses the next", { maxOrdersPerMinute: 3 }, BUY, { ordersInWindow: 3 }, "rate"],
    ["on the daily loss refuses what opens", { maxDailyLoss: "10" }, BUY, { lossReached: true }, "daily-loss"],
    ["on the daily loss passes what reduces", { maxDailyLoss: "10" }, SELL, { lossReached: true, held: d("2") }, null],
    [
      "on the daily loss refuses what turns the position",
      { maxDailyLoss: "10" },
      SELL,
      { lossReached: true, held: d("1.9") },
      "daily-loss",
    ],
    [
      "on the daily loss passes a buy that reduces a short one",
      { maxDailyLoss: "10" },
      BUY,
      { lossReached: true, held: d("-2") },
      null,
    ],
    [
      "on the daily loss counts sells under way",
      { maxDailyLoss: "10" },
      SELL,
      { lossReached: true, held: d("3"), underway: { buy: d("0"), sell: d("2") } },
      "daily-loss",
    ],
    ["on the price passes at its edge", { priceCollarPercent: 5 }, BUY, { lastClose: 105 }, null],
    ["on the price refuses above", { priceCollarPercent: 5 }, BUY, { lastClose: 105.01 }, "collar"],
    ["on the price refuses below", { priceCollarPercent: 5 }, SELL, { lastClose: 94.9 }, "collar"],
    [
      "on the price refuses where nothing came before",
      { priceCollarPercent: 5 },
      BUY,
      { reference: { median: null, traded: true } },
      "collar",
    ],
    [
      "on the price refuses where it is stale",
      { priceCollarPercent: 5 },
      BUY,
      { reference: { median: 100, traded: false } },
      "collar",
    ],
  ];
  for (const [what, limits, wish, facts, expected] of rows)
    test(what, () => expect(refusal(limits, wish, facts)).toBe(expected as never));

  test("on the position holds whichever of the orders on their way fill, in whatever order and part", () => {
    const step = fc.record({
      side: fc.constantFrom("buy" as const, "sell" as const),
      quantity: fc.integer({ min: 1, max: 5 }),
      /** Which of the orders under way fills next, and whether it fills at all. */
      fills: fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 40 }), (most, steps) => {
        let held = 0;
        const underway: { side: "buy" | "sell"; quantity: number }[] = [];
        for (const { side, quantity, fills } of steps) {
          const sum = (of: "buy" | "sell") =>
            decimal(
              String(underway.filter((order) => order.side === of).reduce((all, order) => all + order.quantity, 0)),
            );
          const facts = { held: decimal(String(held)), underway: { buy: sum("buy"), sell: sum("sell") } };
          const wish = { symbol: "X", side, quantity: String(quantity) };
          if (refusal({ maxPosition: String(most) }, wish, facts) === null) underway.push({ side, quantity });
          for (const [at, whole] of fills) {
            const [order] = underway.splice(at % Math.max(1, underway.length), 1);
            if (order && whole) held += order.side === "buy" ? order.quantity : -order.quantity;
            expect(Math.abs(held)).toBeLessThanOrEqual(most);
          }
        }
      }),
    );
  });
});
