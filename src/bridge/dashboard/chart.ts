import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  LineSeries,
  type UTCTimestamp,
} from "lightweight-charts";
import type { ChartCandle } from "./candle-series.ts";
import { candleOptions, chartOptions, css, lineColour } from "./chart-colours.ts";
import type { BarMark, FillMark, IndicatorLine } from "./chart-marks.ts";
import { formatPrice } from "./format.ts";
import type { Zone } from "./settings.ts";

export interface ChartHandlers {
  /** The bar under the pointer; null where there is none. */
  onHover(openTime: number | null): void;
  /** The oldest bars held come into sight. */
  onOldest(): void;
  /** Whether the newest bars are out of sight. */
  onAway(isAway: boolean): void;
}

/** How wide a bar is at first. */
const BAR_PIXELS = 7;
/** Older bars are asked for when so few are left of what is seen. */
const OLDEST_MARGIN = 30;
const INDICATOR_PANE = 1;
const LEAST_SEEN = 10;
/** Bars left free to the right of the newest. */
const RIGHT_ROOM = 3;

/** A candle chart with volume, marks of doubtful minutes, fills and indicators. It draws what it is given and asks nobody. */
export class CandleChart {
  readonly #chart: IChartApi;
  readonly #prices: ISeriesApi<"Candlestick">;
  readonly #volumes: ISeriesApi<"Histogram">;
  readonly #marks: ISeriesApi<"Histogram">;
  readonly #fills;
  readonly #lines = new Map<string, ISeriesApi<"Line">>();
  #zone: Zone;
  #drawn: {
    rows: readonly ChartCandle[];
    marks: readonly BarMark[];
    fills: readonly FillMark[];
    lines: readonly IndicatorLine[];
  } = { rows: [], marks: [], fills: [], lines: [] };

  constructor(box: HTMLElement, zone: Zone, handlers: ChartHandlers) {
    this.#zone = zone;
    this.#chart = createChart(box, { autoSize: true, ...chartOptions(zone) });
    const bare = { lastValueVisible: false, priceLineVisible: false };
    this.#prices = this.#chart.addSeries(CandlestickSeries, candleOptions());
    this.#volumes = this.#chart.addSeries(HistogramSeries, {
      ...bare,
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
    });
    this.#marks = this.#chart.addSeries(HistogramSeries, { ...bare, priceScaleId: "marks" });
    this.#prices.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.26 } });
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: 0.8, bottom: 0.03 } });
    this.#marks.priceScale().applyOptions({ scaleMargins: { top: 0.98, bottom: 0 } });
    this.#fills = createSeriesMarkers(this.#prices, []);
    this.#chart.subscribeCrosshairMove((move) => {
      handlers.onHover(typeof move.time === "number" ? move.time * 1000 : null);
    });
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (!range || this.#drawn.rows.length === 0) return;
      if (range.from < OLDEST_MARGIN) handlers.onOldest();
      handlers.onAway(this.#chart.timeScale().scrollPosition() < 0);
    });
  }

  /** All rows anew. `fit` also brings the newest into view. */
  draw(rows: readonly ChartCandle[], marks: readonly BarMark[], decimals: number, fit: boolean): void {
    this.#drawn = { ...this.#drawn, rows, marks };
    const formatter = (price: number) => formatPrice(price, decimals);
    this.#prices.applyOptions({ priceFormat: { type: "custom", formatter, minMove: 10 ** -decimals } });
    this.#drawRows();
    if (!fit) return;
    const places = rows.length + marks.filter(({ mark }) => mark === "missing").length;
    const seen = Math.round(this.#chart.timeScale().width() / BAR_PIXELS);
    this.#chart.timeScale().setVisibleLogicalRange({ from: places - seen, to: places + RIGHT_ROOM });
  }

  /** Adds or replaces the last candle. */
  append(row: ChartCandle, mark: BarMark | null): void {
    this.#prices.update(pricePoint(row));
    this.#volumes.update(volumePoint(row));
    this.#marks.update(mark ? markPoint(mark) : { time: timeOf(row.openTime) });
  }

  showFills(fills: readonly FillMark[]): void {
    this.#drawn = { ...this.#drawn, fills };
    this.#fills.setMarkers(
      fills.map(({ openTime, side, count }) => ({
        time: timeOf(openTime),
        position: side === "buy" ? ("belowBar" as const) : ("aboveBar" as const),
        shape: side === "buy" ? ("arrowUp" as const) : ("arrowDown" as const),
        color: css(side === "buy" ? "--buy" : "--sell"),
        ...(count > 1 ? { text: `${count}×` } : {}),
      })),
    );
  }

  /** Lines that are gone are removed with their pane. */
  showIndicators(lines: readonly IndicatorLine[]): void {
    this.#drawn = { ...this.#drawn, lines };
    const wanted = new Set(lines.map(keyOf));
    for (const [key, series] of this.#lines) {
      if (wanted.has(key)) continue;
      this.#chart.removeSeries(series);
      this.#lines.delete(key);
    }
    lines.forEach((line, i) => {
      const series = this.#lines.get(keyOf(line)) ?? this.#addLine(line);
      series.applyOptions({ color: lineColour(i) });
      series.setData(
        line.points.map(({ openTime, value }) =>
          value === null ? { time: timeOf(openTime) } : { time: timeOf(openTime), value },
        ),
      );
    });
  }

  /** By this part of what is seen: to older bars where negative. */
  move(part: number): void {
    const range = this.#chart.timeScale().getVisibleLogicalRange();
    if (!range) return;
    const by = (range.to - range.from) * part;
    this.#chart.timeScale().setVisibleLogicalRange({ from: range.from + by, to: range.to + by });
  }

  /** Shows so many times the bars that are seen; the newest of them stays where it is. */
  zoom(times: number): void {
    const range = this.#chart.timeScale().getVisibleLogicalRange();
    if (!range) return;
    const seen = Math.max(LEAST_SEEN, (range.to - range.from) * times);
    this.#chart.timeScale().setVisibleLogicalRange({ from: range.to - seen, to: range.to });
  }

  toNewest(): void {
    this.#chart.timeScale().scrollToPosition(RIGHT_ROOM, false);
  }

  /** After theme or zone changed. */
  repaint(zone: Zone): void {
    this.#zone = zone;
    this.#chart.applyOptions(chartOptions(this.#zone));
    this.#prices.applyOptions(candleOptions());
    this.#drawRows();
    this.showFills(this.#drawn.fills);
    this.showIndicators(this.#drawn.lines);
  }

  remove(): void {
    this.#chart.remove();
  }

  #addLine(line: IndicatorLine): ISeriesApi<"Line"> {
    const options = {
      lineWidth: 2 as const,
      lastValueVisible: !line.onPrice,
      priceLineVisible: false,
      crosshairMarkerVisible: false,
    };
    const series = this.#chart.addSeries(LineSeries, options, line.onPrice ? 0 : INDICATOR_PANE);
    this.#lines.set(keyOf(line), series);
    this.#chart.panes().forEach((pane, i) => {
      pane.setStretchFactor(i === 0 ? 4 : 1);
    });
    return series;
  }

  #drawRows(): void {
    const { rows, marks } = this.#drawn;
    this.#prices.setData(rows.map(pricePoint));
    this.#volumes.setData(rows.map(volumePoint));
    this.#marks.setData(marks.map(markPoint));
  }
}

function keyOf(line: IndicatorLine): string {
  return `${line.runner} ${line.name} ${line.onPrice}`;
}

function timeOf(openTime: number): UTCTimestamp {
  return (openTime / 1000) as UTCTimestamp;
}

function pricePoint(row: ChartCandle) {
  const { open, high, low, close } = row;
  return { time: timeOf(row.openTime), open, high, low, close };
}

function volumePoint(row: ChartCandle) {
  const color = css(row.close >= row.open ? "--up-soft" : "--down-soft");
  return { time: timeOf(row.openTime), value: row.volume, color };
}

function markPoint({ openTime, mark }: BarMark) {
  return { time: timeOf(openTime), value: 1, color: css(`--mark-${mark}`) };
}
