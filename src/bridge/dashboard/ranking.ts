import type { ScanRow } from "../../core/wire.ts";
import type { Model } from "./model.ts";

export interface RankedRow extends ScanRow {
  readonly node: string;
  readonly receivedAt: number;
}

export const COLUMNS = ["rule", "rank", "symbol", "score", "openTime", "note"] as const;
export type Column = (typeof COLUMNS)[number];

export interface Sorting {
  readonly column: Column;
  readonly descending: boolean;
}

export interface RankingFilter {
  /** Null for all. */
  readonly rule: string | null;
  /** In symbol, rule or note; without regard to case. */
  readonly text: string;
}

/** Every scanner's rows. */
export function rankedRows(model: Model): readonly RankedRow[] {
  return model
    .sortedNodes()
    .flatMap(({ name, scan }) =>
      (scan?.rows ?? []).map((row) => ({ ...row, node: name, receivedAt: scan?.receivedAt ?? 0 })),
    );
}

/** Those that the filter lets through, sorted; equal ones by rule, then rank. */
export function sortedRows(rows: readonly RankedRow[], filter: RankingFilter, sorting: Sorting): readonly RankedRow[] {
  const wanted = filter.text.trim().toLowerCase();
  const found = rows.filter(
    (row) =>
      (filter.rule === null || row.rule === filter.rule) &&
      (wanted === "" || `${row.symbol} ${row.rule} ${row.note}`.toLowerCase().includes(wanted)),
  );
  const direction = sorting.descending ? -1 : 1;
  return found.sort(
    (a, b) =>
      direction * compare(a[sorting.column], b[sorting.column]) || compare(a.rule, b.rule) || compare(a.rank, b.rank),
  );
}

/** The greatest score of each rule, whatever its sign: rules count in units of their own. */
export function greatestScores(rows: readonly RankedRow[]): ReadonlyMap<string, number> {
  const most = new Map<string, number>();
  for (const { rule, score } of rows) most.set(rule, Math.max(most.get(rule) ?? 1e-12, Math.abs(score)));
  return most;
}

/** Three decimals, or as many as its first three digits need. */
export function scoreText(score: number): string {
  const size = Math.abs(score);
  const decimals = size === 0 || size >= 0.1 ? 3 : Math.min(8, 2 - Math.floor(Math.log10(size)));
  return score.toFixed(decimals).replace("-", "−");
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A click on a column: the other way round, or that column; scores and times begin with the greatest. */
export function nextSorting(sorting: Sorting, column: Column): Sorting {
  if (sorting.column === column) return { column, descending: !sorting.descending };
  return { column, descending: column === "score" || column === "openTime" };
}
