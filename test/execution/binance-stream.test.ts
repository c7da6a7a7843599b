import { afterEach, describe, expect, test } from "bun:test";
import { platform } from "#platform";
import { venueEndpoint } from "../../src/execution/binance/endpoint.ts";
import type { BrokerReport } from "../../src/execution/broker.ts";
import { decimal } from "../../src/execution/decimal.ts";
import { openSimExchange, type SimExchange } from "../../src/feed/sim/sim-exchange.ts";
import { DEFAULT_START_MS } from "../../src/feed/sim/truth.ts";
import { parseVenueFaults } from "../../src/feed/sim/venue/faults.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { anOrder, closeVenueBenches, openVenueBench, SYMBOLS, type VenueBench } from "./support/binance-bench.ts";

afterEach(closeVenueBenches);

const live = ({ broker }: Pick<VenueBench, "broker">) => broker.counters()["venue.stream.live"] === 1;

/** What the reports tell in all: each fill once. */
function told(reports: readonly BrokerReport[], clientOrderId: string): string {
  const fills = new Map(
    reports.flatMap((report) =>
      report.clientOrderId === clientOrderId ? report.fills.map((fill) => [fill.fillId, fill]) : [],
    ),
  );
  return [...fills.values()].reduce((sum, { quantity }) => sum.plus(quantity), decimal("0")).toFixed();
}

describe("The account's stream", () => {
  test("tells of a fill before the order is answered, where the venue is in that mood", async () => {
    const bench = openVenueBench({ faults: "report-before-ack=1" });
    await eventually(() => live(bench));
    const order = anOrder();
    let answered = false;
    const outcome = bench.broker.submit(order).then((value) => {
      answered = true;
      return value;
    });
    await eventually(() => bench.reports.some(({ status }) => status === "filled"));
    expect(answered).toBe(false);
    expect(await outcome).toMatchObject({ type: "accepted" });
  });

  test("may repeat itself: every repeat carries the same fill under the same id", async () => {
    const bench = openVenueBench({ faults: "duplicate-report=1" });
    await eventually(() => live(bench));
    const order = anOrder({ quantity: "0.05" });
    const outcome = await bench.broker.submit(order);
    if (outcome.type !== "accepted") throw new Error(outcome.reason);
    const expected = 2 * (1 + outcome.fills.length);
    await eventually(() => bench.reports.length === expected);
    for (const fill of outcome.fills) {
      const same = bench.reports.flatMap(({ fills }) => fills).filter(({ fillId }) => fillId === fill.fillId);
      expect(same).toEqual([fill, fill]);
    }
  });

  test("comes back after every cut, and what it missed is told by look-up", async () => {
    const bench = openVenueBench({ faults: "stream-cut=0.5,ack-lost=1" });
    await eventually(() => live(bench));
    const orders = Array.from({ length: 8 }, () => anOrder());
    for (const order of orders) {
      expect(await bench.broker.submit(order)).toMatchObject({ type: "unknown" });
      await eventually(() => told(bench.reports, order.clientOrderId) === "0.01", 15_000);
    }
    expect(bench.broker.counters()["venue.stream.lost.total"]).toBeGreaterThan(0);
    await eventually(() => live(bench), 15_000);
    expect(bench.broker.counters()["venue.orders.watched"]).toBe(0);
  }, 60_000);

  test("subscribes again with a fresh time where the venue refused ours", async () => {
    const bench = openVenueBench({ follow: false });
    // A first answer under a clock that is wrong by a minute from then on.
    let offsetMs = 0;
    const clock = {
      nowMs: () => platform.clock.nowMs(),
      monotonicMs: () => 1e6 + platform.clock.monotonicMs() + offsetMs,
    };
    const late = openVenueBench({
      clock,
      follow: false,
      broker: { endpoint: venueEndpoint(`http://127.0.0.1:${bench.exchange.port}`) },
    });
    expect(await late.broker.lookup(anOrder())).toEqual({ type: "not-found" });
    offsetMs = -60_000;
    late.broker.follow(() => undefined);
    await eventually(() => live(late), 10_000);
    expect(late.logged.join("\n")).toContain("outside of the recvWindow");
  });

  test("says once that it is lost, and once that it is back", async () => {
    const bench = openVenueBench();
    await eventually(() => live(bench));
    const { port } = bench.exchange;
    await bench.exchange.stop();
    await eventually(() => (bench.broker.counters()["venue.stream.lost.total"] ?? 0) >= 3, 10_000);
    const again = venueOn(port, null);
    await eventually(() => live(bench), 15_000);
    await again.stop();
    expect(bench.logged.filter((line) => line.startsWith("The account's stream is lost"))).toHaveLength(1);
    expect(bench.logged.filter((line) => line.startsWith("The account's stream is back"))).toHaveLength(1);
  }, 30_000);

  test("ends with the broker: no report follows, and the venue has no subscriber left", async () => {
    const bench = openVenueBench();
    await eventually(() => live(bench));
    const other = bench.another();
    await bench.broker.submit(anOrder());
    await eventually(() => bench.reports.length > 0);
    const began = performance.now();
    await bench.broker.close();
    await bench.broker.close();
    expect(performance.now() - began).toBeLessThan(1000);
    await eventually(() => bench.exchange.counters()["venue.streams"] === 0);
    const before = bench.reports.length;
    await other.submit(anOrder());
    other.follow(() => undefined);
    await eventually(() => bench.exchange.counters()["venue.streams"] === 1);
    expect(bench.reports.length).toBe(before);
  });
});

describe("A venue that goes down and comes back", () => {
  test("knows what it had taken: an order whose answer died with it is found, and the stream goes on", async () => {
    using folder = tempFolder();
    const first = venueOn(0, folder.path, "timeout-after-accept=1");
    const bench = openVenueBench({
      broker: { endpoint: venueEndpoint(`http://127.0.0.1:${first.port}`), timeoutMs: 3000 },
    });
    await eventually(() => live(bench));
    const order = anOrder({ quantity: "0.03" });
    const outcome = bench.broker.submit(order);
    await eventually(() => first.counters()["venue.orders.total"] === 1);
    await first.stop();
    expect(await outcome).toMatchObject({ type: "unknown" });
    expect(await bench.broker.lookup(order)).toMatchObject({ type: "unknown" });
    const second = venueOn(first.port, folder.path);
    try {
      expect(await bench.broker.lookup(order)).toMatchObject({ type: "found", status: "filled" });
      await eventually(() => live(bench), 15_000);
      const next = anOrder();
      expect(await bench.broker.submit(next)).toMatchObject({ type: "accepted" });
      await eventually(() => told(bench.reports, next.clientOrderId) === "0.01");
      expect(second.counters()["venue.orders.total"]).toBe(2);
    } finally {
      await second.stop();
    }
  }, 30_000);
});

test("The window after which a not-found is final covers signing, recvWindow, the venue's time-out and a margin, at its speed", async () => {
  const bench = openVenueBench();
  await bench.broker.lookup(anOrder());
  expect(bench.broker.validityWindowMs).toBe(5000 + 10_000 + 10_000 + 1000 + 5000);
  const fast = openVenueBench({ exchange: { speed: 4 } });
  await fast.broker.lookup(anOrder());
  expect(fast.broker.validityWindowMs).toBe(4 * 25_000 + 1000 + 4 * 5000);
});

function venueOn(port: number, folder: string | null, faults?: string): SimExchange {
  return openSimExchange(
    {
      host: "127.0.0.1",
      port,
      speed: 1,
      source: { kind: "market", seed: 1, symbols: SYMBOLS, startMs: DEFAULT_START_MS, folder },
      account: faults === undefined ? {} : { faults: parseVenueFaults(faults) },
    },
    { ...platform, log: { debug() {}, info() {}, warn() {}, error() {} } },
  );
}
