import type { ComponentChildren } from "preact";
import { formatAge, formatDateMinute, formatPnl } from "./format.ts";
import { model, now, revision } from "./live.ts";
import { isStale } from "./parts.tsx";

/** The five figures to see from across the room. */
export function Tiles() {
  void revision.value;
  const nodes = [...model.nodes.values()];
  const fresh = nodes.filter((node) => !isStale(node.heardAt));
  const candles = [...model.markets.values()].map((market) => market.candle);
  const newest = candles.reduce<(typeof candles)[number] | null>(
    (best, candle) => (best && best.openTime >= candle.openTime ? best : candle),
    null,
  );
  return (
    <div class="tiles">
      <Tile name="nodes" label="Nodes" stale={nodes.length > 0 && fresh.length === 0}>
        <span class={fresh.length < nodes.length ? "caution" : ""}>{fresh.length}</span>
        <small>/ {nodes.length} alive</small>
      </Tile>
      <RailTile />
      <Tile
        name="candle"
        label="Newest candle"
        stale={newest !== null && isStale(model.nodes.get(newest.node)?.heardAt ?? 0)}
      >
        {newest ? formatDateMinute(newest.openTime).slice(11) : "–"}
        <small>{newest ? `${formatAge(now.value - newest.receivedAt)} · ${candles.length} symbols` : "none yet"}</small>
      </Tile>
      <PnlTile />
      <OrdersTile />
    </div>
  );
}

function RailTile() {
  const all = [...model.nodes.values()].flatMap((node) =>
    (node.metrics?.rails ?? []).map((rail) => ({ rail: rail.rail, stale: isStale(node.metrics?.receivedAt ?? 0) })),
  );
  const fast = all.filter((rail) => rail.rail === "FAST" && !rail.stale).length;
  return (
    <Tile name="rails" label="Fast rails" stale={all.length > 0 && all.every((rail) => rail.stale)}>
      <span class={fast < all.length ? "caution" : ""}>{all.length === 0 ? "–" : fast}</span>
      <small>{all.length === 0 ? "no consumer" : `/ ${all.length} symbols`}</small>
    </Tile>
  );
}

function PnlTile() {
  const books = [...model.nodes.values()].map((node) => node.positions).filter((positions) => positions !== null);
  const rows = books.flatMap((book) => book.positions);
  const realised = rows.reduce((sum, row) => sum + Number(row.realisedPnl), 0);
  const open = rows.reduce((sum, row) => sum + Number(row.unrealisedPnl), 0);
  const total = realised + open;
  const modes = [...new Set(books.map((book) => book.mode))].sort().join(" + ");
  return (
    <Tile
      name="pnl"
      label={modes === "" ? "PnL" : `PnL, ${modes}`}
      tone={books.length === 0 ? "" : total < 0 ? "down" : "up"}
      stale={books.some((book) => isStale(book.receivedAt))}
    >
      {books.length === 0 ? "–" : formatPnl(total)}
      <small>{books.length === 0 ? "no runner" : `open ${formatPnl(open)}`}</small>
    </Tile>
  );
}

function OrdersTile() {
  const books = [...model.nodes.values()].map((node) => node.positions).filter((positions) => positions !== null);
  const orders = books.flatMap((book) => book.orders);
  const newest = orders.reduce((best, order) => Math.max(best, order.openTime), 0);
  return (
    <Tile name="orders" label="Newest orders" stale={books.some((book) => isStale(book.receivedAt))}>
      {orders.length}
      <small>{orders.length === 0 ? "none yet" : `last on ${formatDateMinute(newest).slice(11)} candle`}</small>
    </Tile>
  );
}

function Tile(props: {
  readonly name: string;
  readonly label: string;
  readonly tone?: string;
  readonly stale?: boolean;
  readonly children: ComponentChildren;
}) {
  return (
    <div class={`tile tile-${props.name} ${props.stale ? "is-stale" : ""}`}>
      <span class="tile-label">{props.label}</span>
      <span class={`tile-value num ${props.tone ?? ""}`}>{props.children}</span>
    </div>
  );
}
