import { STALE_AFTER_MS } from "../contract.ts";
import { marketReadiness } from "../freshness.ts";
import type { LinkState } from "./event-link.ts";
import { formatAge, formatTime } from "./format.ts";
import type { Model } from "./model.ts";

export interface Condition {
  readonly tone: "live" | "wait" | "lost" | "stale";
  readonly title: string;
  readonly detail: string;
}

/** What the page says of itself: connection first, then the market's data. Times on the bridge's clock. */
export function conditionOf(
  model: Model,
  link: { readonly state: LinkState; readonly sinceMs: number },
  now: number,
  zone: "utc" | "local",
): Condition {
  if (link.state === "connecting") return { tone: "wait", title: "Connecting", detail: "to the bridge" };
  if (link.state === "lost") {
    const detail = `no bridge since ${formatTime(link.sinceMs, zone)}, ${formatAge(now - link.sinceMs)}`;
    return { tone: "lost", title: "Reconnecting", detail };
  }
  const healths = [...model.nodes.values()].map((node) => node.health).filter((health) => health !== null);
  const market = marketReadiness(healths, now);
  const ageMs = market.dataAgeMs ?? 0;
  if (market.ready) {
    const detail = ageMs < STALE_AFTER_MS ? "market data is fresh" : `market data ${formatAge(ageMs)} old`;
    return { tone: "live", title: "Live", detail };
  }
  if (market.dataAgeMs === null) return { tone: "wait", title: "Waiting", detail: market.reason };
  return { tone: "stale", title: `Stale since ${formatTime(now - market.dataAgeMs, zone)}`, detail: market.reason };
}
