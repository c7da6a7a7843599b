import type { OrderRow, PositionRow } from "../../core/wire.ts";
import type { PositionsEvent } from "../contract.ts";
import { formatMinute, formatPnl, formatPrice, formatQuantity } from "./format.ts";
import { chooseSymbol, model, now, revision } from "./live.ts";
import { Age, Badge, Empty, Panel, staleClass } from "./parts.tsx";

const MAX_POSITIONS = 30;
const MAX_ORDERS = 8;
const STATUS_TONES: Readonly<Record<string, string>> = {
  filled: "good",
  open: "wait",
  pending: "wait",
  expired: "warn",
  unknown: "warn",
  rejected: "bad",
  lost: "bad",
};

/** Per runner: what it holds and its newest orders; paper or live beside every name. */
export function PositionsPanel() {
  void revision.value;
  const runners = model.sortedNodes().flatMap((node) => (node.positions ? [node.positions] : []));
  return (
    <Panel
      name="positions"
      title="Positions and orders"
      meta={`${runners.length} ${runners.length === 1 ? "runner" : "runners"}`}
    >
      {runners.length === 0 ? (
        <Empty>No runner has reported yet. Start one with “fabric runner --strategy sma-cross”.</Empty>
      ) : (
        runners.map((runner) => <Runner key={runner.node} runner={runner} />)
      )}
    </Panel>
  );
}

function Runner({ runner }: { readonly runner: PositionsEvent }) {
  const idle = runner.positions.length === 0 && runner.orders.length === 0;
  return (
    <div class={`runner ${staleClass(runner.receivedAt)}`}>
      <div class="runner-head">
        <span class={`mode mode-${runner.mode}`}>{runner.mode === "live" ? "LIVE" : "PAPER"}</span>
        <b>{runner.node}</b>
        <span class="dim">{runner.strategy === runner.node ? "" : runner.strategy}</span>
        {idle && <span class="runner-flat">flat, no order yet</span>}
        <span class="push">
          <Age ms={now.value - runner.receivedAt} />
        </span>
      </div>
      {!idle && (
        <div class="pair">
          <Positions rows={runner.positions} />
          <Orders rows={runner.orders} />
        </div>
      )}
    </div>
  );
}

function Positions({ rows }: { readonly rows: readonly PositionRow[] }) {
  if (rows.length === 0) return <Empty>Flat: no position yet.</Empty>;
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Symbol</th>
            <th scope="col" class="right">
              Quantity
            </th>
            <th scope="col" class="right">
              Entry
            </th>
            <th scope="col" class="right">
              Open PnL
            </th>
            <th scope="col" class="right">
              Realised
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MAX_POSITIONS).map((row) => (
            <tr key={row.symbol}>
              <td>
                <button type="button" class="linkish" onClick={() => chooseSymbol(row.symbol)}>
                  {row.symbol}
                </button>
              </td>
              <td class="right num">{formatQuantity(row.quantity)}</td>
              <td class="right num">
                {Number(row.averagePrice) === 0 ? "–" : formatPrice(Number(row.averagePrice), 2)}
              </td>
              <Pnl value={row.unrealisedPnl} />
              <Pnl value={row.realisedPnl} />
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MAX_POSITIONS && <p class="more">and {rows.length - MAX_POSITIONS} more</p>}
    </div>
  );
}

function Pnl({ value }: { readonly value: string }) {
  const amount = Number(value);
  return <td class={`right num ${amount > 0 ? "up" : amount < 0 ? "down" : "dim"}`}>{formatPnl(amount)}</td>;
}

function Orders({ rows }: { readonly rows: readonly OrderRow[] }) {
  if (rows.length === 0) return <Empty>No order yet.</Empty>;
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Candle</th>
            <th scope="col">Order</th>
            <th scope="col" class="right">
              Quantity
            </th>
            <th scope="col" class="right">
              Price
            </th>
            <th scope="col" class="right">
              Status
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MAX_ORDERS).map((row) => (
            <tr key={row.clientOrderId} title={row.clientOrderId}>
              <td class="num dim">{formatMinute(row.openTime)}</td>
              <td>
                <b class={row.side === "buy" ? "up" : "down"}>{row.side}</b> {row.symbol}
              </td>
              <td class="right num">{formatQuantity(row.quantity)}</td>
              <td class="right num">{row.price === null ? "–" : formatPrice(Number(row.price), 2)}</td>
              <td class="right">
                <Badge tone={STATUS_TONES[row.status] ?? "wait"}>{row.status}</Badge>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
