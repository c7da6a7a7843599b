import { describe, expect, test } from "bun:test";
import type { BridgeEvent, CandleEvent, LogsEvent, TelemetryEvent } from "../../src/bridge/contract.ts";
import { CandleSeries } from "../../src/bridge/dashboard/candle-series.ts";
import { decimalsOf, formatAge, formatPnl, formatQuantity, formatTime } from "../../src/bridge/dashboard/format.ts";
import { Model } from "../../src/bridge/dashboard/model.ts";
import { candleText, healthText } from "./bodies.ts";

const STAMP = { topic: "t", receivedAt: 1000 };

function candle(openTime: number, prevOpenTime: number | null): CandleEvent {
  return { ...(JSON.parse(candleText({ seq: 1, openTime, prevOpenTime })) as CandleEvent), ...STAMP };
}

function logs(node: string, entries: LogsEvent["entries"]): TelemetryEvent {
  return { type: "logs", data: { v: 1, node, epoch: "e", seq: 1, sentAt: 0, dropped: 0, entries, ...STAMP } };
}

const BRIDGE: BridgeEvent = {
  epoch: "one",
  version: "0.1.0",
  now: 0,
  uptimeMs: 0,
  staleAfterMs: 3000,
  heartbeatMs: 5000,
  ready: true,
  readyReason: "",
  nodes: 0,
  clients: 1,
};

describe("The page's model", () => {
  test("Log entries come once, whether they arrive live or again in a snapshot after a reconnect.", () => {
    const model = new Model();
    model.setBridge(BRIDGE);
    const line = (n: number) => ({ n, at: n, level: "info" as const, message: `line ${n}` });
    model.apply(logs("a", [line(1), line(2)]));
    model.apply(logs("a", [line(1), line(2), line(3)]));
    expect(model.logs.map((entry) => entry.message)).toEqual(["line 1", "line 2", "line 3"]);
    model.setBridge({ ...BRIDGE, epoch: "two" });
    model.apply(logs("a", [{ ...line(1), message: "line 3" }]));
    expect(model.logs.map((entry) => entry.message)).toEqual(["line 3"]);
  });

  test("Lines of several nodes are shown by time, and at most two thousand are kept.", () => {
    const model = new Model();
    model.apply(logs("a", [{ n: 1, at: 30, level: "info", message: "later" }]));
    model.apply(logs("b", [{ n: 1, at: 20, level: "info", message: "earlier" }]));
    expect(model.logs.map((entry) => entry.message)).toEqual(["earlier", "later"]);
    for (let n = 1; n <= 3000; n++) model.apply(logs("c", [{ n, at: 100 + n, level: "info", message: "" }]));
    expect(model.logs).toHaveLength(2000);
  });

  test("Nodes are bounded: the longest-silent leaves.", () => {
    const model = new Model();
    for (let i = 0; i < 300; i++) {
      model.apply({ type: "health", data: { ...JSON.parse(healthText({ seq: 1, node: `n${i}` })), ...STAMP } });
    }
    expect(model.nodes.size).toBe(256);
    expect(model.nodes.has("n0")).toBe(false);
    expect(model.nodes.has("n299")).toBe(true);
  });

  test("The same candle heard again after a reconnect adds no second point to its line.", () => {
    const model = new Model();
    for (const event of [candle(0, null), candle(0, null), candle(60_000, 0)])
      model.apply({ type: "candle", data: event });
    expect(model.markets.get("BTCUSDT")?.closes).toHaveLength(2);
  });
});

describe("The chart's candles", () => {
  test("Live candles go to the end, a hole sends the chart back to the store, late ones find their place.", () => {
    const series = new CandleSeries();
    series.load([candle(60_000, 0), candle(120_000, 60_000)]);
    expect(series.add(candle(180_000, 120_000))).toBe("end");
    expect(series.add(candle(180_000, 120_000))).toBe("end");
    expect(series.add(candle(300_000, 240_000))).toBe("hole");
    expect(series.add(candle(240_000, 180_000))).toBe("inside");
    expect(series.rows.map((row) => row.openTime / 60_000)).toEqual([1, 2, 3, 4, 5]);
  });

  test("Candles heard while the store was read are kept when its rows arrive.", () => {
    const series = new CandleSeries();
    expect(series.add(candle(180_000, 120_000))).toBe("hole");
    series.load([candle(60_000, 0), candle(120_000, 60_000)]);
    expect(series.rows.map((row) => row.openTime / 60_000)).toEqual([1, 2, 3]);
  });
});

test("Ages, money and quantities read as people write them.", () => {
  expect([-5, 999, 4200, 125_000, 11_520_000, 187_200_000].map(formatAge)).toEqual([
    "now",
    "now",
    "4 s",
    "2 m 05 s",
    "3 h 12 m",
    "2 d 4 h",
  ]);
  expect([formatTime(0), formatTime(1e300)]).toEqual(["00:00:00", "--:--:--"]);
  expect([1234.5, -0.001, -12.345].map(formatPnl)).toEqual(["+1,234.50", "+0.00", "−12.35"]);
  expect(["0.05000000", "-40.00000000", "100", "0"].map(formatQuantity)).toEqual(["0.05", "−40", "100", "0"]);
  expect([decimalsOf([100, 101.5]), decimalsOf([0.12345]), decimalsOf([1e-9])]).toEqual([2, 5, 8]);
});
