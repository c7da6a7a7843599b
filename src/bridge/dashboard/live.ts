import { signal } from "@preact/signals";
import type { CandleEvent } from "../contract.ts";
import { type LinkState, openLink } from "./event-link.ts";
import { Model } from "./model.ts";

/** What the page knows. It changes in place; `revision` tells that it did, at most once per painted frame. */
export const model = new Model();
export const revision = signal(0);
export const link = signal<{ readonly state: LinkState; readonly sinceMs: number }>({
  state: "connecting",
  sinceMs: 0,
});
/** The bridge's clock, moved on here twice a second: ages grow even when nothing arrives any more. */
export const now = signal(Date.now());
/** The chosen symbol; null until one is known. */
export const chosenSymbol = signal<string | null>(symbolInAddress());

type CandleListener = (candle: CandleEvent) => void;
const candleListeners = new Set<CandleListener>();

/** Calls `listener` with every candle heard; gives the way to stop. */
export function onCandle(listener: CandleListener): () => void {
  candleListeners.add(listener);
  return () => candleListeners.delete(listener);
}

export function chooseSymbol(symbol: string): void {
  chosenSymbol.value = symbol;
  history.replaceState(null, "", `#${encodeURIComponent(symbol)}`);
}

/** Connects and keeps the signals moving. Called once. */
export function startLive(): void {
  openLink("/api/telemetry/stream", {
    onState(state) {
      if (state === "open") clockOffsetMs = null;
      if (link.value.state !== state) link.value = { state, sinceMs: bridgeNow() };
    },
    onBridge(event) {
      // The least delayed message tells the clocks' distance best.
      const offset = event.now - performance.now();
      clockOffsetMs = Math.max(clockOffsetMs ?? -Infinity, offset);
      model.setBridge(event);
      touch();
    },
    onTelemetry(event) {
      model.apply(event);
      if (event.type === "candle") {
        if (chosenSymbol.value === null) chosenSymbol.value = event.data.symbol;
        for (const listener of candleListeners) listener(event.data);
      }
      touch();
    },
  });
  setInterval(() => {
    now.value = bridgeNow();
  }, 500);
}

let clockOffsetMs: number | null = null;
let lastOffsetMs = Date.now() - performance.now();

function bridgeNow(): number {
  if (clockOffsetMs !== null) lastOffsetMs = clockOffsetMs;
  return performance.now() + lastOffsetMs;
}

let painting = false;

function touch(): void {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    now.value = bridgeNow();
    revision.value++;
  });
}

function symbolInAddress(): string | null {
  const text = decodeURIComponent(location.hash.slice(1));
  return text === "" ? null : text;
}
