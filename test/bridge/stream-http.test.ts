import { afterEach, expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import { HUB_LIMITS } from "../../src/bridge/sse-hub.ts";
import type { Server } from "../../src/core/env.ts";
import { eventually } from "../support/eventually.ts";
import { candleText, healthText, logsText, metricsText } from "./bodies.ts";
import { bridgeFixture, type FixtureOptions, listen } from "./bridge-fixture.ts";
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

async function join(url: string): Promise<SseReader & { abort(): void }> {
  const abort = new AbortController();
  open.push({ stop: () => abort.abort() });
  const reply = await fetch(`${url}/api/telemetry/stream`, { signal: abort.signal });
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

test("Closing the hub ends every stream in order.", async () => {
  const { hub, server } = serve();
  const reader = await join(server.url);
  hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
  hub.close();
  await eventually(() => reader.ended === "closed");
  expect(reader.seqs).toEqual([1]);
});

test("A hundred clients that never read cost bounded memory and do not harm one that does.", async () => {
  const clients = 100;
  const limits = { ...HUB_LIMITS, clientBytes: 256 * 1024 };
  const { hub, server } = serve({ hubLimits: limits });
  const reader = await join(server.url);
  const sockets = await Promise.all(Array.from({ length: clients }, () => neverReading(server)));
  await eventually(() => hub.counters()["bridge.clients"] === clients + 1);
  Bun.gc(true);
  const before = process.memoryUsage().rss;

  // What the kernel takes for a socket that nobody reads is its own affair; past it, the stream's queue has to bound.
  const values = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`metric.${i}`, i]));
  let seq = 0;
  let peak = 0;
  while (hub.counters()["bridge.clients.cut.total"] !== clients) {
    if (++seq > 2000) throw new Error(`Only ${hub.counters()["bridge.clients.cut.total"]} clients were cut off`);
    hub.ingest("telemetry.metrics", metricsText({ seq, values }));
    await eventually(() => reader.seqs.length === seq);
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  expect(hub.counters()["bridge.clients"]).toBe(1);
  expect(reader.seqs).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
  const late = sockets[0] as Socket;
  let over = false;
  late
    .removeAllListeners("error")
    .on("error", () => {})
    .on("close", () => {
      over = true;
    });
  late.resume();
  await eventually(() => over, 5000, "the cut-off client's connection ends");

  const perClient = (peak - before) / clients;
  console.log(`never-reading clients: cut after ${seq} events, peak ${(perClient / 1024).toFixed(0)} KiB per client`);
  expect(perClient).toBeLessThan(2 * 1024 * 1024);
}, 60_000);
