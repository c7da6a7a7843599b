import type { ComponentChildren } from "preact";
import type { MetricsEvent } from "../contract.ts";
import { formatAge, formatDateMinute, formatPnl } from "./format.ts";
import { model, now, revision } from "./live.ts";
import { loadOf } from "./metric-history.ts";
import { isStale } from "./parts.tsx";
import { profitDecimals } from "./precision.ts";
import { zone } from "./settings.ts";

/** What trading comes to: profit, rails, orders. */
export function TradingTiles() {
  void revision.value;
  return (
    <div class="tiles">
      <PnlTile name="today" label="PnL today" pick="today" />
      <PnlTile name="total" label="PnL in all" pick="total" />
      <RailTile />
      <PositionTile />
      <CandleTile />
    </div>
  );
}

/** How the nodes are. */
export function NodeTiles() {
  void revision.value;
  const nodes = [...model.nodes.values()];
  const fresh = nodes.filter((node) => !isStale(node.heardAt));
  const all = nodes.flatMap(({ metrics }) => (metrics ? [metrics] : []));
  const { cpuPercent, bytes } = loadOf(all, now.value);
  const drops = all.reduce((sum, metrics) => sum + dropsOf(metrics), 0);
  const stale = nodes.length > 0 && fresh.length === 0;
  return (
    <div class="tiles">
      <Tile name="nodes" label="Nodes" stale={stale}>
        <span class={fresh.length < nodes.length ? "caution" : ""}>{fresh.length}</span>
        <small>/ {nodes.length} alive</small>
      </Tile>
      <RailTile />
      <CandleTile />
      <Tile name="load" label="CPU and memory, all" stale={stale}>
        {all.length === 0 ? "–" : `${cpuPercent.toFixed(1)} %`}
        <small>{all.length === 0 ? "no metrics yet" : `${(bytes / 1e6).toFixed(0)} MB`}</small>
      </Tile>
      <Tile name="drops" label="Messages dropped" stale={stale}>
        <span class={drops > 0 ? "caution" : ""}>{drops.toLocaleString("en-US")}</span>
        <small>since the nodes started</small>
      </Tile>
    </div>
  );
}

/** Everything that a node counts as dropped. */
export function dropsOf({ values }: MetricsEvent): number {
  return Object.entries(values).reduce(
    (sum, [name, value]) => (/(^|\.)(dropped|missed)\.total$/.test(name) ? sum + value : sum),
    0,
  );
}

function PnlTile(props: { readonly name: string; readonly label: string; readonly pick: "today" | "total" }) {
  const books = [...model.nodes.values()].flatMap(({ positions }) => (positions ? [positions] : []));
  const sums = new Map<string, number>();
  for (const { mode, pnl } of books) {
    for (const { quote, [props.pick]: value } of pnl?.byQuote ?? []) {
      if (value !== null) sums.set(`${quote} ${mode}`, (sums.get(`${quote} ${mode}`) ?? 0) + Number(value));
    }
  }
  // Sums over several currencies, or over paper and live, mean nothing: the first is shown, the others are told beside it.
  const [first, ...others] = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  const amount = first?.[1] ?? 0;
  return (
    <Tile
      name={props.name}
      label={props.label}
      tone={!first || amount === 0 ? "" : amount < 0 ? "down" : "up"}
      stale={books.some((book) => isStale(book.receivedAt))}
    >
      {first ? formatPnl(amount, profitDecimals(quoteIn(first[0]))) : "–"}
      <small>
        {first?.[0] ?? (books.length === 0 ? "no runner" : "nothing traded yet")}
        {others.map(([name, value]) => ` · ${formatPnl(value, profitDecimals(quoteIn(name)))} ${name}`)}
      </small>
    </Tile>
  );
}

/** Of "USDT paper". */
function quoteIn(name: string): string {
  return name.slice(0, name.lastIndexOf(" "));
}

function RailTile() {
  const all = [...model.nodes.values()].flatMap((node) =>
    (node.metrics?.rails ?? []).map((rail) => ({ rail: rail.rail, stale: isStale(node.metrics?.receivedAt ?? 0) })),
  );
  const fast = all.filter((rail) => rail.rail === "FAST" && !rail.stale).length;
  return (
    <Tile name="rails" label="Fast rails" stale={all.length > 0 && all.every((rail) => rail.stale)}>
      <span class={fast < all.length ? "caution" : ""}>{all.length === 0 ? "–" : fast}</span>
      <small>{all.length === 0 ? "no consumer" : `/ ${all.length} in all`}</small>
    </Tile>
  );
}

function PositionTile() {
  const books = [...model.nodes.values()].flatMap(({ positions }) => (positions ? [positions] : []));
  const open = books.flatMap((book) => book.positions).filter((row) => Number(row.quantity) !== 0);
  return (
    <Tile name="positions" label="Open positions" stale={books.some((book) => isStale(book.receivedAt))}>
      {books.length === 0 ? "–" : open.length}
      <small>{books.length === 1 ? "1 runner" : `${books.length} runners`}</small>
    </Tile>
  );
}

function CandleTile() {
  const candles = [...model.markets.values()].map((market) => market.candle);
  const newest = candles.reduce<(typeof candles)[number] | null>(
    (best, candle) => (best && best.openTime >= candle.openTime ? best : candle),
    null,
  );
  const stale = newest !== null && isStale(model.nodes.get(newest.node)?.heardAt ?? 0);
  return (
    <Tile name="candle" label="Newest candle" stale={stale}>
      {newest ? formatDateMinute(newest.openTime, zone.value).slice(11) : "–"}
      <small>{newest ? `${formatAge(now.value - newest.receivedAt)} · ${candles.length} symbols` : "none yet"}</small>
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
