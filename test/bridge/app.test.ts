import { describe, expect, test } from "bun:test";
import { MAX_CONCURRENT_READS } from "../../src/bridge/candle-desk.ts";
import type { TelemetrySnapshot } from "../../src/bridge/contract.ts";
import { Gate, LOCAL_GATE } from "../../src/bridge/gate.ts";
import { ANY_ADDRESS, LOOPBACK_HOSTS } from "../../src/bridge/security.ts";
import type { BarPage } from "../../src/core/bars.ts";
import { candleText, healthText, logsText } from "./bodies.ts";
import { bridgeFixture, ManualTime, NO_CANDLES } from "./bridge-fixture.ts";
import { FabricSource } from "./fabric-source.ts";

const ROUTES = [
  ...["/api", "/api/snapshot", "/api/nodes", "/api/metrics", "/api/rails", "/api/scan", "/api/indicators", "/api/logs"],
  ...["/api/positions", "/api/orders", "/api/fills", "/api/decisions", "/api/gaps", "/metrics", "/grafana.json"],
  "/healthz",
  "/readyz",
  "/api/stream",
  "/api/telemetry/snapshot",
  "/api/telemetry/stream",
  "/api/candles",
  "/",
  "/assets/:name",
];

describe("Invariant 9 (the bridge cannot act)", () => {
  test("Invariant 9 (the bridge cannot act): the router holds reading routes and nothing else.", () => {
    const { app } = bridgeFixture({ time: new ManualTime() });
    const routes = app.routes.filter((route) => route.path !== "/*");
    expect(routes.map((route) => route.method)).toEqual(routes.map(() => "GET"));
    expect(routes.map((route) => route.path).sort()).toEqual([...ROUTES].sort());
    const everywhere = app.routes.filter((route) => route.path === "/*");
    expect(everywhere.map((route) => route.method)).toEqual(["ALL", "ALL"]);
  });

  test("Invariant 9 (the bridge cannot act): no method but GET and HEAD does anything, on any path.", async () => {
    const { app, hub } = bridgeFixture({ time: new ManualTime() });
    hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
    const before = JSON.stringify(hub.snapshot());
    for (const path of [...ROUTES, "/api/orders", "/metrics"]) {
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        const reply = await app.request(path.replace(":name", "app.js"), { method });
        expect(reply.status).toBe(405);
        expect(reply.headers.get("allow")).toBe("GET, HEAD");
      }
    }
    expect(JSON.stringify(hub.snapshot())).toBe(before);
  });

  test("Invariant 9 (the bridge cannot act): what the app is given has reading members only.", async () => {
    const asked: string[] = [];
    const candles = new Proxy(NO_CANDLES, {
      get(target, member) {
        asked.push(String(member));
        return Reflect.get(target, member);
      },
    });
    const { app } = bridgeFixture({ time: new ManualTime(), candles });
    for (const path of [
      "/",
      "/healthz",
      "/readyz",
      "/api/telemetry/snapshot",
      "/api/candles?symbol=BTCUSDT",
      "/api/gaps",
    ]) {
      await app.request(path);
    }
    expect([...new Set(asked)]).toEqual(["bars", "gaps"]);
  });

  test("Invariant 9 (the bridge cannot act): a dead market turns stale and unready, never fresh.", async () => {
    const time = new ManualTime();
    const { app, hub } = bridgeFixture({ time });
    hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
    expect((await app.request("/readyz")).status).toBe(200);
    time.advance(600_000);
    expect((await app.request("/readyz")).status).toBe(503);
    const snapshot = (await (await app.request("/api/telemetry/snapshot")).json()) as TelemetrySnapshot;
    expect(snapshot.nodes[0]).toMatchObject({ node: "md", stale: true, ageMs: 600_000 });
    expect(snapshot.bridge.ready).toBe(false);
  });
});

describe("/healthz", () => {
  test("The process says it is alive, its version and its age, whatever the market does.", async () => {
    const time = new ManualTime();
    const { app } = bridgeFixture({ time });
    time.advance(1500);
    const reply = await app.request("/healthz");
    expect(reply.status).toBe(200);
    expect(await reply.json()).toEqual({ status: "ok", version: "0.1.0", uptimeMs: 1500 });
  });
});

describe("/api/telemetry/snapshot", () => {
  test("It holds every node's newest values and log, the newest candles, ages, and the id it is as of.", async () => {
    const time = new ManualTime();
    const { app, hub } = bridgeFixture({ time });
    hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
    hub.ingest("telemetry.logs.md", logsText({ seq: 1, entries: [{ at: 1, level: "warn", message: "hello" }] }));
    hub.ingest("market.candle.1m.BTCUSDT", candleText({ seq: 1 }));
    time.advance(250);
    const snapshot = (await (await app.request("/api/telemetry/snapshot")).json()) as TelemetrySnapshot;
    expect(snapshot.lastEventId).toBe("testlife-3");
    expect(snapshot.nodes).toHaveLength(1);
    expect(snapshot.nodes[0]).toMatchObject({ role: "market-data", health: { pid: 4242, ageMs: 250, stale: false } });
    expect(snapshot.nodes[0]?.logs?.entries).toEqual([{ n: 1, at: 1, level: "warn", message: "hello" }]);
    expect(snapshot.candles[0]).toMatchObject({ symbol: "BTCUSDT", close: 105, ageMs: 250 });
  });

  test("Ages do not jump when the system clock is set.", async () => {
    const time = new ManualTime();
    const { hub } = bridgeFixture({ time });
    hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
    time.wallShiftMs = -3_600_000;
    time.advance(1000);
    expect(hub.snapshot().nodes[0]?.ageMs).toBe(1000);
  });
});

describe("/api/candles", () => {
  test("It gives flat rows named as on the wire, oldest first, and where the next older page begins.", async () => {
    const { app } = bridgeFixture({ candles: new FabricSource(10) });
    const reply = await app.request("/api/candles?symbol=BTCUSDT&limit=3");
    const page = (await reply.json()) as { candles: Record<string, unknown>[]; older: number };
    expect(page.candles).toHaveLength(3);
    const times = page.candles.map((row) => Number(row.openTime));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(page.candles[0]?.closeTime).toBe((times[0] ?? 0) + 59_999);
    expect(page.older).toBe(times[0] ?? 0);
  });

  test("A symbol that the store does not have is not found; before there is a store, the answer is to come again.", async () => {
    const { app } = bridgeFixture({ candles: new FabricSource(10) });
    expect((await app.request("/api/candles?symbol=NOSUCH")).status).toBe(404);
    const early = await bridgeFixture().app.request("/api/candles?symbol=NOSUCH");
    expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
  });

  for (const query of ["", "?symbol=", "?symbol=btc", "?symbol=A%20B", `?symbol=${"A".repeat(50)}`]) {
    test(`The query "${query.slice(0, 20)}" is refused with one clear error about the symbol.`, async () => {
      const { app } = bridgeFixture();
      const reply = await app.request(`/api/candles${query}`);
      expect(reply.status).toBe(400);
      expect(((await reply.json()) as { error: string }).error).toContain("expected a symbol such as BTCUSDT");
    });
  }

  for (const limit of ["0", "5001", "-1", "1.5", "ten", "", "1e3"]) {
    test(`The limit "${limit}" is refused with one clear error.`, async () => {
      const { app } = bridgeFixture();
      const reply = await app.request(`/api/candles?symbol=BTCUSDT&limit=${limit}`);
      expect(reply.status).toBe(400);
      expect(((await reply.json()) as { error: string }).error).toContain("expected a limit from 1 to 5000");
    });
  }

  test("A store that cannot be read is answered with 503 and no detail; the log has it.", async () => {
    const candles = { ...NO_CANDLES, bars: () => Promise.reject(new Error("Cannot open /secret/path")) };
    const { app, log } = bridgeFixture({ candles });
    const reply = await app.request("/api/candles?symbol=BTCUSDT");
    expect(reply.status).toBe(503);
    expect(await reply.text()).not.toContain("secret");
    expect(log.lines).toEqual(["warn Candles could not be read"]);
  });

  test("A store that does not answer is given up on after five seconds.", async () => {
    const time = new ManualTime();
    const { app } = bridgeFixture({ time, candles: { ...NO_CANDLES, bars: () => new Promise(() => {}) } });
    const reply = app.request("/api/candles?symbol=BTCUSDT");
    await new Promise((resolve) => setImmediate(resolve));
    time.advance(5000);
    expect((await reply).status).toBe(503);
  });

  test("The same question is read once for all who ask; too many different ones are turned away.", async () => {
    let reads = 0;
    const answers: (() => void)[] = [];
    const bars = () => {
      reads++;
      return new Promise<BarPage>((resolve) => answers.push(() => resolve({ bars: [], older: null, isKnown: true })));
    };
    const { app } = bridgeFixture({ candles: { ...NO_CANDLES, bars } });
    const same = Array.from({ length: 50 }, () => app.request("/api/candles?symbol=BTCUSDT"));
    const others = Array.from({ length: MAX_CONCURRENT_READS }, (_, i) => app.request(`/api/candles?symbol=S${i}`));
    await new Promise((resolve) => setImmediate(resolve));
    expect(reads).toBe(MAX_CONCURRENT_READS);
    for (const answer of answers) answer();
    expect((await Promise.all(same)).map((reply) => reply.status)).toEqual(same.map(() => 200));
    const statuses = (await Promise.all(others)).map((reply) => reply.status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(1);
  });
});

describe("The page and its assets", () => {
  const assets = {
    get: (path: string) => {
      if (path === "/") return { body: "<!doctype html>", contentType: "text/html; charset=utf-8" };
      if (path === "/assets/app.js")
        return { body: new Uint8Array([49]), contentType: "text/javascript; charset=utf-8" };
      return null;
    },
  };

  test("The page and its script are served with their types, and what does not exist is 404 in JSON.", async () => {
    const { app } = bridgeFixture({ assets });
    const page = await app.request("/");
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(await (await app.request("/assets/app.js")).text()).toBe("1");
    for (const path of [
      "/assets/none.js",
      "/assets/../../etc/passwd",
      "/assets/%2e%2e%2fetc",
      "/nowhere",
      "/api/none",
    ]) {
      const reply = await app.request(path);
      expect(reply.status).toBe(404);
      expect(await reply.json()).toHaveProperty("error");
    }
  });

  test("Every answer, good or bad, forbids inline script, framing and sniffing, and names no other origin.", async () => {
    const { app } = bridgeFixture({ assets });
    for (const path of ["/", "/healthz", "/nowhere", "/api/candles", "/api/telemetry/snapshot"]) {
      const { headers } = await app.request(path, { headers: { origin: "https://evil.example" } });
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

describe("The Host header", () => {
  for (const host of ["localhost:8080", "127.0.0.1", "127.0.0.1:29420", "[::1]:8080", "LOCALHOST"]) {
    test(`"${host}" reaches the bridge.`, async () => {
      const { app } = bridgeFixture();
      expect((await app.request("/healthz", { headers: { host } })).status).toBe(200);
    });
  }

  for (const host of ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil", "", "127.0.0.1:80:80"]) {
    test(`"${host}" is refused: a page there may have rebound its name to this machine.`, async () => {
      const { app } = bridgeFixture();
      const reply = await app.request("/api/telemetry/snapshot", { headers: { host } });
      expect(reply.status).toBe(403);
      expect(reply.headers.get("content-security-policy")).not.toBeNull();
    });
  }
});

test("A bridge on every address of its machine answers to any address, and still to no other name.", async () => {
  const time = new ManualTime();
  const gate = new Gate({ ...LOCAL_GATE, hosts: [...LOOPBACK_HOSTS, ANY_ADDRESS] }, { clock: time, timers: time });
  const { app } = bridgeFixture({ gate });
  const status = async (host: string) => (await app.request("/healthz", { headers: { host } })).status;
  for (const host of ["192.168.1.7:8080", "[2001:db8::5]:80", "localhost"]) expect(await status(host)).toBe(200);
  for (const host of ["evil.example", "1.2.3.4.evil.example", "any ip address"]) expect(await status(host)).toBe(403);
});

describe("/api/telemetry/stream", () => {
  test("A HEAD request gets the headers and takes no client's place.", async () => {
    const { app, hub } = bridgeFixture();
    const reply = await app.request("/api/telemetry/stream", { method: "HEAD" });
    expect(reply.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(hub.counters()["bridge.clients"]).toBe(0);
    void hub.close();
  });
});

test("Malformed messages are counted and logged at most once in ten seconds per kind, and never fatal.", () => {
  const time = new ManualTime();
  const { hub, log } = bridgeFixture({ time });
  for (let i = 0; i < 1000; i++) hub.ingest("telemetry.metrics", "garbage");
  hub.ingest("something.else", "{}");
  expect(hub.counters()).toMatchObject({ "bridge.malformed.total": 1000, "bridge.foreign.total": 1 });
  expect(log.lines).toEqual(["warn Skipped a malformed message"]);
  time.advance(10_000);
  hub.ingest("telemetry.metrics", "garbage");
  expect(log.lines).toHaveLength(2);
  void hub.close();
});
