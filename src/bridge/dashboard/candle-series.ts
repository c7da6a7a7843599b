import type { Provenance } from "../../core/candle.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { bucketOf, type Timeframe } from "../../core/timeframe.ts";
import type { CandleEvent } from "../contract.ts";

/** The fields of an `/api/candles` row that the chart draws. */
export interface ChartCandle {
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly trades: number;
  readonly provenance: Provenance;
  /** Stored minutes it is made of, and minutes it lacks as far as time has come. */
  readonly minutes: number;
  readonly missing: number;
  /** Row number of its newest minute. */
  readonly commitSeq: number;
}

export interface CandlePage {
  readonly candles: readonly ChartCandle[];
  /** Where the next older page begins; null where there is none. */
  readonly older: number | null;
}

/** Most bars held: older ones are not asked for beyond it, and live ones push the oldest out. */
export const MAX_BARS = 10_000;
/** Room before the oldest leave in one go: each time the chart is drawn anew. */
const SLACK_BARS = 1000;

/**
 * What became of a live candle: drawn at the end, needs a redraw, changes nothing, shows that minutes are missing before it, or is of
 * another store than those before it.
 */
export type Landing = "end" | "inside" | "known" | "hole" | "anew";

const WORSENING: readonly Provenance[] = ["empty", "complete", "backfilled", "imported", "partial"];

/** One symbol's bars of a timeframe by openTime, oldest first: the store's first, then live minutes folded in. */
export class CandleSeries {
  readonly #timeframe: Timeframe;
  #rows: ChartCandle[] = [];
  #older: number | null = null;
  /** Of the newest live candle. */
  #storeId: string | null = null;

  constructor(timeframe: Timeframe) {
    this.#timeframe = timeframe;
  }

  get rows(): readonly ChartCandle[] {
    return this.#rows;
  }

  /** Where to ask for older bars; null where there are none, or enough are held. */
  get older(): number | null {
    return this.#rows.length >= MAX_BARS ? null : this.#older;
  }

  /** The store's newest page, joined with what is held: before it what was scrolled to, after it what was heard live. */
  load(page: CandlePage): void {
    const [first, last] = [page.candles[0], page.candles.at(-1)];
    if (!first || !last) return;
    // Only where the page begins with a bar that is held is nothing missing before it.
    const joined = this.#rows.some((row) => row.openTime === first.openTime);
    const before = joined ? this.#rows.filter((row) => row.openTime < first.openTime) : [];
    const after = this.#rows.filter(
      (row) => row.openTime > last.openTime || (row.openTime === last.openTime && row.minutes > last.minutes),
    );
    const kept = after[0]?.openTime === last.openTime ? page.candles.slice(0, -1) : page.candles;
    if (!joined) this.#older = page.older;
    this.#rows = [...before, ...kept, ...after].slice(-MAX_BARS);
  }

  /** An older page, before what is held. */
  prepend(page: CandlePage): void {
    const first = this.#rows[0]?.openTime ?? Infinity;
    this.#rows = [...page.candles.filter((row) => row.openTime < first), ...this.#rows].slice(-MAX_BARS);
    this.#older = page.older;
  }

  add(candle: CandleEvent): Landing {
    const openTime = bucketOf(candle.openTime, this.#timeframe);
    const isOther = this.#storeId !== null && this.#storeId !== candle.storeId;
    this.#storeId = candle.storeId;
    if (isOther) {
      // Its minutes may be the same, of another market: nothing that is held belongs to it.
      this.#rows = [minuteBar(candle, openTime)];
      this.#older = null;
      return "anew";
    }
    const last = this.#rows.at(-1);
    if (!last || openTime > last.openTime) {
      const opening = minuteBar(candle, openTime);
      this.#rows.push(opening);
      const follows = candle.prevOpenTime === null || (last && candle.prevOpenTime <= this.#through(last));
      if (!last || !follows) return "hole";
      if (this.#rows.length <= MAX_BARS + SLACK_BARS) return "end";
      this.#rows = this.#rows.slice(-MAX_BARS);
      return "inside";
    }
    if (openTime === last.openTime) return this.#fold(candle, last);
    if (this.#timeframe !== "1m") return "hole";
    const at = this.#rows.findIndex((row) => row.openTime >= openTime);
    const held = this.#rows[at];
    if (held?.openTime === openTime && held.commitSeq >= candle.commitSeq) return "known";
    this.#rows.splice(at, held?.openTime === openTime ? 1 : 0, minuteBar(candle, openTime));
    return "inside";
  }

  #fold(candle: CandleEvent, last: ChartCandle): Landing {
    if (candle.commitSeq <= last.commitSeq) return "known";
    if (this.#timeframe === "1m") {
      this.#rows[this.#rows.length - 1] = minuteBar(candle, last.openTime);
      return "end";
    }
    if (candle.prevOpenTime !== null && candle.prevOpenTime > this.#through(last)) return "hole";
    const due = (candle.openTime - last.openTime) / MINUTE_MS + 1;
    const minutes = last.minutes + 1;
    const missing = Math.max(0, due - minutes);
    this.#rows[this.#rows.length - 1] = {
      ...last,
      high: Math.max(last.high, candle.high),
      low: Math.min(last.low, candle.low),
      close: candle.close,
      volume: last.volume + candle.volume,
      trades: last.trades + candle.trades,
      provenance: missing > 0 ? "partial" : worse(last.provenance, candle.provenance),
      minutes,
      missing,
      commitSeq: candle.commitSeq,
    };
    return "end";
  }

  /** The newest minute that a bar tells of. */
  #through(bar: ChartCandle): number {
    return bar.openTime + (bar.minutes + bar.missing - 1) * MINUTE_MS;
  }
}

function minuteBar(candle: CandleEvent, openTime: number): ChartCandle {
  const { open, high, low, close, volume, trades, commitSeq } = candle;
  const missing = (candle.openTime - openTime) / MINUTE_MS;
  const provenance = missing > 0 ? "partial" : candle.provenance;
  return { openTime, open, high, low, close, volume, trades, provenance, minutes: 1, missing, commitSeq };
}

function worse(a: Provenance, b: Provenance): Provenance {
  return WORSENING.indexOf(a) > WORSENING.indexOf(b) ? a : b;
}
