import { type Context, Hono } from "hono";
import { closeTimeOf, type StoredCandle } from "../core/candle.ts";
import type { Clock, Log, Timers } from "../core/env.ts";
import { FabricError, messageOf } from "../core/errors.ts";
import { isSymbol } from "../core/symbol.ts";
import { CandleDesk } from "./candle-desk.ts";
import { type CandleReader, type DashboardAssets, MAX_CANDLES, type TelemetryView } from "./contract.ts";
import { Gate, LOCAL_GATE } from "./gate.ts";

export interface AppDeps {
  readonly telemetry: TelemetryView;
  readonly candles: CandleReader;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly assets: DashboardAssets;
  readonly version: string;
  /** Who is let in; without one, this machine alone. */
  readonly gate?: Gate;
}

const DEFAULT_CANDLES = 500;

/**
 * The bridge's HTTP face. It never listens; hand `app.fetch` to a server that has no idle time-out. Every route reads, none
 * changes anything outside the process (invariant 9).
 */
export function createApp(deps: AppDeps): Hono {
  const app = new Hono();
  const desk = new CandleDesk(deps.candles, deps.timers);
  const startedMs = deps.clock.monotonicMs();

  (deps.gate ?? new Gate(LOCAL_GATE, deps)).guard(app);
  app.get("/healthz", (c) => {
    noStore(c);
    return c.json({ status: "ok", version: deps.version, uptimeMs: Math.round(deps.clock.monotonicMs() - startedMs) });
  });
  app.get("/readyz", (c) => {
    noStore(c);
    const readiness = deps.telemetry.readiness();
    return c.json(readiness, readiness.ready ? 200 : 503);
  });
  app.get("/api/telemetry/snapshot", (c) => {
    noStore(c);
    return c.json(deps.telemetry.snapshot());
  });
  app.get("/api/telemetry/stream", (c) => stream(c, deps.telemetry));
  app.get("/api/candles", (c) => candles(c, desk, deps.log));
  app.get("/", (c) => asset(c, deps.assets));
  app.get("/assets/:name", (c) => asset(c, deps.assets));
  app.notFound((c) => {
    if (c.req.method === "GET" || c.req.method === "HEAD") return c.json({ error: `Nothing at ${c.req.path}` }, 404);
    c.header("allow", "GET, HEAD");
    return c.json({ error: `The bridge only answers GET; it cannot be told to do anything` }, 405);
  });
  app.onError((error, c) => {
    deps.log.error("A request failed", { path: c.req.path.slice(0, 200), error: messageOf(error) });
    return c.json({ error: "The bridge failed to answer; its log says why" }, 500);
  });
  return app;
}

function noStore(c: Context): void {
  c.header("cache-control", "no-store");
}

const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  // A proxy that compresses or buffers would hold events back.
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

function stream(c: Context, telemetry: TelemetryView): Response {
  // Hono answers HEAD through the GET handler and drops the body: a stream opened here would keep its slot for ever.
  if (c.req.raw.method === "HEAD") return c.body(null, 200, STREAM_HEADERS);
  const body = telemetry.openStream(c.req.raw.signal);
  if (body) return c.body(body, 200, STREAM_HEADERS);
  c.header("retry-after", "5");
  return c.json(
    { error: "The bridge has all the stream clients it takes; try again later, or start another bridge" },
    503,
  );
}

async function candles(c: Context, desk: CandleDesk, log: Log): Promise<Response> {
  noStore(c);
  const symbol = c.req.query("symbol");
  if (symbol === undefined || !isSymbol(symbol)) {
    const found = symbol === undefined ? "none" : `"${symbol.slice(0, 60)}"`;
    return c.json({ error: `Cannot read candles: expected a symbol such as BTCUSDT, found ${found}` }, 400);
  }
  const limit = parseLimit(c.req.query("limit"));
  if (limit === null) {
    const found = (c.req.query("limit") ?? "").slice(0, 60);
    return c.json({ error: `Cannot read candles: expected a limit from 1 to ${MAX_CANDLES}, found "${found}"` }, 400);
  }
  try {
    const rows = await desk.latest(symbol, limit);
    return c.json(rows.map(candleRow));
  } catch (error) {
    log.warn("Candles could not be read", { symbol, error: messageOf(error) });
    const busy = error instanceof FabricError && error.code === "try-again";
    c.header("retry-after", "1");
    return c.json(
      { error: busy ? error.message : "The store cannot be read right now; the bridge's log says why" },
      503,
    );
  }
}

function parseLimit(text: string | undefined): number | null {
  if (text === undefined) return DEFAULT_CANDLES;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= MAX_CANDLES ? limit : null;
}

/** Flat, the fields named as on the wire, whatever else the reader's row may hold. */
function candleRow(row: StoredCandle): Readonly<Record<string, string | number | null>> {
  return {
    symbol: row.symbol,
    openTime: row.openTime,
    closeTime: closeTimeOf(row.openTime),
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
    volume: row.volume,
    quoteVolume: row.quoteVolume,
    trades: row.trades,
    takerBuyVolume: row.takerBuyVolume,
    takerBuyQuoteVolume: row.takerBuyQuoteVolume,
    firstTradeId: row.firstTradeId,
    lastTradeId: row.lastTradeId,
    provenance: row.provenance,
    commitSeq: row.commitSeq,
    prevOpenTime: row.prevOpenTime,
  };
}

function asset(c: Context, assets: DashboardAssets): Response | Promise<Response> {
  const found = assets.get(c.req.path);
  if (!found) return c.notFound();
  return c.body(typeof found.body === "string" ? found.body : new Uint8Array(found.body), 200, {
    "content-type": found.contentType,
    "cache-control": "no-cache",
  });
}
