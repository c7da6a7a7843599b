import { describe, expect, test } from "bun:test";
import type { BrokerFill, BrokerOrder } from "../../src/execution/broker.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { Life } from "./support/crash.ts";
import { liveSession, minuteAt, startedSession, statuses, trader } from "./support/live-session.ts";
import { Venue } from "./support/venue.ts";
import { flushed } from "./support/virtual-time.ts";

const once = trader([1]);

function fillOf(order: BrokerOrder, fillId: string, more: Partial<BrokerFill> = {}): BrokerFill {
  return { fillId, clientOrderId: order.clientOrderId, price: "100", quantity: order.quantity, fee: "0", ...more };
}

describe("An order that a busy venue turned away", () => {
  test("waits as pending and goes out after the time the venue asked for, once", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["busy", "busy"];
    const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy: once });
    await upTo(1);
    expect([statuses(folder.path), venue.submits]).toEqual([["pending"], 1]);
    await time.by(2900);
    expect(venue.submits).toBe(1);
    await time.by(200);
    expect([statuses(folder.path), venue.submits]).toEqual([["pending"], 2]);
    await time.by(3100);
    expect([statuses(folder.path), venue.submits, venue.orders.length]).toEqual([["filled"], 3, 1]);
    expect([core.counters()["orders.busy.total"], venue.lookups]).toEqual([2, 0]);
    await core.close();
  });

  test("expires once its decision is too old, though the venue wants to hear nothing for an hour", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.submit = () => {
      venue.submits++;
      return Promise.resolve({ type: "busy", reason: "banned", retryAfterMs: 3_600_000 });
    };
    const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy: once });
    await upTo(1);
    await time.by(119_000);
    expect(statuses(folder.path)).toEqual(["pending"]);
    await time.by(3000);
    expect([statuses(folder.path), venue.submits]).toEqual([["expired"], 1]);
    expect(core.counters()["orders.expired.total"]).toBe(1);
    await core.close();
  });

  test("holds up the orders of other symbols and of later minutes, and they go out in their order", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["busy"];
    const strategy = trader([1], 3);
    const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy });
    await upTo(1);
    expect([statuses(folder.path), venue.submits]).toEqual([["pending", "pending", "pending"], 1]);
    expect(core.counters()["orders.unsent"]).toBe(3);
    await time.by(3100);
    expect(statuses(folder.path)).toEqual(["filled", "filled", "filled"]);
    const sent = venue.orders.map(({ clientOrderId }) => clientOrderId);
    expect(sent).toEqual(
      core
        .orders()
        .map(({ clientOrderId }) => clientOrderId)
        .reverse(),
    );
    await core.close();
  });

  test("counts as taken where a push says so after all, and is not sent again", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    let turnedAway: BrokerOrder | null = null;
    venue.submit = (order) => {
      venue.submits++;
      turnedAway = order;
      return Promise.resolve({ type: "busy", reason: "limit", retryAfterMs: 1000 });
    };
    const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy: once });
    await upTo(1);
    const order = turnedAway as BrokerOrder | null;
    if (!order) throw new Error("nothing was sent");
    venue.push({ clientOrderId: order.clientOrderId, status: "filled", reason: null, fills: [fillOf(order, "x1")] });
    await time.by(10_000);
    expect([statuses(folder.path), venue.submits, core.positions()[0]?.quantity]).toEqual([["filled"], 1, "1"]);
    await core.close();
  });
});

describe("What a venue pushes", () => {
  for (const pushing of ["first", "twice", "reversed"] as const) {
    test(`${pushing === "first" ? "before the answer" : pushing} counts once, in whole and in parts`, async () => {
      using folder = tempFolder();
      const venue = new Venue();
      venue.pushing = pushing;
      venue.mishaps = ["ok", "parts", "ack-lost"];
      const strategy = trader([1, 2, 3]);
      const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy });
      await upTo(4);
      await time.by(2000);
      expect(statuses(folder.path)).toEqual(["filled", "filled", "filled"]);
      expect(core.positions()[0]?.quantity).toBe("3");
      expect(core.counters()["fills.repeated.total"]).toBeGreaterThan(0);
      await core.close();
    });
  }

  test("of an order that the journal does not know is counted and told, and changes nothing", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    const warned: string[] = [];
    const log = { debug() {}, info() {}, error() {}, warn: (message: string) => void warned.push(message) };
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy: once, log });
    await upTo(2);
    const stranger = { clientOrderId: "somebody", symbol: "BTCUSDT", side: "buy", quantity: "7" } as const;
    venue.push({ clientOrderId: "somebody", status: "filled", reason: null, fills: [fillOf(stranger, "s1")] });
    for (let more = 0; more < 99; more++)
      venue.push({ clientOrderId: `somebody${more}`, status: "open", reason: null, fills: [] });
    expect([core.counters()["reports.unknown.total"], core.positions()[0]?.quantity]).toEqual([100, "1"]);
    expect(warned).toEqual([expect.stringContaining("order somebody, which is not this runner's")]);
    expect(core.status().state).toBe("running");
    await core.close();
  });

  test("Invariant 5 (decide once, intent before order): an end pushed without the fills before it is looked up, not believed", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    // The answer is lost, 0.6 of 1 is filled, the report of that is lost, too, and then comes: expired.
    venue.submit = (order) => {
      venue.submits++;
      venue.fill(venue.take({ ...order, quantity: "0.6" }, 1));
      return Promise.resolve({ type: "unknown", reason: "answer lost" });
    };
    venue.lookup = () => {
      venue.lookups++;
      const fills = [...(venue.orders[0]?.fills ?? [])];
      return Promise.resolve({ type: "found", status: "rejected", reason: "EXPIRED", fills });
    };
    const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy: once });
    await upTo(1);
    const clientOrderId = venue.orders[0]?.clientOrderId ?? "";
    venue.push({ clientOrderId, status: "rejected", reason: "EXPIRED", fills: [], filled: "0.6" });
    expect(statuses(folder.path)).toEqual(["open"]);
    await time.by(1000);
    expect([statuses(folder.path), venue.lookups, core.positions()[0]?.quantity]).toEqual([["rejected"], 1, "0.6"]);
    await core.close();
  });

  test("of an order given up as lost brings it back, late, and its fill counts", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["lost"];
    const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy: once });
    await upTo(1);
    await time.by(120_000);
    expect(statuses(folder.path)).toEqual(["lost"]);
    const [lost] = core.orders();
    if (!lost) throw new Error("no order");
    venue.push({ clientOrderId: lost.clientOrderId, status: "filled", reason: null, fills: [fillOf(lost, "x1")] });
    expect([statuses(folder.path), core.positions()[0]?.quantity]).toEqual([["filled"], "1"]);
    expect(core.counters()["orders.late.total"]).toBe(1);
    await core.close();
  });

  test("and cannot be halts the runner at once, without a candle, and stays out of the positions", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    const strategy = trader([1, 3]);
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy });
    await upTo(2);
    const [order] = core.orders();
    if (!order) throw new Error("no order");
    const faulted = core.faulted.catch((error: unknown) => String(error));
    venue.push({
      clientOrderId: order.clientOrderId,
      status: "open",
      reason: null,
      fills: [fillOf(order, "x1", { quantity: "5" })],
    });
    expect(await faulted).toContain("fills of 6 in all, more than the 1 that were ordered");
    expect(core.status()).toMatchObject({ state: "halted", reason: expect.stringContaining("nothing more is sent") });
    expect(core.positions()[0]?.quantity).toBe("1");
    await expect(upTo(4)).rejects.toThrow("more than the 1 that were ordered");
    expect(venue.submits).toBe(1);
    await core.close();
  });

  test("changes nothing once the runner is closed", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["lost"];
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy: once });
    await upTo(1);
    const [order] = core.orders();
    if (!order) throw new Error("no order");
    // A venue that goes on telling.
    venue.close = () => Promise.resolve();
    await core.close();
    venue.push({ clientOrderId: order.clientOrderId, status: "filled", reason: null, fills: [fillOf(order, "x1")] });
    expect(statuses(folder.path)).toEqual(["unknown"]);
  });
});

describe("An order whose outcome is open", () => {
  test("is looked up by itself, without a candle, ever less often, and lost once the window has passed", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["lost"];
    const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy: once });
    await upTo(1);
    const looked: number[] = [];
    const { lookup } = venue;
    venue.lookup = (order) => {
      looked.push((time.nowMs - minuteAt(2)) / 1000);
      return lookup.call(venue, order);
    };
    await time.by(63_000);
    expect(looked).toEqual([0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75, 61.75]);
    expect(statuses(folder.path)).toEqual(["lost"]);
    expect(time.waiting).toBe(0);
    await core.close();
  });

  test("is not lost by an answer that was asked for before the window had passed, though it came after", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["in-transit"];
    const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy: once });
    await upTo(1);
    const { lookup } = venue;
    const held = Promise.withResolvers<void>();
    venue.lookup = async () => {
      venue.lookup = lookup;
      // Asked when nothing was there, answered when the window is over.
      await held.promise;
      return { type: "not-found" };
    };
    await time.by(70_000);
    expect(statuses(folder.path)).toEqual(["unknown"]);
    held.resolve();
    await flushed();
    expect(statuses(folder.path)).toEqual(["unknown"]);
    await time.by(60_000);
    expect([statuses(folder.path), venue.orders.length]).toEqual([["filled"], 1]);
    await core.close();
  });

  test("of before a crash is asked for before anything new goes out, and a waiting one goes out once the clock is known", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["busy", "busy"];
    const exchange = { nowMs: null as number | null };
    const first = await startedSession({ folder: folder.path, broker: venue, strategy: once, exchange });
    await first.upTo(1);
    await first.core.close();
    expect(statuses(folder.path)).toEqual(["pending"]);
    exchange.nowMs = null;
    venue.mishaps = [];
    const second = liveSession({ folder: folder.path, broker: venue, strategy: once, exchange });
    await second.time.to(minuteAt(2) + 5000);
    await second.time.until(second.core.start(0));
    await second.time.by(5000);
    expect([statuses(folder.path), venue.lookups, venue.orders.length]).toEqual([["pending"], 1, 0]);
    exchange.nowMs = minuteAt(2);
    await second.time.by(200);
    expect([statuses(folder.path), venue.orders.length]).toEqual([["filled"], 1]);
    await second.core.close();
  });

  test("and that cannot even be asked for at first counts its window from when the clock is known", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["busy"];
    const exchange = { nowMs: null as number | null };
    const first = await startedSession({ folder: folder.path, broker: venue, strategy: once, exchange });
    await first.upTo(1);
    await first.core.close();
    exchange.nowMs = null;
    venue.lookupFails = true;
    const second = liveSession({ folder: folder.path, broker: venue, strategy: once, exchange });
    await second.time.to(minuteAt(2) + 5000);
    await second.time.until(second.core.start(0));
    expect(statuses(folder.path)).toEqual(["unknown"]);
    venue.lookupFails = false;
    exchange.nowMs = minuteAt(2);
    await second.time.by(55_000);
    expect(statuses(folder.path)).toEqual(["unknown"]);
    await second.time.by(70_000);
    expect([statuses(folder.path), venue.orders.length]).toEqual([["lost"], 0]);
    await second.core.close();
  });
});

test("Invariant 8 (everything is bounded): whatever a venue does, at most one timer a symbol waits, and none once all is settled or closed", async () => {
  using folder = tempFolder();
  const venue = new Venue();
  venue.mishaps = ["lost", "busy", "parts", "in-transit", "ack-lost", "reject"];
  const strategy = trader([1, 2, 3], 2);
  const { core, upTo, time } = await startedSession({ folder: folder.path, broker: venue, strategy });
  for (let minute = 1; minute < 5; minute++) {
    await upTo(minute);
    expect(time.waiting).toBeLessThanOrEqual(1);
  }
  await time.by(600_000);
  expect(time.waiting).toBe(0);
  expect(statuses(folder.path).filter((status) => status === "unknown" || status === "pending")).toEqual([]);
  await core.close();
  venue.mishaps = ["lost"];
  using other = tempFolder();
  const closing = await startedSession({ folder: other.path, broker: venue, strategy: once, life: new Life(1e9) });
  await closing.upTo(1);
  expect(closing.time.waiting).toBe(1);
  await closing.core.close();
  expect(closing.time.waiting).toBe(0);
});
