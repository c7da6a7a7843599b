import { describe, expect, test } from "bun:test";
import type { BridgeEvent, CandleEvent, LogsEvent, MetricsEvent, TelemetryEvent } from "../../src/bridge/contract.ts";
import { adviceOf } from "../../src/bridge/dashboard/advice.ts";
import { gapsTold, nextGapsLookMs } from "../../src/bridge/dashboard/api.ts";
import { BridgeClock } from "../../src/bridge/dashboard/bridge-clock.ts";
import { conditionOf } from "../../src/bridge/dashboard/condition.ts";
import {
  decimalsOf,
  formatAge,
  formatBytes,
  formatDateTime,
  formatFee,
  formatMoment,
  formatPnl,
  formatQuantity,
  formatTime,
} from "../../src/bridge/dashboard/format.ts";
import { filterLog, rowsInSight } from "../../src/bridge/dashboard/log-store.ts";
import { HISTORY_POINTS, loadOf, messageRate } from "../../src/bridge/dashboard/metric-history.ts";
import { Model } from "../../src/bridge/dashboard/model.ts";
import { precisionOf, profitDecimals } from "../../src/bridge/dashboard/precision.ts";
import { takesKeys } from "../../src/bridge/dashboard/typing.ts";
import { candleText, healthText } from "./bodies.ts";

const STAMP = { topic: "t", receivedAt: 1000 };

function candle(openTime: number, prevOpenTime: number | null): CandleEvent {
  return { ...(JSON.parse(candleText({ seq: 1, openTime, prevOpenTime })) as CandleEvent), ...STAMP };
}

function logs(node: string, entries: LogsEvent["entries"]): TelemetryEvent {
  return { type: "logs", data: { v: 1, node, epoch: "e", seq: 1, sentAt: 0, dropped: 0, entries, ...STAMP } };
}

function metrics(seconds: number, values: MetricsEvent["values"]): MetricsEvent {
  const envelope = { v: 1, node: "a", epoch: "e", seq: seconds, sentAt: seconds * 1000, topic: "t" };
  return { ...envelope, receivedAt: seconds * 1000, role: "runner", values, rails: [] };
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
    expect(model.logs.lines.map((entry) => entry.message)).toEqual(["line 1", "line 2", "line 3"]);
    model.setBridge({ ...BRIDGE, epoch: "two" });
    model.apply(logs("a", [{ ...line(1), message: "line 3" }]));
    expect(model.logs.lines.map((entry) => entry.message)).toEqual(["line 3"]);
  });

  test("A resync drops what was told, and keeps what was drawn over time.", () => {
    const model = new Model();
    model.apply({ type: "candle", data: candle(0, null) });
    model.apply({ type: "metrics", data: metrics(1, { "process.cpu.percent": 3 }) });
    model.apply(logs("a", [{ n: 1, at: 1, level: "info", message: "old" }]));
    model.resync();
    expect([model.nodes.size, model.markets.size, model.logs.lines.length]).toEqual([0, 0, 0]);
    expect(model.history.get("a")?.times).toEqual([1]);
    model.apply(logs("a", [{ n: 1, at: 1, level: "info", message: "new" }]));
    expect(model.logs.lines.map((entry) => entry.message)).toEqual(["new"]);
  });

  test("Lines of several nodes are shown by time; the newest ten thousand are kept, the oldest leave a thousand at once.", () => {
    const model = new Model();
    model.apply(logs("a", [{ n: 1, at: 30, level: "info", message: "later" }]));
    model.apply(logs("b", [{ n: 1, at: 20, level: "info", message: "earlier" }]));
    expect(model.logs.lines.map((entry) => entry.message)).toEqual(["earlier", "later"]);
    let most = 0;
    for (let n = 1; n <= 25_000; n++) {
      model.apply(logs("c", [{ n, at: 100 + n, level: "info", message: `${n}` }]));
      most = Math.max(most, model.logs.lines.length);
    }
    expect(most).toBe(11_000);
    expect(model.logs.lines.length).toBeGreaterThanOrEqual(10_000);
    expect(model.logs.lines.at(-1)?.message).toBe("25000");
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

describe("Figures over time", () => {
  test("A node's graph is bounded, and a snapshot heard again adds nothing.", () => {
    const model = new Model();
    for (let i = 1; i <= HISTORY_POINTS + 50; i++) {
      const data = metrics(i, { "process.cpu.percent": i });
      model.apply({ type: "metrics", data });
      model.apply({ type: "metrics", data });
    }
    const history = model.history.get("a");
    expect(history?.times).toHaveLength(HISTORY_POINTS);
    expect(history?.values.cpu.at(-1)).toBe(HISTORY_POINTS + 50);
  });

  test("What all nodes use together leaves out a silent one.", () => {
    const used = { "process.cpu.percent": 20, "process.rss.bytes": 1e6 };
    const all = [metrics(10, used), metrics(14, used), metrics(15, {})];
    expect(loadOf(all, 15_000)).toEqual({ cpuPercent: 20, bytes: 1e6 });
    expect(loadOf(all, 60_000)).toEqual({ cpuPercent: 0, bytes: 0 });
  });

  test("Message rates add what was sent and received, and a counter that begins anew has none.", () => {
    const rate = (from: MetricsEvent["values"], to: MetricsEvent["values"]) =>
      messageRate(metrics(3, to), metrics(1, from));
    expect(
      rate(
        { "publish.sent.total": 10, "socket.received.total": 5 },
        { "publish.sent.total": 30, "socket.received.total": 6 },
      ),
    ).toBe(10.5);
    expect(rate({ "publish.sent.total": 10 }, { "publish.sent.total": 2 })).toBeNull();
    expect(messageRate(metrics(1, { "publish.sent.total": 1 }), null)).toBeNull();
  });
});

describe("The log's list", () => {
  const lines = [
    { node: "a", n: 1, at: 1, level: "debug" as const, message: "quiet" },
    { node: "b", n: 1, at: 2, level: "warn" as const, message: "A Hole after 00:41" },
    { node: "a", n: 2, at: 3, level: "error" as const, message: "lost" },
  ];
  const found = (filter: Parameters<typeof filterLog>[1]) => filterLog(lines, filter).map(({ message }) => message);

  test("Lines are found by least level, node, and text whatever its case; a node's name is text, too.", () => {
    expect(found({ level: "debug", node: null, text: "" })).toHaveLength(3);
    expect(found({ level: "warn", node: null, text: "" })).toEqual(["A Hole after 00:41", "lost"]);
    expect(found({ level: "debug", node: "a", text: "" })).toEqual(["quiet", "lost"]);
    expect(found({ level: "debug", node: null, text: " hole " })).toEqual(["A Hole after 00:41"]);
    expect(found({ level: "debug", node: null, text: "b a" })).toEqual(["A Hole after 00:41"]);
  });

  test("Only rows in sight and a few more are drawn, at either end, and none of an empty list.", () => {
    const view = { height: 600, row: 20 };
    expect(rowsInSight(10_000, { ...view, top: 0 }, 10)).toEqual({ from: 0, to: 40 });
    expect(rowsInSight(10_000, { ...view, top: 100_000 }, 10)).toEqual({ from: 4990, to: 5040 });
    expect(rowsInSight(10_000, { ...view, top: 199_400 }, 10)).toEqual({ from: 9960, to: 10_000 });
    expect(rowsInSight(0, { ...view, top: 0 })).toEqual({ from: 0, to: 0 });
    // Scrolled far down, and the filter then leaves a few.
    expect(rowsInSight(3, { ...view, top: 199_400 })).toEqual({ from: 3, to: 3 });
  });
});

describe("What the page says of itself", () => {
  const health = (change: object): TelemetryEvent => ({
    type: "health",
    data: {
      ...JSON.parse(healthText({ seq: 1, node: "md" })),
      ...STAMP,
      role: "market-data",
      dataAgeMs: 100,
      ...change,
    },
  });
  const at = (model: Model, now: number, state: "open" | "lost" | "connecting" = "open") =>
    conditionOf(model, { state, sinceMs: 1000 }, now, "utc");

  test("Live while market data is fresh, stale with the time since when it is not, and the connection before all.", () => {
    const model = new Model();
    expect(at(model, 1000).tone).toBe("wait");
    model.apply(health({}));
    expect(at(model, 1500).tone).toBe("live");
    expect(at(model, 61_000)).toMatchObject({ tone: "stale", title: "Stale since 00:00:00" });
    expect(at(model, 61_000, "lost")).toMatchObject({ tone: "lost", detail: "no bridge since 00:00:01, 1 m 00 s" });
    expect(at(model, 1500, "connecting").tone).toBe("wait");
  });

  test("A node in trouble comes with what to do: the kill switch is taken back, all else is looked into.", () => {
    const node = (state: string, reason: string | null) => {
      const event = health({ state, reason });
      return event.type === "health" ? event.data : null;
    };
    expect(adviceOf("r", node("running", null), false)).toBeNull();
    expect(adviceOf("r", node("halted", "halted: odd fills"), false)?.command).toBe("fabric resume r");
    expect(adviceOf("r", node("halted", "journal and venue disagree"), false)?.command).toBe("fabric doctor");
    expect(adviceOf("r", node("failed", "it threw"), false)).toMatchObject({ tone: "bad", title: "Failed" });
    expect(adviceOf("r", node("degraded", "a hole"), false)).toMatchObject({ tone: "warn", what: "A hole." });
    expect(adviceOf("r", node("running", null), true)?.title).toBe("Silent");
    expect(adviceOf("r", node("running", null), true, "lost")).toBeNull();
  });
});

describe("The bridge's clock as the page tells it", () => {
  test("The least delayed greeting counts; a new connection is told by its own.", () => {
    const clock = new BridgeClock(500);
    expect(clock.at(1000)).toBe(1500);
    clock.hear(10_000, 1000);
    clock.hear(14_700, 6000);
    expect(clock.at(6000)).toBe(15_000);
    clock.forget();
    expect(clock.at(6000)).toBe(15_000);
    clock.hear(10_500, 7000);
    expect(clock.at(7000)).toBe(10_500);
  });

  test("On a page left open for a week with a clock that gains 50 millionths, what was just heard is still fresh.", () => {
    const clock = new BridgeClock(0);
    let furthestMs = 0;
    for (let bridgeMs = 0; bridgeMs < 7 * 86_400_000; bridgeMs += 5000) {
      const pageMs = bridgeMs * 1.000_05;
      clock.hear(bridgeMs, pageMs);
      furthestMs = Math.max(furthestMs, Math.abs(clock.at(pageMs) - bridgeMs));
    }
    expect(furthestMs).toBeLessThan(10);
  });
});

test("A symbol's decimals are the venue's own, else those observed, else those of its newest closes.", () => {
  const model = new Model();
  expect(precisionOf(model, "BTCUSDT")).toEqual({ price: 2, quantity: null });
  const told = (node: string, source: "venue" | "observed", priceDecimals: number) => {
    const envelope = { v: 1, node, epoch: "e", seq: 1, sentAt: 0, ...STAMP };
    const instruments = [{ symbol: "BTCUSDT", priceDecimals, quantityDecimals: 5, source }];
    const body = { mode: "paper" as const, strategy: "s", positions: [], orders: [], instruments };
    model.apply({ type: "positions", data: { ...envelope, ...body } });
  };
  told("a", "observed", 3);
  expect(precisionOf(model, "BTCUSDT")).toEqual({ price: 3, quantity: 5 });
  told("b", "venue", 1);
  expect(precisionOf(model, "BTCUSDT")).toEqual({ price: 1, quantity: 5 });
});

test("A time has its date unless it is of the market's own day, which is not today's in a replay.", () => {
  const model = new Model();
  const noon = Date.UTC(2025, 0, 2, 12, 0);
  expect(formatMoment(noon, model.marketTime)).toBe("2025-01-02 12:00");
  model.apply({ type: "candle", data: candle(noon, null) });
  model.apply({ type: "candle", data: { ...candle(noon - 60_000, null), symbol: "OTHER" } });
  expect(model.marketTime).toBe(noon);
  const days = [0, 1, 2].map((back) => formatMoment(noon - back * 86_400_000, model.marketTime));
  expect(days).toEqual(["12:00", "01-01 12:00", "2024-12-31 12:00"]);
  expect(formatDateTime(noon)).toBe("2025-01-02 12:00:00");
  model.resync();
  expect(model.marketTime).toBeNull();
});

test("No gap is told as none only where the store knows the symbol.", () => {
  expect(gapsTold({ kind: "ok", value: { gaps: [] } })).toEqual([]);
  expect(gapsTold({ kind: "absent" })).toBe("The store has no candle of it");
  expect(gapsTold({ kind: "failed", reason: "The bridge does not answer" })).toBe("The bridge does not answer");
  const looks = [{ kind: "ok", value: 1 }, { kind: "absent" }, { kind: "failed", reason: "" }] as const;
  expect(looks.map(nextGapsLookMs)).toEqual([60_000, 10_000, 3000]);
});

test("A fee that is small in its asset is not shown as none.", () => {
  const fees = ["0.59602749679", "0.0015621562", "0.0000005", "0", "-0.02", "12"].map(formatFee);
  expect(fees).toEqual(["0.5960", "0.00156", "0.00000050", "0.0000", "−0.0200", "12.0000"]);
});

test("Keys are commands beside fields, and on a box to be ticked; in fields they are words.", () => {
  const kinds = [{ tagName: "INPUT", type: "search" }, { tagName: "SELECT" }, { tagName: "TEXTAREA" }];
  expect(kinds.map(takesKeys)).toEqual([true, true, true]);
  expect([{ tagName: "INPUT", type: "checkbox" }, { tagName: "BUTTON" }].map(takesKeys)).toEqual([false, false]);
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
  expect([1234.5, -0.001, -12.345].map((value) => formatPnl(value))).toEqual(["+1,234.50", "+0.00", "−12.35"]);
  expect([formatPnl(-0.00012, profitDecimals("BTC")), formatPnl(-0.00012, profitDecimals("USDT"))]).toEqual([
    "−0.00012000",
    "+0.00",
  ]);
  const bare = (quantity: string) => formatQuantity(quantity);
  expect(["0.05000000", "-40.00000000", "100", "0"].map(bare)).toEqual(["0.05", "−40", "100", "0"]);
  expect(formatQuantity("0.05000000", 3)).toBe("0.050");
  expect(formatQuantity("-40", 2)).toBe("−40.00");
  // More than the instrument has is told all the same: rounding would hide it.
  expect(formatQuantity("0.12345", 3)).toBe("0.12345");
  expect([1500, 124_000_000, 2.5e9].map(formatBytes)).toEqual(["1.5 kB", "124 MB", "2.50 GB"]);
  expect([decimalsOf([100, 101.5]), decimalsOf([0.12345]), decimalsOf([1e-9])]).toEqual([2, 5, 8]);
});
