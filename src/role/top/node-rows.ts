import { STALE_AFTER_MS } from "../../bridge/contract.ts";
import type { LatestEntry } from "../../bus/latest-store.ts";
import type { HealthBody, NodeRole, NodeState, Rail } from "../../core/wire.ts";
import type { Advertisement } from "../lifecycle/advertisement.ts";
import { dropCounters } from "./drop-counters.ts";
import type { TelemetryView } from "./telemetry-view.ts";

/** One node, flat. Null where nothing was heard that tells. */
export interface NodeRow {
  readonly node: string;
  readonly role: NodeRole;
  /** As it last said; null where it lives (its lock is held) and was never heard. */
  readonly state: NodeState | null;
  readonly reason: string | null;
  readonly pid: number;
  readonly version: string;
  readonly uptimeMs: number | null;
  /** Since its health was last heard. */
  readonly ageMs: number | null;
  /** Wall ms: since then nothing was heard of it, for too long. Null for a node that is not stale. */
  readonly staleSince: number | null;
  /** Of one core. */
  readonly cpuPercent: number | null;
  readonly rssBytes: number | null;
  readonly loopLagP99Ms: number | null;
  readonly messagesPerSecond: number | null;
  /** Messages and rows dropped since its start, all kinds together. */
  readonly drops: number | null;
}

export interface RailRow {
  readonly node: string;
  readonly symbol: string;
  readonly rail: Rail;
  readonly reason: string;
  /** Wall ms since the symbol's last progress, by now. */
  readonly ageMs: number;
  readonly lastOpenTime: number | null;
  /** Its node is stale, so this is old news. */
  readonly stale: boolean;
}

/**
 * Everything heard, and what lives and was not heard. `sinceMs`: wall ms when the listening began, from when a live node that
 * was never heard counts as silent. Nodes by name.
 */
export function nodeRows(
  view: TelemetryView,
  alive: readonly Advertisement[],
  listening: { readonly sinceMs: number; readonly nowMs: number },
): readonly NodeRow[] {
  const heard = view.healths();
  const known = new Set(heard.map((entry) => entry.node));
  const unheard = alive.filter((node) => !known.has(node.node));
  const rows = [...heard.map((entry) => heardRow(view, entry)), ...unheard.map((node) => unheardRow(node, listening))];
  return rows.sort((one, other) => (one.node < other.node ? -1 : 1));
}

/** Rails of every node, those in trouble first, then by node and symbol. */
export function railRows(view: TelemetryView): readonly RailRow[] {
  const rows: RailRow[] = [];
  for (const entry of view.healths()) {
    const metrics = view.metrics(entry.node);
    if (!metrics) continue;
    const stale = view.ageMs(entry) > STALE_AFTER_MS;
    const since = view.ageMs(entry);
    for (const { symbol, rail, reason, ageMs, lastOpenTime } of metrics.value.body.rails)
      rows.push({ node: entry.node, symbol, rail, reason, ageMs: Math.round(ageMs + since), lastOpenTime, stale });
  }
  const key = (row: RailRow) => `${row.rail === "FAST" ? 1 : 0} ${row.node} ${row.symbol}`;
  return rows.sort((one, other) => (key(one) < key(other) ? -1 : 1));
}

function heardRow(view: TelemetryView, entry: LatestEntry<HealthBody>): NodeRow {
  const { node, role, state, reason, pid, version, uptimeMs } = entry.value;
  const metrics = view.metrics(node)?.value;
  const values = metrics?.body.values ?? {};
  const ageMs = Math.round(view.ageMs(entry));
  return {
    node,
    role,
    state,
    reason,
    pid,
    version,
    uptimeMs,
    ageMs,
    staleSince: ageMs > STALE_AFTER_MS ? entry.receivedAt : null,
    cpuPercent: values["process.cpu.percent"] ?? null,
    rssBytes: values["process.rss.bytes"] ?? null,
    loopLagP99Ms: values["loop.lag.p99.ms"] ?? null,
    messagesPerSecond: metrics?.sentPerSecond ?? null,
    drops: metrics ? dropCounters(values).reduce((sum, drop) => sum + drop.count, 0) : null,
  };
}

function unheardRow(node: Advertisement, listening: { readonly sinceMs: number; readonly nowMs: number }): NodeRow {
  const silentSince = Math.max(listening.sinceMs, node.startedAt);
  return {
    node: node.node,
    role: node.role,
    state: null,
    reason: "alive (its lock is held), and nothing was heard of it",
    pid: node.pid,
    version: node.version,
    uptimeMs: null,
    ageMs: null,
    staleSince: listening.nowMs - silentSince > STALE_AFTER_MS ? silentSince : null,
    cpuPercent: null,
    rssBytes: null,
    loopLagP99Ms: null,
    messagesPerSecond: null,
    drops: null,
  };
}
