import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { OrderIdentity } from "../../src/execution/client-order-id.ts";
import { clientOrderId } from "../../src/execution/client-order-id.ts";
import { type RecoveryFacts, recoveryStep } from "../../src/execution/order-recovery.ts";
import { PaperBroker } from "../../src/execution/paper-broker.ts";
import { candle } from "./support/market.ts";

const IDENTITY: OrderIdentity = {
  storeId: "s",
  mode: "paper",
  runner: "r",
  symbol: "BTCUSDT",
  timeframe: "1m",
  openTime: 1_735_689_600_000,
  ordinal: 0,
};

describe("A client order id", () => {
  test("is the same for the same decision in every run and every release", () => {
    expect(clientOrderId(IDENTITY)).toBe("f83b372bc6bafdc974a34db0467b8d46");
  });

  test("has at most 32 letters and digits, a letter first, and differs in every part of the identity", () => {
    const others: readonly Partial<OrderIdentity>[] = [
      { storeId: "t" },
      { mode: "live" },
      { runner: "q" },
      { symbol: "BTCUSDC" },
      { timeframe: "5m" },
      { openTime: IDENTITY.openTime + 60_000 },
      { ordinal: 1 },
      { runner: 'r","BTCUSDT' },
    ];
    const ids = [{}, ...others].map((other) => clientOrderId({ ...IDENTITY, ...other }));
    for (const id of ids) expect(id).toMatch(/^[a-z][a-z0-9]{0,31}$/);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("The recovery of an order that is not final", () => {
  const venue: RecoveryFacts = {
    status: "pending",
    lookup: "not-found",
    simulated: false,
    age: "young",
    windowPassed: false,
  };
  const rows: readonly (readonly [string, Partial<RecoveryFacts>, string])[] = [
    ["pending and found is adopted", { lookup: "found" }, "adopt"],
    ["unknown and found is adopted", { status: "unknown", lookup: "found" }, "adopt"],
    ["open and found is adopted", { status: "open", lookup: "found" }, "adopt"],
    ["pending, not found, at a simulation is sent", { simulated: true }, "send"],
    ["pending, not found, still young is sent", {}, "send"],
    ["pending, not found, too old expires", { age: "old" }, "expire"],
    ["pending, not found, while the venue's clock is not known waits", { age: "untold" }, "wait"],
    ["pending and unclear becomes unknown", { lookup: "unknown" }, "doubt"],
    ["unknown, not found, at a simulation is sent", { status: "unknown", simulated: true }, "send"],
    ["unknown, not found, within the validity window waits", { status: "unknown" }, "wait"],
    ["unknown, not found, past the validity window is lost", { status: "unknown", windowPassed: true }, "lose"],
    ["unknown and unclear waits", { status: "unknown", lookup: "unknown", windowPassed: true }, "wait"],
    ["open and not found waits", { status: "open", windowPassed: true }, "wait"],
    ["open and unclear waits", { status: "open", lookup: "unknown", windowPassed: true }, "wait"],
  ];
  for (const [title, facts, step] of rows) {
    test(title, () => expect(recoveryStep({ ...venue, ...facts })).toBe(step as never));
  }

  test("never sends an order to a venue that may have seen it before", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("unknown" as const, "open" as const),
        fc.constantFrom("found" as const, "not-found" as const, "unknown" as const),
        fc.constantFrom("young" as const, "old" as const, "untold" as const),
        fc.boolean(),
        (status, lookup, age, windowPassed) =>
          recoveryStep({ status, lookup, simulated: false, age, windowPassed }) !== "send",
      ),
    );
  });
});

describe("The paper broker", () => {
  const order = { clientOrderId: "f1", symbol: "BTCUSDT", side: "buy", quantity: "0.5" } as const;

  test("fills at the open, one basis point against us, and takes ten of the notional", () => {
    const [bought, sold] = new PaperBroker().fillsAt(candle("BTCUSDT", 1, { open: 100 }), [
      order,
      { ...order, side: "sell" },
    ]);
    expect(bought).toEqual({ fillId: "f1-1", clientOrderId: "f1", price: "100.01", quantity: "0.5", fee: "0.050005" });
    expect(sold?.price).toBe("99.99");
  });

  test("does not fill at a candle without trades", () => {
    expect(new PaperBroker().fillsAt(candle("BTCUSDT", 1, { trades: 0 }), [order])).toEqual([]);
  });

  test("refuses a fee or slippage that is not from 0 to 1,000 basis points", () => {
    expect(() => new PaperBroker({ feeBps: -1 })).toThrow(
      "Bad paper feeBps: expected 0 to 1000 basis points, found -1",
    );
    expect(() => new PaperBroker({ slippageBps: Number.NaN })).toThrow("slippageBps");
  });
});
