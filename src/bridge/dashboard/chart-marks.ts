import { bucketOf, type Timeframe, timeframeMs } from "../../core/timeframe.ts";
import type { FillEntry, IndicatorTable } from "../../core/wire.ts";
import type { ChartCandle } from "./candle-series.ts";

/** What is said of a bar that is not wholly made of the venue's trades as they were seen. */
export const MARKS = ["backfilled", "imported", "partial", "missing"] as const;
export type Mark = (typeof MARKS)[number];

export interface BarMark {
  readonly openTime: number;
  readonly mark: Mark;
}

/** A hole longer than this is marked at its ends alone. */
const MAX_HOLE_BARS = 500;

/** Marks of bars, and of the places between them where no bar is. */
export function marksOf(rows: readonly ChartCandle[], timeframe: Timeframe): readonly BarMark[] {
  const length = timeframeMs(timeframe);
  return rows.flatMap((row, i) => {
    const expected = (rows[i - 1]?.openTime ?? row.openTime - length) + length;
    const mark = markOf(row);
    return [...holeMarks(expected, row.openTime, length), ...(mark ? [{ openTime: row.openTime, mark }] : [])];
  });
}

export function markOf(row: ChartCandle): Mark | null {
  if (row.provenance === "backfilled" || row.provenance === "imported") return row.provenance;
  return row.provenance === "partial" || row.missing > 0 ? "partial" : null;
}

function holeMarks(from: number, to: number, length: number): readonly BarMark[] {
  const count = Math.max(0, Math.round((to - from) / length));
  const places = count > MAX_HOLE_BARS ? [0, count - 1] : Array.from({ length: count }, (_, i) => i);
  return places.map((i) => ({ openTime: from + i * length, mark: "missing" as const }));
}

export function countMarks(marks: readonly BarMark[]): Readonly<Record<Mark, number>> {
  const counts = { backfilled: 0, imported: 0, partial: 0, missing: 0 };
  for (const { mark } of marks) counts[mark]++;
  return counts;
}

export interface RunnerFill extends FillEntry {
  readonly runner: string;
}

const MAX_FILLS = 2000;

/** Fills of a symbol as this page heard them: more than the newest that telemetry tells, bounded. */
export class FillBook {
  readonly #fills = new Map<string, RunnerFill>();

  add(runner: string, fills: readonly FillEntry[]): void {
    for (const fill of fills) {
      const key = [runner, fill.clientOrderId, fill.openTime, fill.at, fill.side, fill.price, fill.quantity].join(" ");
      if (!this.#fills.has(key)) this.#fills.set(key, { ...fill, runner });
    }
    for (const key of this.#fills.keys()) {
      if (this.#fills.size <= MAX_FILLS) break;
      this.#fills.delete(key);
    }
  }

  get size(): number {
    return this.#fills.size;
  }

  /** Oldest first. */
  all(): readonly RunnerFill[] {
    return [...this.#fills.values()].sort((a, b) => a.openTime - b.openTime);
  }
}

export interface FillMark {
  /** Of the bar it falls into. */
  readonly openTime: number;
  readonly side: "buy" | "sell";
  readonly count: number;
}

/** One mark a bar and side, oldest first; fills beyond the bars held are left out. */
export function fillMarks(
  fills: readonly RunnerFill[],
  rows: readonly ChartCandle[],
  timeframe: Timeframe,
): readonly FillMark[] {
  const held = new Set(rows.map((row) => row.openTime));
  const marks = new Map<string, FillMark>();
  for (const { openTime: minute, side } of fills) {
    const openTime = bucketOf(minute, timeframe);
    const key = `${openTime} ${side}`;
    if (held.has(openTime)) marks.set(key, { openTime, side, count: (marks.get(key)?.count ?? 0) + 1 });
  }
  return [...marks.values()].sort((a, b) => a.openTime - b.openTime);
}

export interface IndicatorLine {
  /** The runner, and the name the strategy gave. */
  readonly runner: string;
  readonly name: string;
  /** By openTime of the chart's bar; oldest first. */
  readonly points: readonly { readonly openTime: number; readonly value: number | null }[];
  /** Whether its scale is that of prices. */
  readonly onPrice: boolean;
}

const MAX_POINTS = 2000;

/** Indicators of one symbol as they were told, longer than the newest 120 bars that telemetry holds; bounded. */
export class IndicatorBook {
  readonly #rows = new Map<string, Map<number, readonly (number | null)[]>>();
  readonly #names = new Map<string, readonly string[]>();

  add(runner: string, table: IndicatorTable): void {
    const rows = this.#rows.get(runner) ?? new Map<number, readonly (number | null)[]>();
    if (this.#names.get(runner)?.join() !== table.names.join()) rows.clear();
    this.#names.set(runner, table.names);
    this.#rows.set(runner, rows);
    for (const [openTime, ...values] of table.rows) if (openTime != null) rows.set(openTime, values);
    for (const openTime of rows.keys()) {
      if (rows.size <= MAX_POINTS) break;
      rows.delete(openTime);
    }
  }

  /** Lines over the bars held: a strategy of a shorter timeframe gives its last value within a bar. `runner` null: all. */
  lines(rows: readonly ChartCandle[], timeframe: Timeframe, runner: string | null): readonly IndicatorLine[] {
    const held = new Map(rows.map((row) => [row.openTime, row.close]));
    const runners = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1));
    return runners.flatMap(([name, told]) => {
      if (runner !== null && runner !== name) return [];
      const byBar = new Map<number, readonly (number | null)[]>();
      for (const openTime of [...told.keys()].sort((a, b) => a - b)) {
        const bar = bucketOf(openTime, timeframe);
        const values = told.get(openTime);
        if (held.has(bar) && values) byBar.set(bar, values);
      }
      return (this.#names.get(name) ?? []).map((series, i): IndicatorLine => {
        const points = [...byBar].map(([openTime, values]) => ({ openTime, value: values[i] ?? null }));
        return { runner: name, name: series, points, onPrice: nearPrices(points, held) };
      });
    });
  }
}

/** Whether most values lie within half and twice their bar's close. */
function nearPrices(points: IndicatorLine["points"], closes: ReadonlyMap<number, number>): boolean {
  let [near, all] = [0, 0];
  for (const { openTime, value } of points) {
    const close = closes.get(openTime);
    if (value === null || close === undefined) continue;
    all++;
    if (value > close / 2 && value < close * 2) near++;
  }
  return all === 0 || near * 2 > all;
}
