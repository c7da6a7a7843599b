import {
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  HistogramSeries,
  type UTCTimestamp,
} from "lightweight-charts";
import type { ChartCandle } from "./candle-series.ts";
import { decimalsOf } from "./format.ts";

export interface CandleChart {
  /** Draws all rows anew. `fit` also brings the newest into view. */
  draw(rows: readonly ChartCandle[], fit: boolean): void;
  /** Adds or replaces the last candle. */
  append(row: ChartCandle): void;
  remove(): void;
}

const VISIBLE_CANDLES = 120;

/** A candle chart with volume in `box`, following its size and the page's colours. `onHover` tells the candle under the pointer. */
export function createCandleChart(box: HTMLElement, onHover: (openTime: number | null) => void): CandleChart {
  const chart = createChart(box, { autoSize: true, ...chartOptions() });
  const prices = chart.addSeries(CandlestickSeries, candleOptions());
  const volumes = chart.addSeries(HistogramSeries, {
    priceScaleId: "",
    priceFormat: { type: "volume" },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  prices.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.26 } });
  volumes.priceScale().applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } });
  let drawn: readonly ChartCandle[] = [];

  const drawAll = () => {
    prices.setData(drawn.map(pricePoint));
    volumes.setData(drawn.map(volumePoint));
  };
  const scheme = matchMedia("(prefers-color-scheme: light)");
  const recolour = () => {
    chart.applyOptions(chartOptions());
    prices.applyOptions(candleOptions());
    drawAll();
  };
  scheme.addEventListener("change", recolour);
  chart.subscribeCrosshairMove((move) => {
    onHover(typeof move.time === "number" ? move.time * 1000 : null);
  });

  return {
    draw(rows, fit) {
      drawn = rows;
      const decimals = decimalsOf(rows.slice(-50).map((row) => row.close));
      prices.applyOptions({ priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals } });
      drawAll();
      if (fit) chart.timeScale().setVisibleLogicalRange({ from: rows.length - VISIBLE_CANDLES, to: rows.length + 3 });
    },
    append(row) {
      prices.update(pricePoint(row));
      volumes.update(volumePoint(row));
    },
    remove() {
      scheme.removeEventListener("change", recolour);
      chart.remove();
    },
  };
}

function pricePoint(row: ChartCandle) {
  return {
    time: (row.openTime / 1000) as UTCTimestamp,
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
  };
}

function volumePoint(row: ChartCandle) {
  const color = css(row.close >= row.open ? "--up-soft" : "--down-soft");
  return { time: (row.openTime / 1000) as UTCTimestamp, value: row.volume, color };
}

function chartOptions() {
  return {
    layout: {
      background: { type: ColorType.Solid, color: "transparent" },
      textColor: css("--muted"),
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
      // Its logo would need an inline style sheet, which the page's policy forbids; the footer names and links the library.
      attributionLogo: false,
    },
    grid: { vertLines: { color: css("--grid") }, horzLines: { color: css("--grid") } },
    crosshair: {
      mode: CrosshairMode.Normal,
      vertLine: { color: css("--faint"), labelBackgroundColor: css("--raised") },
      horzLine: { color: css("--faint"), labelBackgroundColor: css("--raised") },
    },
    rightPriceScale: { borderVisible: false },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false, rightOffset: 3 },
  };
}

function candleOptions() {
  const up = css("--up");
  const down = css("--down");
  return { upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false };
}

function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
