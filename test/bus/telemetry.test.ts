import { describe, expect, test } from "bun:test";
import { LatestStore } from "../../src/bus/latest-store.ts";
import { LogRing, MAX_LOG_MESSAGE_UNITS } from "../../src/bus/log-ring.ts";
import { MessagePublisher } from "../../src/bus/message-publisher.ts";
import { TelemetryPublisher, type TelemetrySuppliers } from "../../src/bus/telemetry-publisher.ts";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import { eventually } from "../support/eventually.ts";
import { Child } from "../zmq/processes.ts";
import { ManualTime, realDeps, WarnLog } from "./support.ts";

function suppliers(overrides: Partial<TelemetrySuppliers> = {}): TelemetrySuppliers {
  return {
    health: () => ({
      role: "runner",
      pid: 1,
      version: "0",
      uptimeMs: 1,
      state: "running",
      reason: null,
      dataAgeMs: null,
      mode: "paper",
      details: {},
    }),
    metrics: () => ({ role: "runner", values: { "ticks.total": 1 }, rails: [] }),
    logs: new LogRing(),
    ...overrides,
  };
}

const entry = (message: string) => ({ at: 1, level: "info" as const, message });

describe("TelemetryPublisher", () => {
  test("publishes whole snapshots on its timers, and logs where something is new", () => {
    const time = new ManualTime();
    const topics: string[] = [];
    const logs = new LogRing();
    const positions = () => ({ mode: "paper" as const, strategy: "s", positions: [], orders: [] });
    const deps = {
      publisher: { publish: (topic: string) => topics.push(topic) },
      timers: time,
      clock: time,
      log: new WarnLog(),
    };
    const telemetry = new TelemetryPublisher(
      { node: "r1" },
      suppliers({ logs, positions, scan: () => ({ rows: [] }) }),
      deps,
    );
    expect(topics.splice(0)).toEqual([
      "telemetry.health.r1",
      "telemetry.metrics",
      "telemetry.positions",
      "telemetry.scan.r1",
    ]);
    logs.add(entry("hello"));
    time.advance(500);
    expect(topics.splice(0)).toEqual(["telemetry.logs.r1"]);
    time.advance(1500);
    expect(topics.filter((topic) => topic === "telemetry.health.r1").length).toBe(2);
    expect(topics.filter((topic) => topic === "telemetry.logs.r1").length).toBe(0);
    telemetry.close();
    telemetry.close();
    expect(time.pending).toBe(0);
  });

  test("publishes logs again after twenty looks without news, for those who came late", () => {
    const time = new ManualTime();
    const told: unknown[] = [];
    const logs = new LogRing();
    const publish = (topic: string, fields: object) => topic === "telemetry.logs.r1" && told.push(fields);
    const deps = { publisher: { publish }, timers: time, clock: time, log: new WarnLog() };
    const telemetry = new TelemetryPublisher({ node: "r1" }, suppliers({ logs }), deps);
    time.advance(20_000);
    expect(told.splice(0)).toEqual([]);
    logs.add(entry("hello"));
    time.advance(500);
    const whole = { entries: [entry("hello")], dropped: 0 };
    expect(told.splice(0)).toEqual([whole]);
    time.advance(9500);
    expect(told.splice(0)).toEqual([]);
    time.advance(500);
    expect(told.splice(0)).toEqual([whole]);
    telemetry.close();
  });

  test("publishes indicators where they are new, and after ten looks without news for those who came late", () => {
    const time = new ManualTime();
    const topics: string[] = [];
    let version = 0;
    const deps = {
      publisher: { publish: (topic: string) => topics.push(topic) },
      timers: time,
      clock: time,
      log: new WarnLog(),
    };
    const snapshot = () => ({ strategy: "s", timeframe: "1m", symbols: [], omitted: 0 });
    const telemetry = new TelemetryPublisher(
      { node: "r1" },
      suppliers({ indicators: { version: () => version, snapshot } }),
      deps,
    );
    const sent = () => topics.splice(0).filter((topic) => topic === "telemetry.indicators.r1").length;
    expect(sent()).toBe(1);
    time.advance(9000);
    expect(sent()).toBe(0);
    time.advance(1000);
    expect(sent()).toBe(1);
    version++;
    time.advance(2000);
    expect(sent()).toBe(1);
    telemetry.close();
    expect(time.pending).toBe(0);
  });

  test("a supplier that throws is counted and logged at most once a second; the others are published", () => {
    const time = new ManualTime();
    const log = new WarnLog();
    const topics: string[] = [];
    const broken = () => {
      throw new Error("no metrics");
    };
    const deps = { publisher: { publish: (topic: string) => topics.push(topic) }, timers: time, clock: time, log };
    const periods = { metricsMs: 100 };
    const telemetry = new TelemetryPublisher({ node: "r1", periods }, suppliers({ metrics: broken }), deps);
    time.advance(2000);
    telemetry.close();
    expect(telemetry.supplierErrors).toBe(21);
    expect(log.warnings.length).toBe(3);
    expect(topics.filter((topic) => topic === "telemetry.health.r1").length).toBe(3);
  });

  for (const state of ["closed", "full", "broken"] as const) {
    test(`never throws and stays quick with a ${state} socket`, () => {
      const real = realDeps();
      const time = new ManualTime();
      const log = new WarnLog();
      const socket = new ZmqPublisher(
        { endpoints: { bind: ["tcp://127.0.0.1:0"] }, sendHighWaterMark: 1 },
        { ...real, clock: time, log, backend: state === "closed" ? real.backend : failingBackend(real.backend, state) },
      );
      if (state === "closed") socket.close();
      const publisher = new MessagePublisher({ node: "r1", epoch: "e" }, { publisher: socket, clock: time, log });
      const telemetry = new TelemetryPublisher({ node: "r1" }, suppliers(), {
        publisher,
        timers: time,
        clock: time,
        log,
      });
      time.advance(5000);
      telemetry.close();
      socket.close();
      const { sent, again, failed } = socket.counters();
      expect({ sent, lost: again + failed }).toEqual({ sent: 0, lost: 12 });
      expect(log.warnings.length).toBeLessThanOrEqual(12);
      expect(telemetry.supplierErrors).toBe(0);
    });
  }
});

test("telemetry goes on undisturbed while a connected process is frozen and its queue of one is full", async () => {
  const deps = realDeps();
  using socket = new ZmqPublisher({ endpoints: { bind: ["tcp://127.0.0.1:0"] }, sendHighWaterMark: 1 }, deps);
  await using frozen = new Child("subscriber.ts", socket.endpoints[0] ?? "");
  const heard = frozen.line();
  await eventually(() => {
    socket.publish("w", "{}");
    return Bun.peek.status(heard) === "fulfilled";
  });
  frozen.signal("SIGSTOP");
  const time = new ManualTime();
  const publisher = new MessagePublisher({ node: "r1", epoch: "e" }, { publisher: socket, clock: time, log: deps.log });
  const values = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`metric.number.${at}.total`, at]));
  const metrics = () => ({ role: "runner" as const, values, rails: [] });
  const before = socket.counters().sent;
  const telemetry = new TelemetryPublisher({ node: "r1" }, suppliers({ metrics }), {
    publisher,
    timers: time,
    clock: time,
    log: deps.log,
  });
  time.advance(300_000);
  telemetry.close();
  expect(socket.counters()).toMatchObject({ sent: before + 602, again: 0, failed: 0 });
  expect(deps.log.warnings).toEqual([]);
});

/** The real backend, whose publishers answer EAGAIN (full) or throw from within a send (broken). */
function failingBackend(backend: ReturnType<typeof realDeps>["backend"], state: "full" | "broken"): typeof backend {
  return {
    name: backend.name,
    version: () => backend.version(),
    curveKeyPair: () => backend.curveKeyPair(),
    openSubscriber: (options, sink) => backend.openSubscriber(options, sink),
    openPublisher(options) {
      const socket = backend.openPublisher(options);
      return {
        endpoints: socket.endpoints,
        lastError: null,
        rebindLost: () => [],
        close: () => socket.close(),
        send() {
          if (state === "broken") throw new Error("out of memory");
          return "again";
        },
      };
    },
  };
}

describe("LogRing", () => {
  test("keeps the newest, counts what left it untold, and tells all it holds", () => {
    const ring = new LogRing(3);
    for (const message of ["a", "b", "c", "d", "e"]) ring.add(entry(message));
    expect(ring.hasNew).toBe(true);
    const first = ring.snapshot();
    expect(first.entries.map(({ message }) => message)).toEqual(["c", "d", "e"]);
    expect(first.dropped).toBe(2);
    expect(ring.hasNew).toBe(false);
    ring.add(entry("f"));
    expect(ring.snapshot()).toMatchObject({
      dropped: 2,
      entries: [{ message: "d" }, { message: "e" }, { message: "f" }],
    });
  });

  test("cuts a long message, so that a snapshot's size is bounded", () => {
    const ring = new LogRing(1);
    ring.add(entry("x".repeat(100_000)));
    expect(ring.snapshot().entries[0]?.message.length).toBe(MAX_LOG_MESSAGE_UNITS);
  });
});

describe("LatestStore", () => {
  test("keeps the newest per topic and node with its age, and evicts what was renewed longest ago", () => {
    const time = new ManualTime();
    const store = new LatestStore<number>(3, time);
    store.put("m", "one", 1);
    store.put("m", "two", 2);
    store.put("h", "one", 3);
    time.advance(250);
    store.put("m", "one", 4);
    store.put("x", "new", 5);
    expect(store.size).toBe(3);
    expect(store.evicted).toBe(1);
    expect(store.entries().map(({ value }) => value)).toEqual([3, 4, 5]);
    expect(store.get("m", "two")).toBeUndefined();
    const oldest = store.get("h", "one");
    expect(oldest && store.ageMs(oldest)).toBe(250);
  });
});
