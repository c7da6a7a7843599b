import { describe, expect, test } from "bun:test";
import type { Broker, BrokerFill, BrokerOrder, BrokerReport } from "../../src/execution/broker.ts";
import { decimal, decimalText } from "../../src/execution/decimal.ts";
import { eventually } from "../support/eventually.ts";

/** One broker with whatever it needs behind it, ready to take a small buy of `symbol`. */
export interface BrokerUnderTest {
  readonly broker: Broker;
  readonly symbol: string;
  /** A quantity that it takes. */
  readonly quantity: string;
  /** Makes what was taken fill, where it does not by itself. */
  settle?(): void | Promise<void>;
  /** The next submit's answer gets lost, though the order is taken; absent where that cannot be. */
  loseNextAnswer?(): void;
  close(): Promise<void>;
}

let ids = 0;

/** What every implementation of the contract in broker.ts keeps to. */
export function brokerConformance(name: string, open: () => BrokerUnderTest | Promise<BrokerUnderTest>): void {
  const withBroker = async (run: (under: BrokerUnderTest) => Promise<void>) => {
    const under = await open();
    try {
      await run(under);
    } finally {
      await under.close();
    }
  };
  const anOrder = ({ symbol, quantity }: BrokerUnderTest, more: Partial<BrokerOrder> = {}): BrokerOrder => {
    const clientOrderId = `f${(++ids).toString(16).padStart(31, "c")}`;
    return { clientOrderId, symbol, side: "buy", quantity, ...more };
  };

  describe(`The broker contract, kept by ${name}`, () => {
    test("a mode, and a validity window that is no less than nothing", () =>
      withBroker(async ({ broker }) => {
        expect(["paper", "live"]).toContain(broker.mode);
        expect(broker.validityWindowMs).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(broker.validityWindowMs)).toBe(true);
        expect(broker.catchesUp).toBe(broker.mode === "paper");
      }));

    test("an order that it takes is accepted, and its fills are sound", () =>
      withBroker(async (under) => {
        const order = anOrder(under);
        const outcome = await under.broker.submit(order);
        expect(outcome.type).toBe("accepted");
        if (outcome.type === "accepted") for (const fill of outcome.fills) expectSound(fill, order);
      }));

    test("an id it never saw is not found", () =>
      withBroker(async (under) => {
        expect(await under.broker.lookup(anOrder(under))).toEqual({ type: "not-found" });
      }));

    test("an order is found by its id, with the fills that the answer told", () =>
      withBroker(async (under) => {
        // A simulation's only memory is the journal: it has nothing to find.
        if (under.broker.catchesUp) return;
        const order = anOrder(under);
        const outcome = await under.broker.submit(order);
        await under.settle?.();
        const found = await eventually(async () => {
          const looked = await under.broker.lookup(order);
          return looked.type === "found" && looked.status === "filled" ? looked : null;
        });
        expect(sumOf(found.fills)).toBe(decimalText(decimal(order.quantity)));
        const answered = outcome.type === "accepted" ? outcome.fills : [];
        for (const fill of answered) expect(found.fills).toContainEqual(fill);
      }));

    test("an answer that gets lost is unknown, and the order is found by its id all the same", () =>
      withBroker(async (under) => {
        if (!under.loseNextAnswer) return;
        under.loseNextAnswer();
        const order = anOrder(under);
        const outcome = await under.broker.submit(order).catch(() => ({ type: "unknown" }) as const);
        expect(outcome.type).toBe("unknown");
        await eventually(async () => (await under.broker.lookup(order)).type === "found");
      }));

    test("what is pushed has the fill ids of the look-up, and comes whole", () =>
      withBroker(async (under) => {
        if (under.broker.catchesUp) return;
        const reports: BrokerReport[] = [];
        under.broker.follow((report) => reports.push(report));
        const order = anOrder(under);
        await under.broker.submit(order);
        await under.settle?.();
        const looked = await eventually(async () => {
          const found = await under.broker.lookup(order);
          return found.type === "found" && found.status === "filled" ? found : null;
        });
        // A push may be lost: what matters is that it never differs.
        for (const { clientOrderId, fills } of reports) {
          expect(clientOrderId).toBe(order.clientOrderId);
          for (const fill of fills) {
            expectSound(fill, order);
            expect(looked.fills.map(({ fillId }) => fillId)).toContain(fill.fillId);
          }
        }
      }));

    test(
      "the account tells holdings and base asset of what was asked for, and every trade with its order's id and side",
      () =>
        withBroker(async (under) => {
          const { broker, symbol } = under;
          const asked = broker.account([symbol], 0);
          if (asked === null) {
            expect(broker.catchesUp).toBe(true);
            return;
          }
          const before = await asked;
          if (before.type !== "known") throw new Error(before.reason);
          const order = anOrder(under);
          await broker.submit(order);
          await under.settle?.();
          await eventually(async () => {
            const found = await broker.lookup(order);
            return found.type === "found" && found.status === "filled";
          });
          const after = await broker.account([symbol], 0);
          if (after?.type !== "known") throw new Error("the account is not known");
          expect(after.baseAssets.get(symbol)).toBeString();
          const trades = after.trades.filter(({ clientOrderId }) => clientOrderId === order.clientOrderId);
          expect(sumOf(trades)).toBe(decimalText(decimal(order.quantity)));
          for (const trade of trades) expect([trade.symbol, trade.side]).toEqual([symbol, "buy"]);
          const fees = trades.reduce((sum, { baseFee }) => sum.plus(baseFee ?? "0"), decimal("0"));
          const [was, is] = [before, after].map(({ holdings }) => decimal(holdings.get(symbol) ?? "0"));
          expect(is?.minus(was ?? "0").eq(decimal(order.quantity).minus(fees))).toBe(true);
          expect(after.openOrders).toEqual(before.openOrders);
          // Some fifteen requests, half of which a slow venue answers after a second.
        }),
      20_000,
    );

    test("closing is quick, may be done twice, and nothing is pushed after it", () =>
      withBroker(async (under) => {
        const reports: BrokerReport[] = [];
        under.broker.follow((report) => reports.push(report));
        await under.broker.submit(anOrder(under));
        const beganMs = performance.now();
        await under.broker.close();
        await under.broker.close();
        expect(performance.now() - beganMs).toBeLessThan(2000);
        const told = reports.length;
        await under.settle?.();
        expect(reports.length).toBe(told);
      }));
  });
}

function expectSound(fill: BrokerFill, order: BrokerOrder): void {
  expect(fill.fillId.length).toBeGreaterThan(0);
  expect(fill.clientOrderId).toBe(order.clientOrderId);
  expect(decimal(fill.quantity).gt("0") && decimal(fill.quantity).lte(order.quantity)).toBe(true);
  expect(decimal(fill.price).gt("0")).toBe(true);
  expect(decimal(fill.fee).gte("0")).toBe(true);
  if (fill.baseFee !== undefined) expect(decimal(fill.baseFee).gt("0")).toBe(true);
}

function sumOf(fills: readonly BrokerFill[]): string {
  return decimalText(fills.reduce((sum, { quantity }) => sum.plus(quantity), decimal("0")));
}
