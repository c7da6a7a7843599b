import * as v from "valibot";
import type { LogLevel } from "../../core/env.ts";
import { levelParam, limitParam, nameParam, nodeParam, symbolParam, textParam } from "../api-params.ts";
import { ApiError, type ApiRoute, defineRoute } from "../api-route.ts";
import { INDICATORS, LOGS, METRICS, MOST, NODES, RAILS, SCAN, SNAPSHOT } from "../api-schemas.ts";
import type { NodeView, NumberedEntry, TelemetrySnapshot, TelemetryView } from "../contract.ts";
import { checkSymbol, NO_NODE, NO_NODE_OR_SYMBOL, nodesNamed, sourceOf } from "./telemetry-query.ts";

/** What nodes tell of themselves, as this bridge heard it last. */
export function telemetryRoutes(telemetry: TelemetryView): readonly ApiRoute[] {
  return [
    defineRoute({
      path: "/api/snapshot",
      tag: "telemetry",
      summary: "Everything the bridge knows, as the event stream begins with it",
      query: {},
      answer: SNAPSHOT,
      handle: () => telemetry.snapshot(),
    }),
    defineRoute({
      path: "/api/nodes",
      tag: "telemetry",
      summary: "Every node heard: role, state, age, CPU, memory, event-loop lag",
      query: {},
      answer: NODES,
      handle: () => {
        const { bridge, nodes } = telemetry.snapshot();
        return { now: bridge.now, nodes: nodes.map(nodeRow) };
      },
    }),
    defineRoute({
      path: "/api/metrics",
      tag: "telemetry",
      summary: "The newest figures of each node by dotted name (/metrics has them for Prometheus)",
      query: { node: v.optional(nodeParam) },
      answer: METRICS,
      others: NO_NODE,
      handle: ({ node }) => {
        const snapshot = telemetry.snapshot();
        const rows = nodesNamed(snapshot, node).flatMap((view) =>
          view.metrics
            ? [{ ...sourceOf(view, view.metrics), role: view.metrics.role, values: view.metrics.values }]
            : [],
        );
        return { now: snapshot.bridge.now, nodes: rows };
      },
    }),
    defineRoute({
      path: "/api/rails",
      tag: "telemetry",
      summary: "The rail of each symbol at each consuming node, with reason and age",
      query: { node: v.optional(nodeParam), symbol: v.optional(symbolParam) },
      answer: RAILS,
      others: NO_NODE_OR_SYMBOL,
      handle: ({ node, symbol }) => {
        const snapshot = telemetry.snapshot();
        const nodes = nodesNamed(snapshot, node).flatMap((view) => {
          const rails = view.metrics?.rails.filter((rail) => symbol === undefined || rail.symbol === symbol) ?? [];
          const { metrics } = view;
          return metrics && rails.length > 0 ? [{ ...sourceOf(view, metrics), role: metrics.role, rails }] : [];
        });
        if (nodes.length === 0) checkSymbol(snapshot, symbol);
        return { now: snapshot.bridge.now, nodes };
      },
    }),
    defineRoute({
      path: "/api/scan",
      tag: "telemetry",
      summary: "The scanners' newest ranking",
      query: { rule: v.optional(nameParam), limit: limitParam(MOST.scan, 500) },
      answer: SCAN,
      others: { 404: "no scanner tells of such a rule" },
      handle: ({ rule, limit }) => scanAnswer(telemetry.snapshot(), rule, limit),
    }),
    defineRoute({
      path: "/api/indicators",
      tag: "telemetry",
      summary: "Strategies' indicators as they saw them, the newest 120 bars a symbol",
      query: {
        node: v.optional(nodeParam),
        symbol: v.optional(symbolParam),
        limit: limitParam(MOST.tables, MOST.tables),
      },
      answer: INDICATORS,
      others: NO_NODE_OR_SYMBOL,
      handle: ({ node, symbol, limit }) => {
        const snapshot = telemetry.snapshot();
        const tables = nodesNamed(snapshot, node).flatMap((view) => {
          const { indicators } = view;
          if (!indicators) return [];
          const { strategy, timeframe } = indicators;
          return indicators.symbols
            .filter((table) => symbol === undefined || table.symbol === symbol)
            .map((table) => ({ ...sourceOf(view, indicators), strategy, timeframe, ...table }));
        });
        if (tables.length === 0) checkSymbol(snapshot, symbol);
        return {
          now: snapshot.bridge.now,
          tables: tables.slice(0, limit),
          omitted: Math.max(0, tables.length - limit),
        };
      },
    }),
    defineRoute({
      path: "/api/logs",
      tag: "telemetry",
      summary: "The nodes' logs as heard, newest first, page by page",
      query: {
        node: v.optional(nodeParam),
        level: v.optional(levelParam),
        text: v.optional(textParam),
        limit: limitParam(MOST.rows, 100),
        before: v.optional(logCursorParam),
      },
      answer: LOGS,
      others: NO_NODE,
      handle: (query) => logsAnswer(telemetry.snapshot(), query),
    }),
  ];
}

function nodeRow(view: NodeView) {
  const { health, metrics } = view;
  const value = (name: string) => metrics?.values[name] ?? null;
  return {
    node: view.node,
    ageMs: view.ageMs,
    stale: view.stale,
    role: view.role,
    state: health?.state ?? null,
    reason: health?.reason ?? null,
    mode: health?.mode ?? null,
    pid: health?.pid ?? null,
    version: health?.version ?? null,
    uptimeMs: health?.uptimeMs ?? null,
    dataAgeMs: health?.dataAgeMs ?? null,
    details: health?.details ?? null,
    cpuPercent: value("process.cpu.percent"),
    rssBytes: value("process.rss.bytes"),
    loopLagP50Ms: value("loop.lag.p50.ms"),
    loopLagP99Ms: value("loop.lag.p99.ms"),
    sentTotal: value("publish.sent.total"),
    droppedTotal: value("publish.dropped.total"),
  };
}

function scanAnswer(snapshot: TelemetrySnapshot, rule: string | undefined, limit: number) {
  const all = snapshot.nodes.flatMap((view) => {
    const { scan } = view;
    return scan ? scan.rows.map((row) => ({ ...sourceOf(view, scan), ...row })) : [];
  });
  const rows = rule === undefined ? all : all.filter((row) => row.rule === rule);
  if (rule !== undefined && rows.length === 0) {
    const known = [...new Set(all.map((row) => row.rule))].slice(0, 10);
    const found = known.length === 0 ? "no scanner has ranked anything yet" : `there are ${known.join(", ")}`;
    throw new ApiError(404, `No scanner tells of a rule "${rule}": ${found}`);
  }
  rows.sort((a, b) => (a.rule === b.rule ? a.rank - b.rank : a.rule < b.rule ? -1 : 1));
  return { now: snapshot.bridge.now, rows: rows.slice(0, limit) };
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** A place among all nodes' entries: time, number and node of the last one shown. */
const LOG_CURSOR = /^(-?\d{1,16}(?:\.\d{1,20})?)~(\d{1,16})~([\s\S]{1,64})$/;

const logCursorParam = v.pipe(
  v.string(),
  v.regex(LOG_CURSOR),
  v.description("what an earlier answer gave as older (its entries alone come before this one's)"),
);

type Placed = NumberedEntry & { readonly node: string };

interface LogQuery {
  readonly node?: string | undefined;
  readonly level?: LogLevel | undefined;
  readonly text?: string | undefined;
  readonly limit: number;
  readonly before?: string | undefined;
}

function logsAnswer(snapshot: TelemetrySnapshot, { node, level, text, limit, before }: LogQuery) {
  const least = level === undefined ? 0 : LEVELS.indexOf(level);
  const wanted = text?.toLowerCase();
  const place = before === undefined ? null : placeOf(before);
  const entries = nodesNamed(snapshot, node)
    .flatMap((view) => view.logs?.entries.map((entry) => ({ node: view.node, ...entry })) ?? [])
    .filter(
      (entry) =>
        LEVELS.indexOf(entry.level) >= least &&
        (wanted === undefined || entry.message.toLowerCase().includes(wanted)) &&
        (place === null || newestFirst(place, entry) < 0),
    )
    .sort(newestFirst);
  const page = entries.slice(0, limit);
  const last = page.at(-1);
  const older = last && entries.length > limit ? `${last.at}~${last.n}~${last.node}` : null;
  return { now: snapshot.bridge.now, entries: page, older };
}

function newestFirst(a: Pick<Placed, "at" | "n" | "node">, b: Pick<Placed, "at" | "n" | "node">): number {
  if (a.at !== b.at) return b.at - a.at;
  if (a.node !== b.node) return a.node < b.node ? -1 : 1;
  return b.n - a.n;
}

function placeOf(cursor: string): Pick<Placed, "at" | "n" | "node"> {
  const [, at = "0", n = "0", node = ""] = LOG_CURSOR.exec(cursor) ?? [];
  return { at: Number(at), n: Number(n), node };
}
