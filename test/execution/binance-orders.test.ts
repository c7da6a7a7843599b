import { afterEach, describe, expect, test } from "bun:test";
import { platform } from "#platform";
import type { Clock } from "../../src/core/env.ts";
import type { BrokerFill, LookupOutcome, SubmitOutcome } from "../../src/execution/broker.ts";
import { decimal } from "../../src/execution/decimal.ts";
import { eventually } from "../support/eventually.ts";
import { anOrder, closeVenueBenches, isPost, openVenueBench, type VenueBench } from "./support/binance-bench.ts";

afterEach(closeVenueBenches);

function fillsOf(outcome: SubmitOutcome | LookupOutcome): readonly BrokerFill[] {
  if (outcome.type !== "accepted" && outcome.type !== "found")
    throw new Error(`no fills in ${JSON.stringify(outcome)}`);
  return outcome.fills;
}

function sumOf(fills: readonly BrokerFill[]): string {
  return fills.reduce((sum, { quantity }) => sum.plus(quantity), decimal("0")).toFixed();
}

/** Looks an order up until the venue gives a clear answer. */
function clearLookup(bench: VenueBench, order: ReturnType<typeof anOrder>): Promise<LookupOutcome> {
  return eventually(async () => {
    const outcome = await bench.broker.lookup(order);
    return outcome.type === "unknown" ? null : outcome;
  }, 10_000);
}

describe("A market order at a venue in Binance's protocol", () => {
  test("is accepted with its fills, and is told alike by answer, look-up, stream and account", async () => {
    const bench = openVenueBench();
    await eventually(() => bench.broker.counters()["venue.stream.live"] === 1);
    const order = anOrder({ quantity: "0.05" });
    const outcome = await bench.broker.submit(order);
    const fills = fillsOf(outcome);
    expect(sumOf(fills)).toBe("0.05");
    expect(await bench.broker.lookup(order)).toEqual({ type: "found", status: "filled", reason: null, fills });
    await eventually(() => bench.reports.at(-1)?.status === "filled");
    expect(bench.reports.flatMap((report) => report.fills)).toEqual([...fills]);
    expect(bench.reports[0]).toEqual({
      clientOrderId: order.clientOrderId,
      status: "open",
      reason: null,
      fills: [],
      filled: "0.00000000",
    });
    const account = await bench.broker.account(["BTCUSDT", "ETHUSDT"], 0);
    if (account.type !== "known") throw new Error(account.reason);
    const { timeMs: _time, ...first } = account.trades[0] ?? { timeMs: 0 };
    expect({ ...first, timeMs: fills[0]?.timeMs }).toEqual({
      ...fills[0],
      symbol: "BTCUSDT",
      side: "buy",
      timeMs: fills[0]?.timeMs,
    });
    expect(account.trades.map(({ fillId }) => fillId)).toEqual(fills.map(({ fillId }) => fillId));
    expect(account.openOrders).toEqual([]);
    expect([...account.baseAssets]).toEqual([
      ["BTCUSDT", "BTC"],
      ["ETHUSDT", "ETH"],
    ]);
    const received = fills.reduce((sum, fill) => sum.plus(fill.quantity).minus(fill.baseFee ?? "0"), decimal("0"));
    expect(account.holdings.get("BTCUSDT")).toBe(received.toFixed());
    expect(account.holdings.get("ETHUSDT")).toBe("0");
  });

  test("pays its commission in the base asset on buys, with its quote value, and in the quote asset on sells", async () => {
    const { broker } = openVenueBench();
    for (const fill of fillsOf(await broker.submit(anOrder({ quantity: "0.1" })))) {
      expect(Number(fill.baseFee)).toBeCloseTo(Number(fill.quantity) * 0.001, 8);
      expect(Number(fill.fee)).toBeCloseTo(Number(fill.baseFee) * Number(fill.price), 8);
    }
    for (const fill of fillsOf(await broker.submit(anOrder({ side: "sell", quantity: "0.05" })))) {
      expect(fill.baseFee).toBeUndefined();
      expect(Number(fill.fee)).toBeCloseTo(Number(fill.quantity) * Number(fill.price) * 0.001, 6);
    }
  });

  test("pays a commission in a third asset at one price, however it is told", async () => {
    const balances = new Map([
      ["USDT", 10n ** 14n],
      ["BNB", 10n ** 12n],
    ]);
    const bench = openVenueBench({ account: { balances, feeAsset: "BNB" } });
    await eventually(() => bench.broker.counters()["venue.stream.live"] === 1);
    const order = anOrder({ quantity: "0.1" });
    const fills = fillsOf(await bench.broker.submit(order));
    for (const fill of fills) {
      expect(fill.baseFee).toBeUndefined();
      const share = Number(fill.fee) / (Number(fill.quantity) * Number(fill.price));
      expect(share).toBeGreaterThan(0.0007);
      expect(share).toBeLessThan(0.0008);
    }
    expect(fillsOf(await bench.broker.lookup(order))).toEqual(fills);
    await eventually(() => bench.reports.at(-1)?.status === "filled");
    expect(bench.reports.flatMap((report) => report.fills)).toEqual([...fills]);
    expect(bench.broker.counters()["venue.fees.unpriced.total"]).toBe(0);
  });

  test("is checked against the symbol's filters before it is sent, and refused with filter, need and found", async () => {
    const bench = openVenueBench();
    const cases: readonly (readonly [Parameters<typeof anOrder>[0], RegExp])[] = [
      [{ quantity: "0.000005" }, /^LOT_SIZE: the quantity must be at least 0.00001 BTC, found 0.000005$/],
      [{ quantity: "0.010005" }, /^LOT_SIZE: the quantity must be a multiple of 0.00001 BTC, found 0.010005$/],
      [{ quantity: "9000001" }, /^LOT_SIZE: the quantity must be at most 9000000 BTC, found 9000001$/],
      [
        { quantity: "0.00001" },
        /^NOTIONAL: the order must be worth at least 5 USDT, found 0.00001 at an average of [\d.]+, which is 0\.\d+$/,
      ],
      [{ symbol: "NOUSDT" }, /^the venue does not have NOUSDT: Invalid symbol. \(-1121\)$/],
    ];
    for (const [change, reason] of cases) {
      const outcome = await bench.broker.submit(anOrder(change));
      expect(outcome).toMatchObject({ type: "rejected", reason: expect.stringMatching(reason) });
    }
    expect(bench.sent.filter(isPost)).toEqual([]);
    expect(bench.broker.counters()["venue.orders.refused.here.total"]).toBe(cases.length);
    expect(bench.broker.precision?.("BTCUSDT")).toEqual({ priceDecimals: 2, quantityDecimals: 5 });
    expect(bench.broker.precision?.("ETHUSDT")).toBeNull();
  });

  test("that the venue refuses is rejected with the venue's words and code", async () => {
    const poor = openVenueBench({ account: { balances: new Map([["USDT", 10n ** 9n]]) } });
    expect(await poor.broker.submit(anOrder())).toEqual({
      type: "rejected",
      reason: "Account has insufficient balance for requested action. (-2010)",
    });
    const bad = openVenueBench({ faults: "reject=1" });
    expect(await bad.broker.submit(anOrder())).toEqual({
      type: "rejected",
      reason: "This action is disabled on this account. (-2010)",
    });
    const wrongKey = openVenueBench({ broker: { keys: { apiKey: "another-api-key", secret: "another-secret" } } });
    expect(await wrongKey.broker.submit(anOrder())).toEqual({
      type: "rejected",
      reason: "Invalid API-key, IP, or permissions for action. (-2015)",
    });
    expect([poor.orders(), bad.orders(), wrongKey.orders()]).toEqual([0, 0, 0]);
  });

  test("has fills whose ids are unique over all symbols, though the venue counts trades by symbol", async () => {
    const { broker } = openVenueBench();
    const fills = [
      ...fillsOf(await broker.submit(anOrder())),
      ...fillsOf(await broker.submit(anOrder({ symbol: "ETHUSDT", quantity: "0.1" }))),
    ];
    expect(new Set(fills.map(({ fillId }) => fillId)).size).toBe(fills.length);
  });

  test("that is filled in part and then expires is accepted with its part, and ends as rejected with those fills", async () => {
    const bench = openVenueBench({ faults: "expire=1" });
    const order = anOrder({ quantity: "0.1" });
    const fills = fillsOf(await bench.broker.submit(order));
    expect(Number(sumOf(fills))).toBeLessThan(0.1);
    expect(await bench.broker.lookup(order)).toEqual({
      type: "found",
      status: "rejected",
      reason: "EXPIRED (INSUFFICIENT_LIQUIDITY)",
      fills,
    });
  });

  test("that fills bit by bit stays open, and its fills come by the stream until their sum is the order", async () => {
    const bench = openVenueBench({ faults: "partial=1", exchange: { speed: 600 } });
    await eventually(() => bench.broker.counters()["venue.stream.live"] === 1);
    const order = anOrder({ quantity: "0.03" });
    const outcome = await bench.broker.submit(order);
    const first = fillsOf(outcome);
    expect(Number(sumOf(first))).toBeLessThan(0.03);
    await eventually(() => bench.reports.some(({ status }) => status === "filled"), 20_000);
    const all = new Map([...first, ...bench.reports.flatMap(({ fills }) => fills)].map((fill) => [fill.fillId, fill]));
    expect(sumOf([...all.values()])).toBe("0.03");
    expect(fillsOf(await bench.broker.lookup(order))).toHaveLength(all.size);
  });
});

describe("An order whose outcome is unknown", () => {
  test("because its answer got lost is found by look-up, with its fills", async () => {
    const bench = openVenueBench({ faults: "ack-lost=1" });
    const order = anOrder();
    expect(await bench.broker.submit(order)).toMatchObject({ type: "unknown" });
    const found = await bench.broker.lookup(order);
    expect(found).toMatchObject({ type: "found", status: "filled" });
    expect(sumOf(fillsOf(found))).toBe("0.01");
  });

  test("because nothing answered in time is found by look-up", async () => {
    const bench = openVenueBench({ faults: "timeout-after-accept=1", broker: { timeoutMs: 300 } });
    const order = anOrder();
    expect(await bench.broker.submit(order)).toMatchObject({ type: "unknown" });
    expect(await bench.broker.lookup(order)).toMatchObject({ type: "found", status: "filled" });
  });

  test("because the connection broke before the venue saw it is not found", async () => {
    const bench = openVenueBench({ faults: "lost=0.5", broker: { timeoutMs: 1000 } });
    let lost = 0;
    for (let at = 0; at < 12; at++) {
      const order = anOrder();
      const before = bench.orders();
      const outcome = await bench.broker.submit(order);
      if (outcome.type !== "unknown") continue;
      lost++;
      expect(bench.orders()).toBe(before);
      expect(await clearLookup(bench, order)).toEqual({ type: "not-found" });
    }
    expect(lost).toBeGreaterThan(0);
  });

  test("because the venue said 503, whatever its wording, is told by look-up exactly as the venue has it", async () => {
    const bench = openVenueBench({ faults: "http-503=0.6" });
    const told = { found: 0, "not-found": 0 };
    for (let at = 0; at < 40; at++) {
      const order = anOrder();
      const before = bench.orders();
      const outcome = await bench.broker.submit(order);
      if (outcome.type !== "unknown") continue;
      const isThere = bench.orders() > before;
      const found = await clearLookup(bench, order);
      expect(found.type).toBe(isThere ? "found" : "not-found");
      if (found.type !== "unknown") told[found.type]++;
    }
    expect(told.found).toBeGreaterThan(0);
    expect(told["not-found"]).toBeGreaterThan(0);
  });

  test("because its id is open there already is unknown, never rejected, and there is one order", async () => {
    const bench = openVenueBench({ faults: "partial=1" });
    const order = anOrder({ quantity: "0.5" });
    expect(await bench.broker.submit(order)).toMatchObject({ type: "accepted" });
    expect(await bench.broker.submit(order)).toMatchObject({
      type: "unknown",
      reason: expect.stringContaining("Duplicate order sent."),
    });
    expect(await bench.broker.lookup(order)).toMatchObject({ type: "found" });
    expect(bench.orders()).toBe(1);
  });

  test("whose id names another order at the venue stays unknown and says so", async () => {
    const bench = openVenueBench();
    const order = anOrder();
    await bench.broker.submit(order);
    const other = { ...order, quantity: "0.02" };
    expect(await bench.broker.lookup(other)).toMatchObject({
      type: "unknown",
      reason: expect.stringContaining("somebody else used its id"),
    });
  });

  test("because the venue's memory lags is not found or unknown at first, and found with every fill soon", async () => {
    const bench = openVenueBench({ faults: "lag=0.7" });
    const seen = new Set<string>();
    for (let at = 0; at < 6; at++) {
      const order = anOrder({ quantity: "0.05" });
      expect(await bench.broker.submit(order)).toMatchObject({ type: "accepted" });
      await eventually(async () => {
        const outcome = await bench.broker.lookup(order);
        seen.add(outcome.type);
        if (outcome.type === "unknown") expect(outcome.reason).toContain("of an order that counts");
        if (outcome.type !== "found") return false;
        expect(sumOf(outcome.fills)).toBe("0.05");
        return true;
      });
    }
    expect([...seen].sort()).toEqual(["found", "not-found", "unknown"]);
  });

  test("is never sent again by the broker itself", async () => {
    const bench = openVenueBench({ faults: "ack-lost=0.3,http-503=0.3,lost=0.2", broker: { timeoutMs: 1000 } });
    for (let at = 0; at < 30; at++) await bench.broker.submit(anOrder());
    const ids = bench.sent.filter(isPost).map(({ body }) => /newClientOrderId=(\w+)/.exec(body ?? "")?.[1]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(10);
  });
});

describe("The venue's clock", () => {
  test("is followed, whatever this machine's wall clock says", async () => {
    const wrong: Clock = { nowMs: () => 0, monotonicMs: () => platform.clock.monotonicMs() };
    const { broker } = openVenueBench({ clock: wrong });
    expect(await broker.submit(anOrder())).toMatchObject({ type: "accepted" });
  });

  for (const [what, jumpMs] of [
    ["slept for a minute", -60_000],
    ["ran a minute ahead", 60_000],
  ] as const) {
    test(`is asked again after -1021 where our own clock ${what}: the order goes out once`, async () => {
      let offsetMs = 0;
      const clock: Clock = {
        nowMs: () => platform.clock.nowMs(),
        monotonicMs: () => 1e6 + platform.clock.monotonicMs() + offsetMs,
      };
      const bench = openVenueBench({ clock });
      expect(await bench.broker.submit(anOrder())).toMatchObject({ type: "accepted" });
      offsetMs = jumpMs;
      expect(await bench.broker.submit(anOrder())).toMatchObject({ type: "accepted" });
      expect(bench.orders()).toBe(2);
      expect(bench.broker.counters()["venue.requests.late.total"]).toBe(1);
      expect(bench.sent.filter(isPost)).toHaveLength(3);
    });
  }

  test("may differ from server to server: orders still go out, each once, and are busy at worst", async () => {
    const bench = openVenueBench({ faults: "skew-ms=20000" });
    let accepted = 0;
    for (let at = 0; at < 60; at++) {
      const outcome = await bench.broker.submit(anOrder());
      expect(["accepted", "busy"]).toContain(outcome.type);
      if (outcome.type === "accepted") accepted++;
    }
    expect(bench.orders()).toBe(accepted);
    expect(bench.broker.counters()["venue.requests.late.total"]).toBeGreaterThan(0);
  });
});
