import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { STALE_AFTER_MS } from "../../src/bridge/contract.ts";
import { LogRing } from "../../src/bridge/log-ring.ts";
import { STORE_LIMITS, TelemetryStore } from "../../src/bridge/telemetry-store.ts";
import { candleText, healthText, logsText, metricsText } from "./bodies.ts";

function storeAt(limits = STORE_LIMITS) {
  const time = { ms: 1_000_000 };
  return { time, store: new TelemetryStore(() => time.ms, limits) };
}

describe("Latest wins", () => {
  test("The newest metrics of each node are kept, per node though the topic is one.", () => {
    const { store } = storeAt();
    store.ingest("telemetry.metrics", metricsText({ node: "a", seq: 1, values: { x: 1 } }));
    store.ingest("telemetry.metrics", metricsText({ node: "b", seq: 1, values: { x: 2 } }));
    store.ingest("telemetry.metrics", metricsText({ node: "a", seq: 2, values: { x: 3 } }));
    expect(store.nodes().map((view) => [view.node, view.metrics?.values.x])).toEqual([
      ["a", 3],
      ["b", 2],
    ]);
  });

  test("A repeated or overtaken message is left out, and a new life of the publisher starts over.", () => {
    const { store } = storeAt();
    const send = (epoch: string, seq: number, x: number) =>
      store.ingest("telemetry.metrics", metricsText({ node: "a", epoch, seq, values: { x } })).outcome;
    expect(send("one", 5, 50)).toBe("accepted");
    expect(send("one", 5, 51)).toBe("repeated");
    expect(send("one", 4, 40)).toBe("repeated");
    expect(send("two", 1, 10)).toBe("accepted");
    expect(send("one", 6, 60)).toBe("repeated");
    expect(store.nodes()[0]?.metrics?.values.x).toBe(10);
  });

  test("Messages that a publisher numbered and that never came are counted, per topic and life.", () => {
    const { store } = storeAt();
    const send = (epoch: string, seq: number) =>
      store.ingest("telemetry.metrics", metricsText({ node: "a", epoch, seq }));
    for (const seq of [5, 6, 6, 9]) send("one", seq);
    expect(store.counters.missed).toBe(2);
    send("two", 3);
    send("two", 5);
    store.ingest("telemetry.health.a", healthText({ node: "a", seq: 40 }));
    expect(store.counters.missed).toBe(3);
  });

  test("Two publishers of one node, each with its own epoch, do not displace each other.", () => {
    const { store } = storeAt();
    for (let seq = 1; seq <= 3; seq++) {
      expect(store.ingest("market.candle.1m.BTCUSDT", candleText({ epoch: "market", seq })).outcome).toBe("accepted");
      expect(store.ingest("telemetry.health.md", healthText({ epoch: "telemetry", seq })).outcome).toBe("accepted");
    }
  });
});

describe("Ages", () => {
  test("Every value carries its age, and a silent node turns stale and stays listed.", () => {
    const { store, time } = storeAt();
    store.ingest("telemetry.health.md", healthText({ seq: 1 }));
    store.ingest("market.candle.1m.BTCUSDT", candleText({ seq: 1 }));
    expect(store.nodes()[0]).toMatchObject({ ageMs: 0, stale: false, health: { ageMs: 0, stale: false } });
    time.ms += STALE_AFTER_MS + 1;
    expect(store.nodes()[0]).toMatchObject({ stale: true, health: { ageMs: STALE_AFTER_MS + 1, stale: true } });
    expect(store.candles()[0]).toMatchObject({ symbol: "BTCUSDT", stale: true });
    time.ms += 600_000;
    expect(store.nodes()[0]).toMatchObject({ node: "md", stale: true, ageMs: 600_000 + STALE_AFTER_MS + 1 });
  });

  test("A candle older than the stale limit is fresh while its publisher speaks: a minute may last a minute.", () => {
    const { store, time } = storeAt();
    store.ingest("market.candle.1m.BTCUSDT", candleText({ seq: 1 }));
    time.ms += 30_000;
    store.ingest("telemetry.health.md", healthText({ seq: 1 }));
    expect(store.candles()[0]).toMatchObject({ ageMs: 30_000, stale: false });
  });

  test("Readiness names what is missing: no node, a silent one, a failed one, one without data, old data.", () => {
    const { store, time } = storeAt();
    expect(store.readiness()).toMatchObject({ ready: false, reason: "no market-data node has been heard" });
    store.ingest("telemetry.health.md", healthText({ seq: 1, dataAgeMs: null }));
    expect(store.readiness().reason).toBe("md has no market data yet");
    store.ingest("telemetry.health.md", healthText({ seq: 2, dataAgeMs: 40_000 }));
    expect(store.readiness()).toMatchObject({ ready: false, reason: "md has had no market data for 40.0 s" });
    store.ingest("telemetry.health.md", healthText({ seq: 3, state: "failed" }));
    expect(store.readiness().reason).toBe("md is failed");
    store.ingest("telemetry.health.md", healthText({ seq: 4, dataAgeMs: 100 }));
    expect(store.readiness()).toMatchObject({ ready: true, dataAgeMs: 100 });
    time.ms += 3500;
    expect(store.readiness()).toMatchObject({ ready: false, reason: "md has been silent for 3.5 s", dataAgeMs: 3600 });
  });
});

describe("Trading and indicators", () => {
  const told = { mode: "paper", strategy: "s", positions: [], orders: [] };
  const envelope = { v: 1, node: "r", epoch: "life", sentAt: 1 };
  const fill = { clientOrderId: null, symbol: "BTCUSDT", side: "buy", quantity: "1", price: "2" };
  const fills = [{ ...fill, fee: "0", feeAsset: null, openTime: 0, at: null }];

  test("A runner of an older version, which tells no fills, is heard as before.", () => {
    const { store } = storeAt();
    const result = store.ingest("telemetry.positions", JSON.stringify({ ...envelope, seq: 1, ...told }));
    expect(result.outcome).toBe("accepted");
    expect(store.nodes()[0]?.positions).toMatchObject(told);
    const newer = JSON.stringify({ ...envelope, seq: 2, ...told, fills, unforeseen: 1 });
    expect(store.ingest("telemetry.positions", newer).outcome).toBe("accepted");
    expect(store.nodes()[0]?.positions?.fills).toHaveLength(1);
    expect(store.nodes()[0]?.positions).not.toHaveProperty("unforeseen");
  });

  for (const [what, body] of Object.entries({
    "a number for money": { ...told, fills: [{ ...fills[0], price: 2 }] },
    "more than 50 fills": { ...told, fills: Array.from({ length: 51 }, () => fills[0]) },
    "a profit that is no decimal": { ...told, pnl: { day: null, today: "much", total: "0", byQuote: [] } },
    "decimals below zero": {
      ...told,
      instruments: [{ symbol: "BTCUSDT", priceDecimals: -1, quantityDecimals: 0, source: "venue" }],
    },
  })) {
    test(`Positions with ${what} are malformed.`, () => {
      const { store } = storeAt();
      const result = store.ingest("telemetry.positions", JSON.stringify({ ...envelope, seq: 1, ...body }));
      expect(result.outcome).toBe("malformed");
    });
  }

  test("Indicators are kept while their node speaks, and rows that do not fit their names are malformed.", () => {
    const { store, time } = storeAt();
    const table = {
      symbol: "BTCUSDT",
      names: ["fast"],
      rows: [
        [0, 1.5],
        [60_000, null],
      ],
    };
    const body = { ...envelope, strategy: "s", timeframe: "1m", omitted: 0 };
    const topic = "telemetry.indicators.r";
    expect(store.ingest(topic, JSON.stringify({ ...body, seq: 1, symbols: [table] })).outcome).toBe("accepted");
    const bad = JSON.stringify({ ...body, seq: 2, symbols: [{ ...table, names: ["fast", "slow"] }] });
    expect(store.ingest(topic, bad).outcome).toBe("malformed");
    time.ms += 2 * STALE_AFTER_MS;
    expect(store.nodes()[0]?.indicators).toMatchObject({ stale: true });
    store.ingest("telemetry.health.r", healthText({ node: "r", seq: 1 }));
    expect(store.nodes()[0]?.indicators).toMatchObject({ stale: false, ageMs: 2 * STALE_AFTER_MS, symbols: [table] });
  });
});

describe("Bounds", () => {
  test("At the node bound the longest-silent node leaves, counted, and its keys are named.", () => {
    const { store } = storeAt({ ...STORE_LIMITS, nodes: 2 });
    store.ingest("telemetry.health.a", healthText({ node: "a", seq: 1 }));
    store.ingest("telemetry.health.b", healthText({ node: "b", seq: 1 }));
    store.ingest("telemetry.health.a", healthText({ node: "a", seq: 2 }));
    const result = store.ingest("telemetry.health.c", healthText({ node: "c", seq: 1 }));
    expect(result).toMatchObject({ outcome: "accepted" });
    expect(result.outcome === "accepted" && result.forgotten).toContain("health b");
    expect(store.nodes().map((view) => view.node)).toEqual(["a", "c"]);
    expect(store.counters.droppedNodes).toBe(1);
  });

  test("At the symbol bound the longest-silent symbol leaves, counted.", () => {
    const { store } = storeAt({ ...STORE_LIMITS, symbols: 2 });
    for (const symbol of ["AUSDT", "BUSDT", "CUSDT"]) {
      store.ingest(`market.candle.1m.${symbol}`, candleText({ symbol, seq: 1 }));
    }
    expect(store.candles().map((candle) => candle.symbol)).toEqual(["BUSDT", "CUSDT"]);
    expect(store.counters.droppedSymbols).toBe(1);
  });
});

describe("Logs", () => {
  test("However a node's log is cut into overlapping windows, it is merged without loss, repeat or disorder.", () => {
    const cuts = fc.array(fc.record({ more: fc.nat(6), window: fc.integer({ min: 6, max: 12 }) }), { maxLength: 40 });
    fc.assert(
      fc.property(cuts, (messages) => {
        const ring = new LogRing(1000);
        const all: { at: number; level: "info"; message: string }[] = [];
        const heard: number[] = [];
        for (const { more, window } of messages) {
          for (let i = 0; i < more; i++) all.push({ at: 0, level: "info", message: `line ${all.length}` });
          heard.push(...ring.merge("life", all.slice(-window)).map((entry) => entry.n));
        }
        expect(ring.entries.map((entry) => entry.message)).toEqual(all.map((entry) => entry.message));
        expect(heard).toEqual(all.map((_, i) => i + 1));
      }),
    );
  });

  test("A restarted node's log goes on after its old one, even where the first lines read the same.", () => {
    const ring = new LogRing(10);
    const started = { at: 1, level: "info" as const, message: "Started" };
    expect(ring.merge("one", [started])).toHaveLength(1);
    expect(ring.merge("one", [started])).toHaveLength(0);
    expect(ring.merge("two", [started])).toEqual([{ n: 2, ...started }]);
  });

  test("A ring holds its capacity: the oldest lines leave first.", () => {
    const { store } = storeAt({ ...STORE_LIMITS, logEntries: 3 });
    const entries = [1, 2, 3, 4, 5].map((i) => ({ at: i, level: "info", message: `line ${i}` }));
    store.ingest("telemetry.logs.a", logsText({ node: "a", seq: 1, entries }));
    expect(store.nodes()[0]?.logs?.entries.map((entry) => entry.n)).toEqual([3, 4, 5]);
  });
});

describe("Bad input", () => {
  const bad: readonly [string, string, string][] = [
    ["no JSON", "telemetry.metrics", "{"],
    ["a list", "telemetry.metrics", "[]"],
    ["another schema version", "telemetry.health.md", healthText({ seq: 1, v: 2 })],
    ["a health without state", "telemetry.health.md", healthText({ seq: 1, state: undefined })],
    ["a topic of another node", "telemetry.health.other", healthText({ seq: 1 })],
    ["a candle on another symbol's topic", "market.candle.1m.ETHUSDT", candleText({ seq: 1 })],
    ["a candle whose high is below its low", "market.candle.1m.BTCUSDT", candleText({ seq: 1, high: 1 })],
    [
      "a log level nobody knows",
      "telemetry.logs.a",
      logsText({ node: "a", seq: 1, entries: [{ at: 1, level: "loud", message: "" }] }),
    ],
    ["a body past the bound", "telemetry.metrics", " ".repeat(3_000_000)],
  ];
  for (const [what, topic, body] of bad) {
    test(`A message with ${what} is malformed and changes nothing.`, () => {
      const { store } = storeAt();
      expect(store.ingest(topic, body).outcome).toBe("malformed");
      expect(store.nodes()).toEqual([]);
      expect(store.candles()).toEqual([]);
    });
  }

  test("Whatever bytes arrive on whatever topic, nothing is thrown.", () => {
    const topics = fc.constantFrom(
      "telemetry.metrics",
      "telemetry.health.a",
      "market.candle.1m.A",
      "telemetry.logs.",
      "x",
    );
    fc.assert(
      fc.property(topics, fc.oneof(fc.string(), fc.json()), (topic, body) => {
        const { store } = storeAt();
        expect(["malformed", "foreign"]).toContain(store.ingest(topic, body).outcome);
      }),
    );
  });

  test("What is only long or without a value does not hide its node: texts are cut, empty figures left out.", () => {
    const { store } = storeAt();
    store.ingest("telemetry.health.md", healthText({ seq: 1, details: { symbols: "A,".repeat(5000) } }));
    store.ingest("telemetry.metrics", metricsText({ seq: 1, values: { "lag.p50": Number.NaN, rows: 1 } }));
    const [view] = store.nodes();
    expect(String(view?.health?.details.symbols)).toHaveLength(1000);
    expect(view?.metrics?.values).toEqual({ rows: 1 });
  });

  test("Fields the wire does not know do not reach a browser.", () => {
    const { store } = storeAt();
    store.ingest("telemetry.health.md", healthText({ seq: 1, apiKey: "secret" }));
    expect(JSON.stringify(store.nodes())).not.toContain("secret");
  });
});
