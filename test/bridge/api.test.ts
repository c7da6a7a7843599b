import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { TelemetryHub } from "../../src/bridge/telemetry-hub.ts";
import { TIMEFRAMES } from "../../src/core/timeframe.ts";
import { healthText, logsText } from "./bodies.ts";
import { bridgeFixture, ManualTime, NO_CANDLES } from "./bridge-fixture.ts";
import { FabricSource } from "./fabric-source.ts";
import { askDescribed, type OpenApi, openApiOf } from "./open-api.ts";
import { bearer, guarded, TOKEN } from "./security-support.ts";

const source = new FabricSource(700);
const { app, hub } = bridgeFixture({
  candles: {
    ...source,
    gaps: async () => [{ gapSeq: 3, symbol: "BTCUSDT", fromOpenTime: 0, toOpenTime: 60_000, reason: "venue down" }],
  },
});
for (let i = 0; i < 200; i++) source.second((topic, body) => hub.ingest(topic, body));
const ask = (path: string, init?: RequestInit) => app.request(path, init);
const api: OpenApi = await openApiOf(ask);

/** Every JSON route with queries that it must answer. */
const QUERIES: Readonly<Record<string, readonly string[]>> = {
  "/api/snapshot": [""],
  "/api/nodes": [""],
  "/api/metrics": ["", "?node=sim"],
  "/api/rails": ["", "?node=scanner&symbol=SOLUSDT", "?symbol=BTCUSDT"],
  "/api/scan": ["", "?rule=volume-spike&limit=2"],
  "/api/indicators": ["", "?node=sma-cross&symbol=ETHUSDT", "?limit=1"],
  "/api/logs": ["", "?node=market-data&level=warn", "?text=CLOSED&limit=3"],
  "/api/positions": ["", "?node=sma-cross", "?symbol=BTCUSDT"],
  "/api/orders": ["", "?symbol=ETHUSDT&limit=1", "?node=channel-breakout"],
  "/api/fills": ["", "?symbol=ETHUSDT&limit=1"],
  "/api/decisions": ["", "?node=sma-cross&limit=1000"],
  "/api/candles": ["?symbol=BTCUSDT", ...TIMEFRAMES.map((each) => `?symbol=ETHUSDT&timeframe=${each}&limit=7`)],
  "/api/gaps": ["", "?symbol=BTCUSDT&limit=1000&before=9"],
  "/healthz": [""],
  "/readyz": [""],
};

describe("The API", () => {
  test("describes every route of the router, and no other", () => {
    const routes = app.routes.map(({ path }) => path).filter((path) => path !== "/*" && !/^\/(assets|$)/.test(path));
    const known = [...Object.keys(api.paths), "/api/telemetry/snapshot", "/api/telemetry/stream"];
    // The event stream has its earlier name beside the one that is described.
    expect(known.filter((path) => path !== "/api/stream").sort()).toEqual(
      routes.filter((path) => path !== "/api/stream").sort(),
    );
    const withJson = Object.keys(api.paths).filter((path) => api.paths[path]?.get.responses[400]);
    expect(withJson.sort()).toEqual(Object.keys(QUERIES).sort());
  });

  for (const [path, queries] of Object.entries(QUERIES)) {
    test(`${path} answers as its schema says, with nothing that is not described`, async () => {
      for (const query of queries) await askDescribed(ask, api, path + query);
    });
  }

  test("bounds every list in its schema", () => {
    const unbounded: string[] = [];
    const walk = (schema: unknown, at: string): void => {
      if (typeof schema !== "object" || schema === null) return;
      const { type, maxItems, maxProperties, properties } = schema as Readonly<Record<string, unknown>>;
      if (type === "array" && maxItems === undefined) unbounded.push(at);
      if (type === "object" && properties === undefined && maxProperties === undefined) unbounded.push(at);
      for (const [name, member] of Object.entries(schema)) walk(member, `${at}/${name}`);
    };
    for (const [path, { get }] of Object.entries(api.paths))
      walk(get.responses[200]?.content["application/json"]?.schema, path);
    expect(unbounded).toEqual([]);
  });

  test("describes each parameter with bounds, and takes what it says stands where none is given", () => {
    for (const { get } of Object.values(api.paths)) {
      for (const parameter of get.parameters ?? []) {
        expect(parameter.in).toBe("query");
        expect(parameter.description).not.toBe(parameter.name);
        const { type, enum: values, maximum, maxLength, pattern } = parameter.schema;
        expect(values ?? (type === "integer" || type === "number" ? maximum : (maxLength ?? pattern))).toBeDefined();
        if (parameter.name === "limit") expect(parameter.schema.default).toBeGreaterThan(0);
      }
    }
  });

  test("tells what is answered before a route is reached: without a token, under another host's name, too often", async () => {
    const bridge = guarded();
    const url = "/api/nodes";
    const stranger: RequestInit = { headers: { host: "evil.example", authorization: `Bearer ${TOKEN}` } };
    await askDescribed((path) => bridge.ask(path), api, url, 401);
    await askDescribed((path) => bridge.ask(path, stranger), api, url, 403);
    await askDescribed((path) => bridge.ask(path, bearer(TOKEN)), api, url);
    for (let i = 0; i < 200; i++) await bridge.ask("/healthz", {}, "10.0.0.1");
    await askDescribed((path) => bridge.ask(path, bearer(TOKEN), "10.0.0.1"), api, url, 429);
    expect((await openApiOf((path) => bridge.ask(path, bearer(TOKEN)))).paths).toEqual(api.paths);
  });

  test("is a list for people where a browser asks, and JSON for everybody else", async () => {
    const page = await ask("/api", { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } });
    expect(page.headers.get("content-type")).toStartWith("text/html");
    const html = await page.text();
    for (const path of Object.keys(api.paths)) expect(html).toContain(`<code>${path}</code>`);
    expect(html).not.toContain("<script");
    expect(html).not.toContain("style=");
    for (const accept of ["*/*", "application/json, text/html", ""]) {
      const reply = await ask("/api", { headers: { accept } });
      expect(reply.headers.get("content-type")).toStartWith("application/json");
    }
  });
});

const BAD: readonly (readonly [query: string, expected: string, found: string])[] = [
  ["/api/candles", "expected a symbol such as BTCUSDT", "found none"],
  ["/api/candles?symbol=btc", "expected a symbol such as BTCUSDT", 'found "btc"'],
  ["/api/candles?symbol=BTCUSDT&symbol=ETHUSDT", "expected symbol once", "found it 2 times"],
  ["/api/candles?symbol=BTCUSDT&timeframe=7m", "expected a timeframe: one of 1m, 3m, 5m", 'found "7m"'],
  ["/api/candles?symbol=BTCUSDT&timeframe=", "expected a timeframe", 'found ""'],
  ["/api/candles?symbol=BTCUSDT&limit=0", "expected a limit from 1 to 5000", 'found "0"'],
  ["/api/candles?symbol=BTCUSDT&limit=5001", "expected a limit from 1 to 5000", 'found "5001"'],
  ["/api/candles?symbol=BTCUSDT&limit=1e2", "expected a limit from 1 to 5000", 'found "1e2"'],
  ["/api/candles?symbol=BTCUSDT&from=-1", "expected a time in whole ms since 1970", 'found "-1"'],
  ["/api/candles?symbol=BTCUSDT&to=2025-01-01", "expected a time in whole ms since 1970", 'found "2025-01-01"'],
  ["/api/candles?symbol=BTCUSDT&before=9999999999999999", "expected a time in whole ms", 'found "9999999999999999"'],
  [
    "/api/candles?symbol=BTCUSDT&timeFrame=1m",
    "expected only symbol, timeframe, from, to, before, limit",
    'found a parameter "timeFrame"',
  ],
  ["/api/gaps?before=0", "expected a number", 'found "0"'],
  ["/api/gaps?symbol=A%20B", "expected a symbol", 'found "A B"'],
  ["/api/orders?limit=1001", "expected a limit from 1 to 1000", 'found "1001"'],
  ["/api/orders?node=", "expected a node's name", 'found ""'],
  [`/api/orders?node=${"n".repeat(65)}`, "expected a node's name", `found "${"n".repeat(60)}"`],
  ["/api/fills?__proto__=1", "expected only node, symbol, limit", 'found a parameter "__proto__"'],
  ["/api/decisions?symbol=", "expected a symbol", 'found ""'],
  ["/api/indicators?limit=65", "expected a limit from 1 to 64", 'found "65"'],
  ["/api/metrics?symbol=BTCUSDT", "expected only node", 'found a parameter "symbol"'],
  ["/api/rails?symbol=btcusdt", "expected a symbol", 'found "btcusdt"'],
  ["/api/scan?rule=", "expected a name of 1 to 64 characters", 'found ""'],
  ["/api/logs?level=fatal", "expected the least severity: one of debug, info, warn, error", 'found "fatal"'],
  [`/api/logs?text=${"x".repeat(201)}`, "expected a text of 1 to 200 characters", `found "${"x".repeat(60)}"`],
  ["/api/logs?before=yesterday", "expected what an earlier answer gave as older", 'found "yesterday"'],
  ["/api/snapshot?a=1", "expected no parameters", 'found a parameter "a"'],
  ["/api/nodes?node=sim", "expected no parameters", 'found a parameter "node"'],
  ["/healthz?x", "expected no parameters", 'found a parameter "x"'],
];

describe("A query that is not as expected", () => {
  for (const [query, expected, found] of BAD) {
    test(`${query.slice(0, 60)} is refused, naming what was expected and what was found`, async () => {
      const { error } = await askDescribed(ask, api, query, 400);
      expect(error).toStartWith(`Cannot read ${query.split("?")[0]}: expected `);
      expect(error).toContain(expected);
      expect(error).toContain(found);
    });
  }

  const UNKNOWN = [
    ...["metrics", "rails", "indicators", "logs", "positions", "orders", "fills", "decisions"].map(
      (route) => `${route}?node=nobody`,
    ),
    ...["rails", "indicators", "positions", "orders", "fills", "decisions", "candles"].map(
      (route) => `${route}?symbol=NOSUCH`,
    ),
    "scan?rule=no-such-rule",
  ];
  for (const query of UNKNOWN) {
    test(`/api/${query} is not found, naming what there is`, async () => {
      const { error } = await askDescribed(ask, api, `/api/${query}`, 404);
      expect(error).toMatch(/there are|The store has no candle of NOSUCH/);
    });
  }

  test("Any text as any parameter is answered with 200, 400 or 404 and JSON", async () => {
    const names = fc.constantFrom(
      "symbol",
      "node",
      "limit",
      "before",
      "from",
      "timeframe",
      "level",
      "text",
      "rule",
      "x",
    );
    const values = fc.oneof(
      fc.string(),
      fc.constantFrom("BTCUSDT", "1", "0", "-1", "1e9", "null", "%00", "sma-cross", "1m"),
    );
    const paths = fc.constantFrom(...Object.keys(QUERIES));
    await fc.assert(
      fc.asyncProperty(paths, fc.array(fc.tuple(names, values), { maxLength: 4 }), async (path, pairs) => {
        const reply = await ask(`${path}?${new URLSearchParams(pairs.map(([name, value]) => [name, value]))}`);
        expect([200, 400, 404]).toContain(reply.status);
        expect(await reply.json()).toBeDefined();
      }),
      { numRuns: 300 },
    );
  });
});

describe("Answers", () => {
  test("Orders, fills and decisions come newest first, each with its node, age and staleness, money as decimal strings", async () => {
    const { orders } = (await (await ask("/api/orders?limit=1000")).json()) as { orders: Record<string, unknown>[] };
    const times = orders.map(({ openTime }) => Number(openTime));
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect(orders[0]).toMatchObject({ node: "sma-cross", mode: "paper", stale: false, quantity: expect.any(String) });
    const { fills } = (await (await ask("/api/fills")).json()) as { fills: Record<string, unknown>[] };
    expect(fills.length).toBeGreaterThan(0);
    for (const fill of fills)
      expect([typeof fill.price, typeof fill.quantity, typeof fill.fee]).toEqual(["string", "string", "string"]);
    const { decisions } = (await (await ask("/api/decisions")).json()) as { decisions: Record<string, unknown>[] };
    expect(decisions.some(({ outcome, outcomeReason }) => outcome === "expired" && outcomeReason !== null)).toBe(true);
  });

  test("Paging the logs gives every remembered line exactly once, whatever the page and the filter", async () => {
    const time = new ManualTime();
    const bridge = bridgeFixture({ time });
    const levels = ["debug", "info", "warn", "error"] as const;
    for (const [n, node] of ["a", "b", "c ~ñ\n"].entries()) {
      const entries = Array.from({ length: 90 }, (_, i) => ({
        at: 1000 + (i >> 3),
        level: levels[(i + n) % 4] ?? "info",
        message: `line ${i} of ${node}`,
      }));
      bridge.hub.ingest(`telemetry.logs.${node}`, logsText({ node, seq: 1, entries }));
    }
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom("", "&level=warn", "&node=b", "&text=1%20of"),
        async (limit, filter) => {
          const seen: string[] = [];
          for (let before: string | null = ""; before !== null; ) {
            const query = `/api/logs?limit=${limit}${filter}${before === "" ? "" : `&before=${encodeURIComponent(before)}`}`;
            const page = (await (await bridge.app.request(query)).json()) as {
              entries: { node: string; n: number; at: number }[];
              older: string | null;
            };
            seen.push(...page.entries.map(({ node, n }) => `${node} ${n}`));
            before = page.older;
          }
          const all = (await (await bridge.app.request(`/api/logs?limit=1000${filter}`)).json()) as {
            entries: { node: string; n: number }[];
          };
          expect(seen).toEqual(all.entries.map(({ node, n }) => `${node} ${n}`));
          expect(new Set(seen).size).toBe(seen.length);
          expect(seen.length).toBe(filter === "" ? 270 : filter === "&node=b" ? 90 : seen.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("What a node told last shows its age and staleness once the node falls silent", async () => {
    const time = new ManualTime();
    const bridge = bridgeFixture({ time });
    told(bridge.hub);
    time.advance(5000);
    const { nodes } = (await (await bridge.app.request("/api/nodes")).json()) as { nodes: Record<string, unknown>[] };
    expect(nodes).toEqual([expect.objectContaining({ node: "md", ageMs: 5000, stale: true })]);
    expect((await bridge.app.request("/readyz")).status).toBe(503);
  });

  test("Without a store, candles and gaps are to be asked for again, and not taken for absent", async () => {
    const bridge = bridgeFixture({ candles: NO_CANDLES });
    for (const path of ["/api/candles?symbol=BTCUSDT", "/api/gaps", "/api/gaps?symbol=BTCUSDT"]) {
      const { error } = await askDescribed((each) => bridge.app.request(each), api, path, 503);
      expect(error).toContain("no market store yet");
    }
  });

  test("Candles of a timeframe tell the stretches without any minute between them", async () => {
    const rows = (
      await source.bars({ symbol: "BTCUSDT", timeframe: "1m", from: null, to: null, before: null, limit: 10 })
    ).bars;
    const bars = rows.filter((_, i) => i < 3 || i > 6);
    const bridge = bridgeFixture({
      candles: { ...NO_CANDLES, bars: async () => ({ bars, older: null, isKnown: true }) },
    });
    const page = (await (await bridge.app.request("/api/candles?symbol=BTCUSDT")).json()) as Record<string, unknown>;
    expect(page.absent).toEqual([{ fromOpenTime: rows[3]?.openTime, toOpenTime: rows[6]?.openTime }]);
    expect(page.heard).toBeNull();
  });
});

function told(bridge: TelemetryHub): void {
  bridge.ingest("telemetry.health.md", healthText({ seq: 1 }));
}
