import type { Rail } from "../core/wire.ts";
import type { NodeView, TelemetrySnapshot } from "./contract.ts";
import { metricName } from "./metric-names.ts";

/** Samples of one scrape; more are left out and counted. */
const MAX_SAMPLES = 50_000;

type Labels = Readonly<Record<string, string>>;
type MetricType = "counter" | "gauge";

const RAILS: readonly Rail[] = ["FAST", "FALLBACK", "STALE"];
const STATES = ["starting", "running", "degraded", "failed", "halted", "stopping"] as const;

/**
 * Prometheus's text format 0.0.4 of all that the bridge hears. Of a node that is stale only its being so is told: its old figures
 * would look like new ones. Labels: node, role, symbol, and rail, state, quote where they tell apart.
 */
export function prometheusText(snapshot: TelemetrySnapshot): string {
  const text = new Exposition();
  bridgeFigures(text, snapshot);
  for (const view of snapshot.nodes) {
    const labels = { node: view.node, role: view.role ?? "unknown" };
    nodeFigures(text, view, labels);
    if (view.stale) continue;
    railFigures(text, view, labels);
    tradingFigures(text, view, labels);
    ownFigures(text, view, labels);
  }
  for (const { symbol, close, openTime, ageMs, stale } of snapshot.candles) {
    const labels = { symbol };
    text.gauge("fabric_candle_heard_age_seconds", "Since the symbol's newest candle was heard", labels, ageMs / 1000);
    if (stale) continue;
    text.gauge("fabric_candle_close", "Close of the symbol's newest candle, quote asset", labels, close);
    text.gauge("fabric_candle_open_time_seconds", "Open time of the symbol's newest candle", labels, openTime / 1000);
  }
  return text.end();
}

function bridgeFigures(text: Exposition, { bridge }: TelemetrySnapshot): void {
  text.gauge("fabric_bridge_info", "Always 1; tells the version", { version: bridge.version }, 1);
  text.gauge("fabric_bridge_uptime_seconds", "Since the bridge started", {}, bridge.uptimeMs / 1000);
  text.gauge("fabric_ready", "1 where fresh market data is heard", {}, bridge.ready ? 1 : 0);
}

function nodeFigures(text: Exposition, { health, ageMs, stale }: NodeView, labels: Labels): void {
  text.gauge("fabric_node_up", "1 where the node was heard within 3 s", labels, stale ? 0 : 1);
  text.gauge("fabric_node_heard_age_seconds", "Since anything was heard of the node", labels, ageMs / 1000);
  if (stale || !health) return;
  for (const state of STATES)
    text.gauge(
      "fabric_node_state",
      "1 for the state the node is in",
      { ...labels, state },
      health.state === state ? 1 : 0,
    );
  const about = { ...labels, version: health.version, mode: health.mode ?? "none" };
  text.gauge("fabric_node_info", "Always 1; tells version and mode (paper, live)", about, 1);
  text.gauge("fabric_node_uptime_seconds", "Since the node started", labels, health.uptimeMs / 1000);
  if (health.dataAgeMs !== null) {
    const age = (health.dataAgeMs + health.ageMs) / 1000;
    text.gauge("fabric_node_data_age_seconds", "Since the node made progress on market data", labels, age);
  }
}

function railFigures(text: Exposition, { metrics }: NodeView, labels: Labels): void {
  if (!metrics || metrics.rails.length === 0) return;
  for (const rail of RAILS) {
    const count = metrics.rails.filter((each) => each.rail === rail).length;
    text.gauge("fabric_rails", "Symbols on each rail", { ...labels, rail: rail.toLowerCase() }, count);
  }
  for (const { symbol, ageMs, delivered } of metrics.rails) {
    const at = { ...labels, symbol };
    const age = (ageMs + metrics.ageMs) / 1000;
    text.gauge("fabric_rail_age_seconds", "Since the symbol's rail made progress", at, age);
    text.counter(
      "fabric_rail_delivered_total",
      "Candles delivered of the symbol, in all lives of its cursor",
      at,
      delivered,
    );
  }
}

function tradingFigures(text: Exposition, { positions }: NodeView, labels: Labels): void {
  if (!positions) return;
  for (const row of positions.positions) {
    const at = { ...labels, symbol: row.symbol };
    text.gauge("fabric_position_quantity", "Held of the symbol, base asset", at, Number(row.quantity));
    const realised = Number(row.realisedPnl);
    text.gauge("fabric_position_realised_profit", "Realised profit and loss, fees paid, quote asset", at, realised);
    const unrealised = Number(row.unrealisedPnl);
    text.gauge("fabric_position_unrealised_profit", "Unrealised profit and loss, quote asset", at, unrealised);
  }
  for (const { quote, today, total } of positions.pnl?.byQuote ?? []) {
    const at = { ...labels, quote };
    text.gauge(
      "fabric_profit_all_time",
      "Profit and loss since the runner's first order, quote asset",
      at,
      Number(total),
    );
    if (today === null) continue;
    text.gauge(
      "fabric_profit_today",
      "Profit and loss of the UTC day of exchange time, quote asset",
      at,
      Number(today),
    );
  }
}

function ownFigures(text: Exposition, { metrics }: NodeView, labels: Labels): void {
  if (!metrics) return;
  for (const [dotted, value] of Object.entries(metrics.values)) {
    const known = metricName(dotted);
    if (known) text.add(known.type, known.name, known.help, labels, value * known.factor);
    else text.omit();
  }
}

interface Family {
  readonly type: MetricType;
  readonly help: string;
  readonly samples: Map<string, number>;
}

/** Gathers samples by family: the format wants each family in one piece, and each series once. */
class Exposition {
  readonly #families = new Map<string, Family>();
  #samples = 0;
  #omitted = 0;

  gauge(name: string, help: string, labels: Labels, value: number): void {
    this.add("gauge", name, help, labels, value);
  }

  counter(name: string, help: string, labels: Labels, value: number): void {
    this.add("counter", name, help, labels, value);
  }

  /** A second sample of one series, one of another type, and one beyond the bound are left out and counted. */
  add(type: MetricType, name: string, help: string, labels: Labels, value: number): void {
    const family = this.#families.get(name) ?? { type, help, samples: new Map<string, number>() };
    const series = `${name}${labelText(labels)}`;
    if (this.#samples >= MAX_SAMPLES || family.type !== type || family.samples.has(series)) {
      this.#omitted++;
      return;
    }
    this.#families.set(name, family);
    family.samples.set(series, value);
    this.#samples++;
  }

  omit(): void {
    this.#omitted++;
  }

  end(): string {
    this.#families.set("fabric_exposition_omitted_samples", {
      type: "gauge",
      help: "Figures left out of this scrape: beyond its bound, or under a name that another has",
      samples: new Map([["fabric_exposition_omitted_samples", this.#omitted]]),
    });
    const lines: string[] = [];
    for (const [name, { type, help, samples }] of this.#families) {
      lines.push(`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`, `# TYPE ${name} ${type}`);
      for (const [series, value] of samples) lines.push(`${series} ${value}`);
    }
    return `${lines.join("\n")}\n`;
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
