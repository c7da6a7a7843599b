import { signal } from "@preact/signals";
import type { Timeframe } from "../../core/timeframe.ts";
import type { CandleEvent } from "../contract.ts";
import { IN_USE_EVERY_MS, tellInUse } from "./api.ts";
import { BridgeClock } from "./bridge-clock.ts";
import { type LinkState, openLink } from "./event-link.ts";
import { Model } from "./model.ts";
import { hashOf, parseRoute, type Route, type View } from "./route.ts";

/** What the page knows. It changes in place; `revision` tells that it did, at most once per painted frame. */
export const model = new Model();
export const revision = signal(0);
export const link = signal<{ readonly state: LinkState; readonly sinceMs: number }>({
  state: "connecting",
  sinceMs: 0,
});
/** The bridge's clock, moved on here twice a second: ages grow even when nothing arrives any more. */
export const now = signal(Date.now());
/** Grows when everything known was dropped: what was read beside the stream is to be read again. */
export const resyncs = signal(0);
/** Where the page is. Its symbol is the first one heard until one is chosen. */
export const route = signal<Route>(parseRoute(location.hash));

type CandleListener = (candle: CandleEvent) => void;
const candleListeners = new Set<CandleListener>();

/** Calls `listener` with every candle heard; gives the way to stop. */
export function onCandle(listener: CandleListener): () => void {
  candleListeners.add(listener);
  return () => candleListeners.delete(listener);
}

export function goTo(view: View): void {
  go({ ...route.value, view });
}

export function chooseSymbol(symbol: string): void {
  go({ ...route.value, view: "market", symbol });
}

export function chooseTimeframe(timeframe: Timeframe): void {
  go({ ...route.value, timeframe });
}

function go(next: Route): void {
  const isSameView = next.view === route.value.view;
  route.value = next;
  // Views are steps back; symbols and timeframes are not, or leaving the page would take a press for each.
  if (isSameView) history.replaceState(null, "", hashOf(next));
  else history.pushState(null, "", hashOf(next));
}

/** Connects and keeps the signals moving. Called once. */
export function startLive(): void {
  openLink("/api/stream", {
    onState(state) {
      if (state === "open") clock.forget();
      if (link.value.state !== state) link.value = { state, sinceMs: bridgeNow() };
    },
    onBridge(event) {
      clock.hear(event.now, performance.now());
      model.setBridge(event);
      touch();
    },
    onTelemetry(event) {
      model.apply(event);
      if (event.type === "candle") for (const listener of candleListeners) listener(event.data);
      touch();
    },
    onResync() {
      model.resync();
      resyncs.value++;
      touch();
    },
    onLogin: () => location.assign("/login"),
  });
  setInterval(() => {
    now.value = bridgeNow();
  }, 500);
  setInterval(() => void tellInUse(), IN_USE_EVERY_MS);
  // A symbol is kept while other views are looked at.
  const follow = () => {
    const found = parseRoute(location.hash);
    route.value = { ...found, symbol: found.symbol ?? route.value.symbol };
  };
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
}

const clock = new BridgeClock(Date.now() - performance.now());

function bridgeNow(): number {
  return clock.at(performance.now());
}

let painting = false;

function touch(): void {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    const [first] = model.symbols();
    if (route.value.symbol === null && first !== undefined) adopt(first);
    now.value = bridgeNow();
    revision.value++;
  });
}

/** The first symbol heard is shown where none was asked for. */
function adopt(symbol: string): void {
  route.value = { ...route.value, symbol };
  if (route.value.view === "market") history.replaceState(null, "", hashOf(route.value));
}
