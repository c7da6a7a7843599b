import { EMPTY_DIGEST } from "../core/digest.ts";
import { MINUTE_MS, toRfc3339 } from "../core/time.ts";
import type { Rail, RailState } from "../core/wire.ts";
import type { ClosedWatch } from "./closed-watch.ts";
import type { ExchangeClock } from "./exchange-clock.ts";
import type { SymbolTrack } from "./symbol-track.ts";

/** What a rail's state follows from: data age and holes, never who is connected. */
export interface RailFacts {
  readonly nowMs: number;
  /** When this consumer began, on the same monotonic scale. */
  readonly startedMs: number;
  readonly staleAfterMs: number;
  readonly joined: boolean;
  readonly hasHole: boolean;
  readonly exchange: ExchangeClock;
  readonly watch: ClosedWatch;
}

export function railStateOf(track: SymbolTrack, facts: RailFacts): RailState {
  const ageMs = Math.max(0, facts.nowMs - (track.progressMs ?? facts.startedMs));
  const [rail, reason] = judge(track, facts, ageMs);
  return {
    symbol: track.symbol,
    rail,
    reason,
    ageMs,
    lastOpenTime: track.lastCandleOpenTime,
    delivered: track.position?.delivered ?? 0,
    digest: track.position?.digest ?? EMPTY_DIGEST,
  };
}

function judge(track: SymbolTrack, facts: RailFacts, ageMs: number): readonly [Rail, string] {
  const { exchange, watch } = facts;
  const seenThrough = Math.max(watch.coveredThrough, track.chainOpenTime ?? Number.NEGATIVE_INFINITY);
  if (!facts.joined) return ["STALE", "waiting for the store"];
  if (track.progressMs === null) {
    if (ageMs > exchange.minuteWallMs + facts.staleAfterMs)
      return [
        "STALE",
        track.chainOpenTime === null ? "the store has no row of this symbol" : "no candle since the start",
      ];
    const due = exchange.dueMinute(facts.nowMs);
    if (due === null || due > seenThrough) return ["STALE", "no candle since the start"];
    return ["FALLBACK", "the store is read, the next candle is not due yet"];
  }
  if (ageMs > exchange.minuteWallMs + facts.staleAfterMs)
    return ["STALE", `no candle for ${Math.floor(ageMs / 1000)} s`];
  if (facts.hasHole) return ["FALLBACK", `a hole after ${minuteText(track.chainOpenTime)}`];
  const overdueThrough = watch.overdue.closedThrough;
  if (overdueThrough > seenThrough)
    return ["FALLBACK", `closed through ${minuteText(overdueThrough)}, seen through ${minuteText(seenThrough)}`];
  if (track.rail === "FAST") return ["FAST", "candles arrive on the fast rail"];
  return ["FALLBACK", "the newest candle came from the store"];
}

function minuteText(openTime: number | null): string {
  return openTime === null || !Number.isFinite(openTime) ? "the start" : toRfc3339(openTime + MINUTE_MS);
}
