import * as v from "valibot";
import { limitParam, nodeParam, symbolParam } from "../api-params.ts";
import { type ApiRoute, defineRoute } from "../api-route.ts";
import { DECISIONS, FILLS, MOST, ORDERS, POSITIONS } from "../api-schemas.ts";
import type { Aged, PositionsEvent, TelemetrySnapshot, TelemetryView } from "../contract.ts";
import { checkSymbol, NO_NODE_OR_SYMBOL, nodesNamed, sourceOf } from "./telemetry-query.ts";

interface RowQuery {
  readonly node?: string | undefined;
  readonly symbol?: string | undefined;
  readonly limit: number;
}

/** What runners tell of their trading: whole snapshots of the newest 50 of each; journals are not opened. */
export function tradingRoutes(telemetry: TelemetryView): readonly ApiRoute[] {
  const query = { node: v.optional(nodeParam), symbol: v.optional(symbolParam) };
  const rows = { ...query, limit: limitParam(MOST.rows, 100) };
  return [
    defineRoute({
      path: "/api/positions",
      tag: "trading",
      summary: "Each runner's positions and profit and loss, in decimal strings",
      query,
      answer: POSITIONS,
      others: NO_NODE_OR_SYMBOL,
      handle: ({ node, symbol }) => {
        const snapshot = telemetry.snapshot();
        const runners = nodesNamed(snapshot, node).flatMap((view) => {
          const told = view.positions;
          if (!told) return [];
          const isWanted = (row: { readonly symbol: string }) => symbol === undefined || row.symbol === symbol;
          return [
            {
              ...sourceOf(view, told),
              mode: told.mode,
              strategy: told.strategy,
              pnl: told.pnl ?? null,
              positions: told.positions.filter(isWanted),
              instruments: told.instruments?.filter(isWanted) ?? [],
            },
          ];
        });
        if (runners.every(({ positions }) => positions.length === 0)) checkSymbol(snapshot, symbol);
        return { now: snapshot.bridge.now, runners };
      },
    }),
    defineRoute({
      path: "/api/orders",
      tag: "trading",
      summary: "The runners' newest orders (50 of each), newest first",
      query: rows,
      answer: ORDERS,
      others: NO_NODE_OR_SYMBOL,
      handle: (asked) => {
        const snapshot = telemetry.snapshot();
        const orders = newest(
          snapshot,
          asked,
          (told) => told.orders,
          (order) => order.openTime,
        );
        return { now: snapshot.bridge.now, orders };
      },
    }),
    defineRoute({
      path: "/api/fills",
      tag: "trading",
      summary: "The runners' newest fills and adjustments (50 of each), newest first",
      query: rows,
      answer: FILLS,
      others: NO_NODE_OR_SYMBOL,
      handle: (asked) => {
        const snapshot = telemetry.snapshot();
        const fills = newest(
          snapshot,
          asked,
          (told) => told.fills,
          (fill) => fill.at ?? fill.openTime,
        );
        return { now: snapshot.bridge.now, fills };
      },
    }),
    defineRoute({
      path: "/api/decisions",
      tag: "trading",
      summary: "The runners' newest decisions (50 of each) with their reason and what became of them, newest first",
      query: rows,
      answer: DECISIONS,
      others: NO_NODE_OR_SYMBOL,
      handle: (asked) => {
        const snapshot = telemetry.snapshot();
        const decisions = newest(
          snapshot,
          asked,
          (told) => told.decisions,
          (decision) => decision.at,
        );
        return { now: snapshot.bridge.now, decisions };
      },
    }),
  ];
}

/** A runner's rows come newest first; between runners their exchange time counts. */
function newest<Row extends { readonly symbol: string }>(
  snapshot: TelemetrySnapshot,
  { node, symbol, limit }: RowQuery,
  rowsOf: (told: Aged<PositionsEvent>) => readonly Row[] | undefined,
  timeOf: (row: Row) => number,
) {
  const rows = nodesNamed(snapshot, node).flatMap((view) => {
    const told = view.positions;
    if (!told) return [];
    return (rowsOf(told) ?? []).map((row) => ({ ...row, ...sourceOf(view, told), mode: told.mode }));
  });
  const wanted = symbol === undefined ? rows : rows.filter((row) => row.symbol === symbol);
  if (wanted.length === 0) checkSymbol(snapshot, symbol);
  return wanted.sort((a, b) => timeOf(b) - timeOf(a)).slice(0, limit);
}
