import type { CandleEvent } from "../contract.ts";

/** The fields of an `/api/candles` row that the chart draws. */
export interface ChartCandle {
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly provenance: string;
}

const MAX_ROWS = 2000;

/** What became of a live candle: drawn at the end, needs a redraw, or shows that minutes are missing before it. */
export type Landing = "end" | "inside" | "hole";

/** One symbol's candles by openTime, oldest first, at most 2,000: the store's rows first, then live ones. */
export class CandleSeries {
  #rows: ChartCandle[] = [];

  get rows(): readonly ChartCandle[] {
    return this.#rows;
  }

  /** The store's rows, joined with what was heard live meanwhile. */
  load(rows: readonly ChartCandle[]): void {
    const byTime = new Map(rows.map((row) => [row.openTime, row]));
    const last = rows.at(-1)?.openTime ?? -Infinity;
    for (const row of this.#rows) if (row.openTime > last) byTime.set(row.openTime, row);
    this.#rows = [...byTime.values()].sort((a, b) => a.openTime - b.openTime).slice(-MAX_ROWS);
  }

  add(candle: CandleEvent): Landing {
    const last = this.#rows.at(-1);
    if (!last || candle.openTime > last.openTime) {
      this.#rows = [...this.#rows, candle].slice(-MAX_ROWS);
      const follows = candle.prevOpenTime === null || !last || candle.prevOpenTime <= last.openTime;
      return follows && last ? "end" : "hole";
    }
    const others = this.#rows.filter((row) => row.openTime !== candle.openTime);
    this.#rows = [...others, candle].sort((a, b) => a.openTime - b.openTime);
    return candle.openTime === last.openTime ? "end" : "inside";
  }
}
