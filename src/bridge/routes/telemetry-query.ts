import { ApiError } from "../api-route.ts";
import type { NodeView, TelemetrySnapshot } from "../contract.ts";

export const NO_NODE = { 404: "no such node was heard" };
export const NO_NODE_OR_SYMBOL = { 404: "no such node was heard, or nobody tells of the symbol" };

/** Names told in one message. */
const TOLD = 10;

/** The node of that name, or all; throws ApiError 404 naming those there are. */
export function nodesNamed({ nodes }: TelemetrySnapshot, name: string | undefined): readonly NodeView[] {
  if (name === undefined) return nodes;
  const found = nodes.find((view) => view.node === name);
  if (found) return [found];
  const known = nodes.slice(0, TOLD).map((view) => view.node);
  throw new ApiError(
    404,
    `No node "${name}" was heard: ${known.length === 0 ? "none was yet" : `there are ${listed(known, nodes.length)}`}`,
  );
}

/** Throws ApiError 404 where no node tells anything of the symbol. */
export function checkSymbol({ nodes, candles }: TelemetrySnapshot, symbol: string | undefined): void {
  if (symbol === undefined) return;
  const known = new Set(candles.map((candle) => candle.symbol));
  for (const { metrics, positions } of nodes) {
    for (const rail of metrics?.rails ?? []) known.add(rail.symbol);
    for (const row of positions?.positions ?? []) known.add(row.symbol);
    for (const row of positions?.orders ?? []) known.add(row.symbol);
  }
  if (known.has(symbol)) return;
  const found = known.size === 0 ? "no symbol was heard of yet" : `there are ${listed([...known], known.size)}`;
  throw new ApiError(404, `Nobody tells of the symbol ${symbol}: ${found}`);
}

/** Which node tells it, and how old that is. */
export function sourceOf(view: NodeView, value: { readonly ageMs: number; readonly stale: boolean }) {
  return { node: view.node, ageMs: value.ageMs, stale: value.stale };
}

function listed(names: readonly string[], count: number): string {
  const told = names.slice(0, TOLD);
  return `${told.join(", ")}${count > told.length ? ` and ${count - told.length} more` : ""}`;
}
