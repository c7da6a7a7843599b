import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import grafana from "../../src/bridge/grafana.json" with { type: "json" };
import { metricName } from "../../src/bridge/metric-names.ts";
import { healthText, metricsText } from "./bodies.ts";
import { bridgeFixture, ManualTime } from "./bridge-fixture.ts";
import { FabricSource } from "./fabric-source.ts";
import { fallen, metricsIn, parseProm } from "./prom-text.ts";

describe("The checker of Prometheus's format", () => {
  const head = "# HELP a_total what\n# TYPE a_total counter\n";
  for (const bad of [
    "a_total 1\n",
    `${head}a_total 1`,
    `${head}a_total{x=1} 1\n`,
    `${head}a_total{x="a\nb"} 1\n`,
    `${head}a_total{x="1"} 1\na_total{x="1"} 2\n`,
    `${head}a_total{x="1",x="2"} 1\n`,
    `${head}b_total 1\n`,
    `${head}a_total one\n`,
    `${head}a_total 1\n${head}a_total{x="2"} 1\n`,
    "# HELP a what\n# TYPE a counter\na 1\n",
    "# TYPE a gauge\na 1\n",
    `${head}\n`,
  ]) {
    test(`refuses ${JSON.stringify(bad).slice(0, 70)}`, () => expect(() => parseProm(bad)).toThrow());
  }
});

describe("/metrics", () => {
  test("is text of the format, with every node, rail and symbol, and never falls from one scrape to the next", async () => {
    const { app, hub } = bridgeFixture();
    const source = new FabricSource(60);
    let before = parseProm(await (await app.request("/metrics")).text());
    for (let second = 0; second < 30; second++) {
      source.second((topic, body) => hub.ingest(topic, body));
      const reply = await app.request("/metrics");
      expect(reply.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      const now = parseProm(await reply.text());
      expect(fallen(before, now)).toEqual([]);
      before = now;
    }
    const value = (series: string) => before.get(series.split("{")[0] ?? "")?.samples.get(series);
    expect(value("fabric_ready")).toBe(1);
    expect(value('fabric_node_up{node="sim",role="sim"}')).toBe(1);
    expect(value('fabric_node_state{node="channel-breakout",role="runner",state="degraded"}')).toBe(1);
    expect(value('fabric_rails{node="channel-breakout",role="runner",rail="fallback"}')).toBe(1);
    expect(value('fabric_store_rows_total{node="market-data",role="market-data"}')).toBeGreaterThan(180);
    expect(value('fabric_close_to_publish_p99_seconds{node="market-data",role="market-data"}')).toBeCloseTo(0.0062);
    expect(value('fabric_profit_today{node="sma-cross",role="runner",quote="USDT"}')).toBeDefined();
    expect(value("fabric_exposition_omitted_samples")).toBe(0);
  });

  test("tells of a silent node that it is down, and none of its old figures", async () => {
    const time = new ManualTime();
    const { app, hub } = bridgeFixture({ time });
    hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
    hub.ingest("telemetry.metrics", metricsText({ seq: 1, values: { "store.rows": 5 } }));
    expect(await (await app.request("/metrics")).text()).toContain(
      'fabric_store_rows_total{node="md",role="market-data"} 5\n',
    );
    time.advance(4000);
    const text = await (await app.request("/metrics")).text();
    expect(text).toContain('fabric_node_up{node="md",role="market-data"} 0\n');
    expect(text).toContain('fabric_node_heard_age_seconds{node="md",role="market-data"} 4\n');
    expect(text).not.toContain("fabric_store_rows_total");
    parseProm(text);
  });

  test("is of the format whatever nodes call their figures and themselves; what has no name of its own is counted", async () => {
    const dotted = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom(
        "a.b.total",
        "a_b.total",
        "a.b",
        "aB",
        "x.ms",
        "x.seconds",
        "x.ms.total",
        "store.rows",
        "node.up",
        "valueOf",
        "constructor",
      ),
    );
    const values = fc.dictionary(dotted, fc.double({ noNaN: true, noDefaultInfinity: true }), { maxKeys: 12 });
    const node = fc.string({ minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(node, values, async (name, figures) => {
        const { app, hub } = bridgeFixture({ time: new ManualTime() });
        hub.ingest("telemetry.metrics", metricsText({ node: name, seq: 1, values: figures }));
        const families = parseProm(await (await app.request("/metrics")).text());
        const known = hub.snapshot().nodes[0]?.metrics?.values ?? {};
        const shown = new Set(Object.keys(known).flatMap((each) => metricName(each)?.name ?? []));
        for (const each of shown) expect(families.has(each)).toBe(true);
        const omitted = families.get("fabric_exposition_omitted_samples")?.samples.values().next().value ?? -1;
        expect(omitted).toBeGreaterThanOrEqual(Object.keys(known).length - shown.size);
      }),
      { numRuns: 200 },
    );
  });

  test("a figure's name, type and unit follow from its dotted name", () => {
    const told = (dotted: string) => {
      const { name, type, factor } = metricName(dotted) ?? { name: null, type: null, factor: null };
      return [name, type, factor];
    };
    expect(told("orders.refused.in.flight.total")).toEqual(["fabric_orders_refused_in_flight_total", "counter", 1]);
    expect(told("store.commits")).toEqual(["fabric_store_commits_total", "counter", 1]);
    expect(told("store.lastCommitMs")).toEqual(["fabric_store_last_commit_seconds", "gauge", 0.001]);
    expect(told("loop.lag.p99.ms")).toEqual(["fabric_loop_lag_p99_seconds", "gauge", 0.001]);
    expect(told("ingest.backfill.givenUp.total")).toEqual(["fabric_ingest_backfill_given_up_total", "counter", 1]);
    expect(told("no good")).toEqual([null, null, null]);
  });
});

describe("The Grafana dashboard", () => {
  const expressions = grafana.panels.flatMap(({ targets }) => targets?.map(({ expr }) => expr) ?? []);

  test("is served as it stands in the sources", async () => {
    const { app } = bridgeFixture();
    expect(await (await app.request("/grafana.json")).json()).toEqual(structuredClone(grafana));
  });

  test("asks only for figures of fabric, rates only of counters, and has a panel for what an operator wants", () => {
    for (const expr of expressions) {
      expect(metricsIn(expr).length).toBeGreaterThan(0);
      for (const [, name = ""] of expr.matchAll(/(?:rate|increase)\((fabric_[a-z0-9_]+)/g))
        expect(name).toEndWith("_total");
      expect(expr.split("(").length).toBe(expr.split(")").length);
    }
    const titles = grafana.panels.map(({ title }) => title);
    for (const wanted of ["Data age", "Candles per minute", "Symbols by rail", "PnL", "Orders per minute", "Drops"])
      expect(titles).toContain(wanted);
    for (const wanted of ["Gaps and holes", "Event-loop lag", "CPU", "Memory", "Venue connections opened anew"])
      expect(titles).toContain(wanted);
    expect(new Set(grafana.panels.map(({ id }) => id)).size).toBe(grafana.panels.length);
  });
});
