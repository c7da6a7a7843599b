import { describe, expect, test } from "bun:test";
import type { BrokerFill, BrokerOrder } from "../../src/execution/broker.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { minuteAt, rows, startedSession, statuses, trader } from "./support/live-session.ts";
import { deliveryAfter, MemoryMarket } from "./support/market.ts";
import { bindingOf, hostOf, journalIn, runnerOf } from "./support/runner.ts";
import { Venue } from "./support/venue.ts";

describe("Orders to a venue", () => {
  test("are journaled, sent once, and filled into the position that the next candle sees", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy: trader([1]) });
    await upTo(3);
    expect(statuses(folder.path)).toEqual(["filled"]);
    expect(venue.orders.length).toBe(1);
    expect(core.positions()[0]).toMatchObject({ symbol: "BTCUSDT", quantity: "1", averagePrice: "100" });
    await core.close();
  });

  test("Invariant 5 (decide once, intent before order): an answer that was lost is looked up, not sent again", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["ack-lost"];
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy: trader([1]) });
    await upTo(1);
    expect(statuses(folder.path)).toEqual(["unknown"]);
    await upTo(2);
    expect(statuses(folder.path)).toEqual(["filled"]);
    expect(venue.orders.length).toBe(1);
    expect(core.positions()[0]?.quantity).toBe("1");
    await core.close();
  });

  test("stay unknown while the venue does not know them, and are lost once its validity window has passed", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["lost"];
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy: trader([1]) });
    await upTo(2);
    expect(statuses(folder.path)).toEqual(["unknown"]);
    await upTo(3);
    expect(statuses(folder.path)).toEqual(["lost"]);
    expect(venue.orders).toEqual([]);
    expect(core.counters()["orders.lost.total"]).toBe(1);
    await core.close();
  });

  test("stay unknown for as long as the venue gives no clear answer", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["ack-lost"];
    venue.lookupFails = true;
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy: trader([1]) });
    await upTo(10);
    expect(statuses(folder.path)).toEqual(["unknown"]);
    venue.lookupFails = false;
    await upTo(11);
    expect(statuses(folder.path)).toEqual(["filled"]);
    await core.close();
  });

  test("filled in parts count each part once, however often the venue tells of it", async () => {
    using folder = tempFolder();
    const parts: BrokerFill[] = [];
    const venue = new Venue();
    venue.submit = (order) => {
      parts.push(part(order, 1));
      return Promise.resolve({ type: "accepted", fills: parts.slice() });
    };
    venue.lookup = () => Promise.resolve({ type: "found", status: "open", reason: null, fills: parts.slice() });
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy: trader([1]) });
    await upTo(4);
    expect(statuses(folder.path)).toEqual(["open"]);
    expect(core.positions()[0]?.quantity).toBe("0.5");
    const [first] = parts;
    if (first) parts.push({ ...first, fillId: "part-2" });
    await upTo(6);
    expect(statuses(folder.path)).toEqual(["filled"]);
    expect(core.positions()[0]?.quantity).toBe("1");
    await core.close();
  });

  test("that the venue refuses are rejected with its reason", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["reject"];
    const { core, upTo } = await startedSession({ folder: folder.path, broker: venue, strategy: trader([1]) });
    await upTo(2);
    expect(statuses(folder.path)).toEqual(["rejected"]);
    expect(core.counters()["orders.rejected.total"]).toBe(1);
    await core.close();
  });

  test("decided while catching up expire unsent, and so do those decided while the venue's clock is not known", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    const late = { nowMs: minuteAt(20) };
    const first = await startedSession({
      folder: folder.path,
      broker: venue,
      strategy: trader([1, 2, 18, 19]),
      exchange: late,
    });
    await first.upTo(19);
    await first.core.close();
    expect(statuses(folder.path)).toEqual(["filled", "filled", "expired", "expired"]);
    expect(venue.orders.length).toBe(2);

    using other = tempFolder();
    const host = hostOf(trader([0]));
    const journal = journalIn(other.path, bindingOf(host, { mode: "live" }));
    const core = runnerOf({ journal, maker: host, market: new MemoryMarket(rows), broker: venue });
    for (const { event, cursor } of deliveryAfter(rows.slice(0, 1), await core.start(0)))
      await core.handle(event, cursor);
    await core.close();
    expect(statuses(other.path)).toEqual(["expired"]);
    expect(venue.orders.length).toBe(2);
  });

  test("beyond the bound in flight are journaled as rejected, and a stalled venue does not stop the candles", async () => {
    using folder = tempFolder();
    const venue = new Venue();
    venue.mishaps = ["stall"];
    const options = { maxInFlightPerSymbol: 3 };
    const { core, upTo } = await startedSession({
      folder: folder.path,
      broker: venue,
      strategy: trader([1], 5),
      options,
    });
    await upTo(2);
    expect(statuses(folder.path).sort()).toEqual(["pending", "pending", "rejected", "rejected", "unknown"]);
    expect(core.counters()["orders.refused.total"]).toBe(2);
    venue.release();
    await eventually(() => venue.orders.length === 3);
    await core.close();
    expect(statuses(folder.path).filter((status) => status === "filled").length).toBe(3);
  });

  test("beyond the bound on what waits for the broker are journaled as rejected", async () => {
    using folder = tempFolder();
    const options = { maxUnsent: 2 };
    const { core, upTo } = await startedSession({
      folder: folder.path,
      broker: new Venue(),
      strategy: trader([1], 4),
      options,
    });
    await upTo(2);
    expect(statuses(folder.path).sort()).toEqual(["filled", "filled", "rejected", "rejected"]);
    await core.close();
  });
});

function part(order: BrokerOrder, number: number): BrokerFill {
  return { fillId: `part-${number}`, clientOrderId: order.clientOrderId, price: "100", quantity: "0.5", fee: "0" };
}
