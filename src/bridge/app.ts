import { type Context, Hono } from "hono";
import type { Clock, Log, Timers } from "../core/env.ts";
import { messageOf } from "../core/errors.ts";
import { type ApiRoute, answer } from "./api-route.ts";
import { CandleDesk } from "./candle-desk.ts";
import type { CandleReader, DashboardAssets, TelemetryView } from "./contract.ts";
import { Gate, LOCAL_GATE } from "./gate.ts";
import grafana from "./grafana.json" with { type: "json" };
import { openApi, routeList } from "./openapi.ts";
import { prometheusText } from "./prometheus.ts";
import { marketRoutes } from "./routes/market.ts";
import { serviceRoutes } from "./routes/service.ts";
import { telemetryRoutes } from "./routes/telemetry.ts";
import { tradingRoutes } from "./routes/trading.ts";
import { streamRoute } from "./stream-route.ts";

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

/**
 * The bridge's HTTP face. It never listens; hand `app.fetch` to a server that has no idle time-out. Every route reads, none
 * changes anything outside the process (invariant 9).
 */
export function createApp(deps: AppDeps): Hono {
  const app = new Hono();
  const desk = new CandleDesk(deps.candles, deps.timers);
  const routes = [
    ...telemetryRoutes(deps.telemetry),
    ...tradingRoutes(deps.telemetry),
    ...marketRoutes({ ...deps, desk }),
    ...serviceRoutes(deps),
  ];

  (deps.gate ?? new Gate(LOCAL_GATE, deps)).guard(app);
  for (const route of routes) app.get(route.path, (c) => answer(route, c));
  // By its earlier name.
  app.get("/api/telemetry/snapshot", (c) => c.json(deps.telemetry.snapshot(), 200, NO_STORE));
  app.get("/api", description(routes, deps.version));
  app.get("/metrics", (c) => c.body(prometheusText(deps.telemetry.snapshot()), 200, METRICS_HEADERS));
  app.get("/grafana.json", (c) => c.json(grafana, 200, { "cache-control": "no-cache" }));
  app.on("GET", ["/api/stream", "/api/telemetry/stream"], streamRoute(deps.telemetry));
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

const NO_STORE = { "cache-control": "no-store" };
const METRICS_HEADERS = { ...NO_STORE, "content-type": "text/plain; version=0.0.4; charset=utf-8" };

/** For programs, unless text/html is asked for before anything else that would do. Made when it is first asked for. */
function description(routes: readonly ApiRoute[], version: string): (c: Context) => Response {
  let json: string | null = null;
  return (c) => {
    c.header("cache-control", "no-cache");
    c.header("vary", "accept");
    const kinds = (c.req.header("accept") ?? "").split(",").map((kind) => kind.split(";")[0]?.trim());
    const first = kinds.find((kind) => kind === "text/html" || kind === "application/json");
    if (first === "text/html") return c.html(routeList(routes, version));
    json ??= JSON.stringify(openApi(routes, version));
    return c.body(json, 200, { "content-type": "application/json" });
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
