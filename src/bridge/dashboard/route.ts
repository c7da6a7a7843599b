import { isSymbol } from "../../core/symbol.ts";
import { TIMEFRAMES, type Timeframe } from "../../core/timeframe.ts";

export const VIEWS = ["market", "strategies", "scanner", "nodes", "logs"] as const;
export type View = (typeof VIEWS)[number];

/** Where the page is, as its address says after the #. */
export interface Route {
  readonly view: View;
  /** Null: none is chosen. Market alone has one. */
  readonly symbol: string | null;
  readonly timeframe: Timeframe;
}

/** Reads `#/market/BTCUSDT/5m`; what it does not know becomes the first view, its first timeframe, no symbol. */
export function parseRoute(hash: string): Route {
  const parts = hash.replace(/^#\/?/, "").split("/").map(decoded);
  const known = VIEWS.find((view) => view === parts[0]);
  const view = known ?? "market";
  // An address of before there were views is a symbol alone.
  const [named, timeframe] = known ? parts.slice(1) : parts;
  const symbol = (named ?? "").toUpperCase();
  return {
    view,
    symbol: view === "market" && isSymbol(symbol) ? symbol : null,
    timeframe: TIMEFRAMES.find((name) => name === timeframe) ?? "1m",
  };
}

export function hashOf({ view, symbol, timeframe }: Route): string {
  if (view !== "market" || symbol === null) return `#/${view}`;
  return `#/market/${encodeURIComponent(symbol)}/${timeframe}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
