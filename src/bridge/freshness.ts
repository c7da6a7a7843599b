import { type HealthEvent, MARKET_FRESH_MS, type Readiness, STALE_AFTER_MS } from "./contract.ts";

/** Ready where some market-data node is heard, sound and has fresh data. `now` is on the clock of `receivedAt`. */
export function marketReadiness(healths: Iterable<HealthEvent>, now: number): Readiness {
  let answer: Readiness = { ready: false, reason: "no market-data node has been heard", dataAgeMs: null };
  for (const health of healths) {
    if (health.role !== "market-data") continue;
    const found = readinessOf(health, now);
    if (found.ready) return found;
    answer = found;
  }
  return answer;
}

function readinessOf(health: HealthEvent, now: number): Readiness {
  const silentMs = now - health.receivedAt;
  const dataAgeMs = health.dataAgeMs === null ? null : health.dataAgeMs + silentMs;
  const not = (reason: string): Readiness => ({ ready: false, reason: `${health.node} ${reason}`, dataAgeMs });
  if (silentMs > STALE_AFTER_MS) return not(`has been silent for ${seconds(silentMs)}`);
  if (health.state !== "running" && health.state !== "degraded") return not(`is ${health.state}`);
  if (dataAgeMs === null) return not("has no market data yet");
  if (dataAgeMs > MARKET_FRESH_MS) return not(`has had no market data for ${seconds(dataAgeMs)}`);
  return { ready: true, reason: `${health.node} had market data ${seconds(dataAgeMs)} ago`, dataAgeMs };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
