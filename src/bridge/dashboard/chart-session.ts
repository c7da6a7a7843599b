import type { Timeframe } from "../../core/timeframe.ts";
import { fetchCandles } from "./api.ts";
import { CandleSeries } from "./candle-series.ts";
import { CandleChart } from "./chart.ts";
import { FillBook, fillMarks, IndicatorBook, type IndicatorLine, markOf, marksOf } from "./chart-marks.ts";
import { model, onCandle } from "./live.ts";
import { precisionOf } from "./precision.ts";
import type { Zone } from "./settings.ts";

export type Loading =
  | { readonly state: "loading" | "ready" | "empty" }
  | { readonly state: "failed"; readonly reason: string };

export interface ChartChoice {
  /** Null: of all. */
  readonly runner: string | null;
  readonly indicators: boolean;
}

const RETRY_MS = 2000;

/**
 * One symbol's chart of one timeframe while it is on the page: the store's newest page first, older ones as they come into
 * sight, live candles at the end. A hole sends it back to the store.
 */
export class ChartSession {
  readonly series: CandleSeries;
  readonly #symbol: string;
  readonly #timeframe: Timeframe;
  readonly #chart: CandleChart;
  #fills = new FillBook();
  #indicators = new IndicatorBook();
  readonly #onLoading: (loading: Loading) => void;
  readonly #stopHearing: () => void;
  #lines: readonly IndicatorLine[] = [];
  #choice: ChartChoice;
  #told = "";
  #drawnOnce = false;
  #fetching = false;
  #over = false;
  #retrying: ReturnType<typeof setTimeout> | null = null;

  constructor(deps: {
    readonly symbol: string;
    readonly timeframe: Timeframe;
    readonly box: HTMLElement;
    readonly zone: Zone;
    readonly choice: ChartChoice;
    onLoading(loading: Loading): void;
    onHover(openTime: number | null): void;
    onAway(isAway: boolean): void;
  }) {
    this.#symbol = deps.symbol;
    this.#timeframe = deps.timeframe;
    this.#choice = deps.choice;
    this.#onLoading = deps.onLoading;
    this.series = new CandleSeries(deps.timeframe);
    this.#chart = new CandleChart(deps.box, deps.zone, {
      onHover: deps.onHover,
      onAway: deps.onAway,
      onOldest: () => void this.#loadOlder(),
    });
    this.#stopHearing = onCandle((candle) => {
      if (candle.symbol !== this.#symbol) return;
      const landing = this.series.add(candle);
      const last = this.series.rows.at(-1);
      if (landing === "end" && last) {
        const mark = markOf(last);
        this.#chart.append(last, mark ? { openTime: last.openTime, mark } : null);
      } else if (landing === "inside") this.#draw(false);
      else if (landing === "hole") this.#retry();
      else if (landing === "anew") this.#beginAnew();
    });
    void this.#load();
  }

  get lines(): readonly IndicatorLine[] {
    return this.#lines;
  }

  /** Takes over what runners tell, where anything is new. */
  follow(choice: ChartChoice): void {
    let newestFill = "";
    for (const { name, positions } of model.nodes.values()) {
      const fills = positions?.fills?.filter((fill) => fill.symbol === this.#symbol);
      if (!fills || fills.length === 0) continue;
      this.#fills.add(name, fills);
      newestFill += `${name} ${fills[0]?.clientOrderId} ${fills[0]?.at} ${this.#fills.size} `;
    }
    let newest = "";
    for (const { name, indicators } of model.nodes.values()) {
      const table = indicators?.symbols.find((found) => found.symbol === this.#symbol);
      if (!indicators || !table) continue;
      this.#indicators.add(name, table);
      newest += `${name} ${indicators.epoch} ${table.rows.at(-1)?.[0]} `;
    }
    const last = this.series.rows.at(-1)?.openTime;
    const told = `${choice.runner} ${choice.indicators} ${newestFill} ${last} ${newest}`;
    this.#choice = choice;
    if (told === this.#told) return;
    this.#told = told;
    this.#overlay();
  }

  /** What a key does to the chart; false where it is none of its own. */
  press(key: string): boolean {
    if (key === "ArrowLeft") this.#chart.move(-0.25);
    else if (key === "ArrowRight") this.#chart.move(0.25);
    else if (key === "+" || key === "=") this.#chart.zoom(0.8);
    else if (key === "-") this.#chart.zoom(1.25);
    else if (key === "End") this.#chart.toNewest();
    else return false;
    return true;
  }

  toNewest(): void {
    this.#chart.toNewest();
  }

  reload(): void {
    void this.#load();
  }

  repaint(zone: Zone): void {
    this.#chart.repaint(zone);
  }

  close(): void {
    this.#over = true;
    this.#stopHearing();
    if (this.#retrying !== null) clearTimeout(this.#retrying);
    this.#chart.remove();
  }

  /** Another store: what was drawn of the last one goes, and the page that is read next comes into view. */
  #beginAnew(): void {
    this.#fills = new FillBook();
    this.#indicators = new IndicatorBook();
    this.#told = "";
    this.#draw(false);
    this.#drawnOnce = false;
    void this.#load();
  }

  async #load(): Promise<void> {
    this.#retrying = null;
    if (this.#over) return;
    if (this.#fetching) {
      this.#retry();
      return;
    }
    this.#fetching = true;
    const answer = await fetchCandles(this.#symbol, this.#timeframe, null);
    this.#fetching = false;
    if (this.#over) return;
    const isFirst = !this.#drawnOnce;
    if (answer.kind === "ok") this.series.load(answer.value);
    if (this.series.rows.length > 0) {
      this.#draw(isFirst);
      this.#onLoading({ state: "ready" });
    } else if (answer.kind === "failed") this.#onLoading({ state: "failed", reason: answer.reason });
    else this.#onLoading({ state: "empty" });
    if (answer.kind === "failed") this.#retry();
  }

  async #loadOlder(): Promise<void> {
    const { older } = this.series;
    if (older === null || this.#fetching || this.#over) return;
    this.#fetching = true;
    const answer = await fetchCandles(this.#symbol, this.#timeframe, older);
    this.#fetching = false;
    if (this.#over || answer.kind !== "ok") return;
    this.series.prepend(answer.value);
    this.#draw(false);
    // A page may be empty and yet not the last; then nothing moves that would ask for the next.
    if (answer.value.candles.length === 0) void this.#loadOlder();
  }

  #draw(fit: boolean): void {
    const { rows } = this.series;
    this.#drawnOnce = true;
    this.#chart.draw(rows, marksOf(rows, this.#timeframe), precisionOf(model, this.#symbol).price, fit);
    this.#overlay();
  }

  #overlay(): void {
    const { rows } = this.series;
    const { runner, indicators } = this.#choice;
    const fills = this.#fills.all().filter((fill) => runner === null || fill.runner === runner);
    this.#chart.showFills(fillMarks(fills, rows, this.#timeframe));
    this.#lines = indicators ? this.#indicators.lines(rows, this.#timeframe, runner) : [];
    this.#chart.showIndicators(this.#lines);
  }

  #retry(): void {
    if (!this.#over) this.#retrying ??= setTimeout(() => void this.#load(), RETRY_MS);
  }
}
