import { afterEach, expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import { HUB_LIMITS } from "../../src/bridge/sse-limits.ts";
import type { Server } from "../../src/core/env.ts";
import { eventually } from "../support/eventually.ts";
import { candleText, healthText, logsText, metricsText } from "./bodies.ts";
import { bridgeFixture, type FixtureOptions, listen } from "./bridge-fixture.ts";
import { CountingSocket } from "./sse-counting-socket.ts";
import { SseReader } from "./sse-reader.ts";

const open: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.stop();
});

function serve(options: FixtureOptions = {}) {
  const fixture = bridgeFixture(options);
  const server = listen(fixture.app);
  open.push(server, { stop: () => fixture.hub.close() });
  return { ...fixture, server };
}

async function join(
  url: string,
  path = "/api/telemetry/stream",
  headers: Readonly<Record<string, string>> = {},
): Promise<SseReader & { abort(): void }> {
  const abort = new AbortController();
  open.push({ stop: () => abort.abort() });
  const reply = await fetch(url + path, { signal: abort.signal, headers });
  if (reply.status !== 200 || !reply.body) throw new Error(`The stream answered ${reply.status}`);
  return Object.assign(new SseReader(reply.body), { abort: () => abort.abort() });
}

/** A TCP client that asks for the stream and never reads a byte of it. */
function neverReading(server: Server): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port: server.port, host: "127.0.0.1" }, () => {
      socket.write("GET /api/telemetry/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      resolve(socket);
    });
    socket.pause();
    socket.on("error", reject);
    open.push({ stop: () => socket.destroy() });
  });
}

test("Over real HTTP a client gets the snapshot of all event types, then what follows, ids without a hole.", async () => {
  const { hub, server } = serve();
  hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
  hub.ingest("telemetry.metrics", metricsText({ seq: 1 }));
  hub.ingest("telemetry.logs.md", logsText({ seq: 1, entries: [{ at: 1, level: "info", message: "one" }] }));
  hub.ingest("market.candle.1m.BTCUSDT", candleText({ seq: 1 }));
  const reader = await join(server.url);
  await eventually(() => reader.seqs.length === 4);
  expect(reader.events.map((event) => event.event)).toEqual(["bridge", "health", "metrics", "logs", "candle"]);
  for (let seq = 2; seq <= 200; seq++) hub.ingest("telemetry.metrics", metricsText({ seq, values: { seq } }));
  await eventually(() => reader.seqs.length === 203);
  expect(reader.seqs).toEqual(Array.from({ length: 203 }, (_, i) => i + 1));
});

test("A quiet stream stays open and is kept alive by heartbeats.", async () => {
  const { server } = serve({ hubTimes: { heartbeatMs: 20 } });
  const reader = await join(server.url);
  await eventually(() => reader.comments.length >= 5);
  expect(reader.ended).toBeNull();
});

test("A killed client frees its place.", async () => {
  const { hub, server } = serve();
  const socket = await neverReading(server);
  const reader = await join(server.url);
  await eventually(() => hub.counters()["bridge.clients"] === 2);
  socket.destroy();
  await eventually(() => hub.counters()["bridge.clients"] === 1);
  reader.abort();
  await eventually(() => hub.counters()["bridge.clients"] === 0);
});

test("Past the client limit the answer is a clear 503, and a place that frees is given again.", async () => {
  const { hub, server } = serve({ hubLimits: { ...HUB_LIMITS, clients: 2 } });
  const first = await join(server.url);
  await join(server.url);
  const refused = await fetch(`${server.url}/api/telemetry/stream`);
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("5");
  expect(await refused.json()).toHaveProperty("error");
  first.abort();
  await eventually(() => hub.counters()["bridge.clients"] === 1);
  await join(server.url);
});

test("Closing the hub, then the server, ends every stream in order, with all that was told before.", async () => {
  const { hub, server } = serve();
  const readers = await Promise.all(Array.from({ length: 20 }, () => join(server.url)));
  hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
  await hub.close();
  await server.stop();
  await eventually(() => readers.every((reader) => reader.ended !== null));
  for (const reader of readers) {
    expect(reader.ended).toBe("closed");
    expect(reader.seqs).toEqual([1]);
  }
});

test("A client that comes back over HTTP goes on from its last event, by header or by query; another life's id is answered with resync.", async () => {
  const { hub, server } = serve();
  for (let seq = 1; seq <= 5; seq++) hub.ingest("telemetry.metrics", metricsText({ seq }));
  hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
  const byHeader = await join(server.url, "/api/stream", { "last-event-id": "testlife-5" });
  const byQuery = await join(server.url, "/api/stream?lastEventId=testlife-5");
  const foreign = await join(server.url, "/api/stream", { "last-event-id": "otherlife-5" });
  await eventually(() => byHeader.seqs.length + byQuery.seqs.length === 2 && foreign.seqs.length === 2);
  expect(byHeader.seqs).toEqual([6]);
  expect(byQuery.seqs).toEqual([6]);
  expect(foreign.events.map((event) => event.event)).toEqual(["bridge", "resync", "metrics", "health"]);
});

test("Topics are chosen in the address; unknown ones are answered 400 with those that are known.", async () => {
  const { hub, server } = serve();
  const reader = await join(server.url, "/api/stream?topics=health,candle.ETHUSDT");
  hub.ingest("market.candle.1m.BTCUSDT", candleText({ seq: 1 }));
  hub.ingest("market.candle.1m.ETHUSDT", candleText({ seq: 1, symbol: "ETHUSDT" }));
  hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
  await eventually(() => reader.seqs.length === 2);
  expect(reader.seqs).toEqual([2, 3]);
  const refused = await fetch(`${server.url}/api/stream?topics=weather`);
  expect(refused.status).toBe(400);
  expect(((await refused.json()) as { error: string }).error).toMatch(/health.*candle.*found "weather"/);
});

test("What a proxy must know is in the headers, also of an answer to HEAD, which takes no place.", async () => {
  const { hub, server } = serve();
  for (const method of ["GET", "HEAD"]) {
    const abort = new AbortController();
    const reply = await fetch(`${server.url}/api/stream`, { method, signal: abort.signal });
    expect(reply.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(reply.headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(reply.headers.get("x-accel-buffering")).toBe("no");
    expect(reply.headers.get("content-encoding")).toBeNull();
    abort.abort();
  }
  await eventually(() => hub.counters()["bridge.clients"] === 0);
});

test("Two hundred clients, twenty of which never read: the others get every event, and what the twenty cost is bounded.", async () => {
  const [reading, deaf] = [180, 20];
  const { hub, server } = serve();
  const readers = Array.from({ length: reading }, () => new CountingSocket(server.port, "/api/stream"));
  open.push(...readers.map(({ socket }) => ({ stop: () => socket.destroy() })));
  await Promise.all(Array.from({ length: deaf }, () => neverReading(server)));
  await eventually(() => hub.counters()["bridge.clients"] === reading + deaf, 20_000);
  const values = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`metric.${i}`, i]));
  const slow = () => hub.counters()["bridge.clients.slow"];
  let seq = 0;
  const send = async (count: number) => {
    for (let i = 0; i < count; i++) {
      hub.ingest("telemetry.metrics", metricsText({ seq: ++seq, values }));
      await eventually(() => readers.every((reader) => reader.seqs.length >= seq), 20_000);
    }
  };
  // What the kernel takes for a socket that nobody reads is its own affair; past it, they are slow.
  while (slow() !== deaf) {
    if (seq > 500) throw new Error(`Only ${slow()} of ${deaf} clients that never read were found slow`);
    await send(10);
  }
  // Left alone, Linux takes 4 MB.
  if (process.platform === "linux") expect(seq * JSON.stringify(values).length).toBeLessThan(1.5 * 1024 * 1024);
  Bun.gc(true);
  const before = process.memoryUsage().rss;
  await send(100);
  Bun.gc(true);
  const perClient = (process.memoryUsage().rss - before) / deaf;
  console.log(`never-reading clients: slow after ${seq - 100} events, then ${(perClient / 1024).toFixed(0)} KiB each`);
  expect(perClient).toBeLessThan(2 * 1024 * 1024);
  expect(hub.counters()).toMatchObject({ "bridge.clients.slow": deaf, "bridge.clients.cut.total": 0 });
  for (const reader of readers) expect(reader.seqs).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
}, 120_000);

test("A client that stops reading for a while ends with the newest, told in rising order; one that never reads is cut off.", async () => {
  const { hub, server } = serve({
    hubLimits: { ...HUB_LIMITS, stuckMs: 4000 },
    hubTimes: { heartbeatMs: 100 },
  });
  const resting = new CountingSocket(server.port, "/api/stream");
  resting.socket.pause();
  open.push({ stop: () => resting.socket.destroy() });
  const deaf = await neverReading(server);
  let deafIsOver = false;
  deaf.on("close", () => {
    deafIsOver = true;
  });
  await eventually(() => hub.counters()["bridge.clients"] === 2);
  const values = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`metric.${i}`, i]));
  let seq = 0;
  while (hub.counters()["bridge.clients.slow"] !== 2) {
    if (seq > 2000) throw new Error("Clients that never read were not found slow");
    hub.ingest("telemetry.metrics", metricsText({ seq: ++seq, values }));
    await new Promise((resolve) => setImmediate(resolve));
  }
  hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
  const ids = resting.seqs;
  resting.socket.resume();
  await eventually(() => ids.at(-1) === seq + 1, 20_000);
  expect(ids).toEqual([...new Set(ids)].sort((one, other) => one - other));
  expect(ids.length).toBeLessThan(seq + 1);
  expect(ids).toContain(seq);
  expect(hub.counters()["bridge.conflated.total"]).toBe(seq + 1 - ids.length);
  await eventually(() => hub.counters()["bridge.clients.cut.total"] === 1, 20_000);
  expect(hub.counters()).toMatchObject({ "bridge.clients": 1, "bridge.clients.slow": 0 });
  deaf.removeAllListeners("error").on("error", () => {});
  deaf.resume();
  await eventually(() => deafIsOver, 20_000, "the cut-off client's connection ends");
}, 60_000);
