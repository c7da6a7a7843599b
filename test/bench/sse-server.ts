import { type Context, Hono } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { platform } from "#platform";
import { createApp } from "../../src/bridge/app.ts";
import { TelemetryHub } from "../../src/bridge/telemetry-hub.ts";
import { largeMessage, metricsMessage } from "./sse-events.ts";

// What is measured by sse.ts, as a process of its own: `bridge` (the bridge's app and hub as the role wires them) or `hono` (the same
// events through Hono's streamSSE, each written to each stream), fed RATE events a second at even distances.

export type Counters = Readonly<Record<string, number>>;

const [kind = "bridge", rate = "20"] = process.argv.slice(2);
const log = { debug() {}, info() {}, warn: console.error, error: console.error };
const served = kind === "bridge" ? bridge() : hono();
const server = platform.serve({
  host: "127.0.0.1",
  port: 0,
  fetch: (request) => served.app.fetch(request),
  // Also for Hono, so that both meet the same kernel.
  unreadBytes: 128 * 1024,
});
process.on("message", (word) => {
  if (word === "fill") fill();
  process.send?.(served.counters());
});
process.send?.({ port: server.port });

const LARGE_MESSAGES = 120;
const startMs = performance.now();
const everyMs = 1000 / Number(rate);
let sent = 0;
setInterval(
  () => {
    const due = Math.floor((performance.now() - startMs) / everyMs);
    while (sent < due) {
      const { topic, body } = metricsMessage(++sent);
      served.publish(topic, body);
    }
  },
  Math.max(1, Math.min(everyMs, 10)),
);

/** More than a socket takes without being read. */
function fill(): void {
  for (let n = 1; n <= LARGE_MESSAGES; n++) {
    const { topic, body } = largeMessage(n);
    served.publish(topic, body);
  }
}

interface Served {
  readonly app: Hono;
  publish(topic: string, body: string): void;
  counters(): Counters;
}

function bridge(): Served {
  const hub = new TelemetryHub({ ...platform, log, epoch: platform.random.uuid(), version: "bench" });
  const app = createApp({
    ...platform,
    log,
    telemetry: hub,
    candles: { bars: async () => null, gaps: async () => null },
    assets: { get: () => null },
    version: "bench",
  });
  return { app, publish: (topic, body) => hub.ingest(topic, body), counters: () => hub.counters() };
}

function hono(): Served {
  const app = new Hono();
  const streams = new Set<SSEStreamingApi>();
  app.get("/api/stream", (c: Context) =>
    streamSSE(c, async (stream) => {
      streams.add(stream);
      await new Promise<void>((resolve) => stream.onAbort(resolve));
      streams.delete(stream);
    }),
  );
  let seq = 0;
  return {
    app,
    publish(_topic, data) {
      const message = { event: "metrics", id: `bench-${++seq}`, data };
      for (const stream of streams) void stream.writeSSE(message);
    },
    counters: () => ({ "bridge.clients": streams.size, "bridge.events.total": seq }),
  };
}
