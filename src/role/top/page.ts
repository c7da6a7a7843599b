import { toRfc3339 } from "../../core/time.ts";
import { printable } from "../tools/print.ts";
import type { NodeRow, RailRow } from "./node-rows.ts";

/** How a whole line is shown where colour is allowed; the words alone say as much. */
export type LineStyle = "plain" | "head" | "grey" | "warn" | "bad";

export interface Line {
  readonly text: string;
  readonly style: LineStyle;
}

export interface PageFacts {
  readonly folder: string;
  readonly nowMs: number;
  readonly nodes: readonly NodeRow[];
  readonly rails: readonly RailRow[];
  /** The newest warning, shown last; null where there is none. */
  readonly warning: string | null;
}

/** The page as lines. With `maxLines` the list of rails is cut, and says so, to fit the screen. */
export function page(facts: PageFacts, maxLines: number): readonly Line[] {
  const lines: Line[] = [
    { text: `fabric top   ${toRfc3339(facts.nowMs).replace(/\.\d+Z$/, "Z")}   ${facts.folder}`, style: "head" },
    plain(""),
  ];
  if (facts.nodes.length === 0)
    lines.push(plain(`no node is alive in ${facts.folder}; start one, for example fabric up`));
  else lines.push(...table(NODE_COLUMNS, facts.nodes, nodeStyle));
  if (facts.rails.length > 0) {
    const room = Math.max(1, maxLines - lines.length - 4);
    const shown = facts.rails.length > room ? facts.rails.slice(0, room) : facts.rails;
    lines.push(plain(""), ...table(RAIL_COLUMNS, shown, railStyle));
    const left = facts.rails.length - shown.length;
    if (left > 0) lines.push(plain(`… and ${left} more rails, ${countFast(facts.rails.slice(room))} of them FAST`));
  }
  if (facts.warning !== null) lines.push({ text: `warning: ${facts.warning}`, style: "warn" });
  return lines.map((line) => ({ ...line, text: printable(line.text) }));
}

interface Column<Row> {
  readonly title: string;
  readonly right?: boolean;
  cell(row: Row): string;
}

const NODE_COLUMNS: readonly Column<NodeRow>[] = [
  { title: "node", cell: (row) => row.node },
  { title: "role", cell: (row) => row.role },
  { title: "state", cell: (row) => row.state ?? "unheard" },
  { title: "up", right: true, cell: (row) => durationText(row.uptimeMs) },
  { title: "heard", right: true, cell: (row) => durationText(row.ageMs) },
  { title: "cpu %", right: true, cell: (row) => figure(row.cpuPercent, 1) },
  { title: "rss MiB", right: true, cell: (row) => figure(row.rssBytes === null ? null : row.rssBytes / 1024 ** 2, 0) },
  { title: "lag p99 ms", right: true, cell: (row) => figure(row.loopLagP99Ms, 1) },
  { title: "msg/s", right: true, cell: (row) => figure(row.messagesPerSecond, 1) },
  { title: "drops", right: true, cell: (row) => figure(row.drops, 0) },
  { title: "remark", cell: nodeRemark },
];

const RAIL_COLUMNS: readonly Column<RailRow>[] = [
  { title: "node", cell: (row) => row.node },
  { title: "symbol", cell: (row) => row.symbol },
  { title: "rail", cell: (row) => row.rail },
  { title: "age", right: true, cell: (row) => durationText(row.ageMs) },
  { title: "last candle", cell: (row) => (row.lastOpenTime === null ? "none" : toRfc3339(row.lastOpenTime)) },
  { title: "remark", cell: (row) => `${row.stale ? "stale node: " : ""}${row.reason}` },
];

function nodeRemark(row: NodeRow): string {
  const stale = row.staleSince === null ? null : `stale since ${toRfc3339(row.staleSince).replace(/\.\d+Z$/, "Z")}`;
  return [stale, row.reason].filter((part) => part !== null).join("; ");
}

function nodeStyle(row: NodeRow): LineStyle {
  if (row.staleSince !== null) return "grey";
  if (row.state === "failed" || row.state === "halted") return "bad";
  return row.state === "degraded" || row.state === null || (row.drops ?? 0) > 0 ? "warn" : "plain";
}

function railStyle(row: RailRow): LineStyle {
  if (row.stale) return "grey";
  return row.rail === "FAST" ? "plain" : row.rail === "STALE" ? "bad" : "warn";
}

function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  styleOf: (row: Row) => LineStyle,
): readonly Line[] {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, at) =>
    cells.reduce((widest, line) => Math.max(widest, line[at]?.length ?? 0), column.title.length),
  );
  const join = (line: readonly string[]) =>
    line
      .map((cell, at) => (columns[at]?.right ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd();
  return [
    { text: join(columns.map((column) => column.title)), style: "head" },
    ...rows.map((row, at) => ({ text: join(cells[at] ?? []), style: styleOf(row) })),
  ];
}

/** 0.4s, 12s, 3m05s, 2h07m, 4d03h; a dash for null. */
export function durationText(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < 9950) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string) =>
    `${big}${bigUnit}${String(small).padStart(2, "0")}${smallUnit}`;
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return pair(Math.floor(seconds / 60), "m", seconds % 60, "s");
  if (seconds < 86_400) return pair(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "m");
  return pair(Math.floor(seconds / 86_400), "d", Math.floor((seconds % 86_400) / 3600), "h");
}

function figure(value: number | null, decimals: number): string {
  return value === null ? "-" : value.toFixed(decimals);
}

function countFast(rails: readonly RailRow[]): number {
  return rails.filter((row) => row.rail === "FAST").length;
}

function plain(text: string): Line {
  return { text, style: "plain" };
}
