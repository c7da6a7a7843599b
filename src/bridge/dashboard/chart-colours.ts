import { ColorType, CrosshairMode, TickMarkType, type Time } from "lightweight-charts";
import { formatDateMinute, formatMinute } from "./format.ts";
import type { Zone } from "./settings.ts";

/** A colour of the page as it is now; canvases cannot read them by themselves. */
export function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** How many colours indicators take turns in. */
const LINE_COLOURS = 6;

export function lineColour(index: number): string {
  return css(`--line-${(index % LINE_COLOURS) + 1}`);
}

export function chartOptions(zone: Zone) {
  return {
    layout: {
      background: { type: ColorType.Solid, color: "transparent" },
      textColor: css("--muted"),
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
      // Its logo would need an inline style sheet, which the page's policy forbids; the footer names and links the library.
      attributionLogo: false,
      panes: { separatorColor: css("--line"), separatorHoverColor: css("--raised"), enableResize: true },
    },
    grid: { vertLines: { color: css("--grid") }, horzLines: { color: css("--grid") } },
    crosshair: {
      mode: CrosshairMode.Normal,
      vertLine: { color: css("--faint"), labelBackgroundColor: css("--tag") },
      horzLine: { color: css("--faint"), labelBackgroundColor: css("--tag") },
    },
    rightPriceScale: { borderVisible: false },
    localization: { timeFormatter: (time: Time) => formatDateMinute(msOf(time), zone) },
    timeScale: {
      borderVisible: false,
      timeVisible: true,
      secondsVisible: false,
      rightOffset: 3,
      tickMarkFormatter: (time: Time, kind: TickMarkType) => tick(msOf(time), kind, zone),
    },
  };
}

export function candleOptions() {
  const up = css("--up");
  const down = css("--down");
  return { upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false };
}

function msOf(time: Time): number {
  return typeof time === "number" ? time * 1000 : 0;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function tick(ms: number, kind: TickMarkType, zone: Zone): string {
  if (kind >= TickMarkType.Time) return formatMinute(ms, zone);
  const [year = "", month = "", day = ""] = formatDateMinute(ms, zone).slice(0, 10).split("-");
  if (kind === TickMarkType.Year) return year;
  const name = MONTHS[Number(month) - 1] ?? "";
  return kind === TickMarkType.Month ? name : `${Number(day)} ${name}`;
}
