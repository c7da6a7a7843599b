import type { ComponentChildren } from "preact";
import { quoteAssetOf } from "../../core/symbol.ts";
import type { MetricsEvent, PositionsEvent } from "../contract.ts";
import { formatDecimalPrice, formatFee, formatMinute, formatMoment, formatQuantity } from "./format.ts";
import { model, now } from "./live.ts";
import { Age, Badge, isStale, Pnl, Scroll, Side, SymbolLink, Th } from "./parts.tsx";
import { precisionOf } from "./precision.ts";
import { zone } from "./settings.ts";
import { RAIL_TONES } from "./symbol-facts.tsx";

const MAX_ROWS = 100;
const OUTCOME_TONES: Readonly<Record<string, string>> = {
  filled: "good",
  open: "wait",
  pending: "wait",
  expired: "warn",
  unknown: "warn",
  rejected: "bad",
  lost: "bad",
};

interface OfPositions {
  readonly positions: PositionsEvent | null;
}

function Part(props: {
  readonly title: string;
  readonly of: string | undefined;
  readonly quiet: string | null;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="part">
      <h3>{props.title}</h3>
      {props.quiet === null ? (
        <Scroll label={`${props.title} of ${props.of ?? "a runner"}`}>{props.children}</Scroll>
      ) : (
        <p class="quiet">{props.quiet}</p>
      )}
    </section>
  );
}

export function Positions({ positions }: OfPositions) {
  const rows = positions?.positions ?? [];
  return (
    <Part title="Positions" of={positions?.node} quiet={rows.length === 0 ? "Flat: nothing held yet." : null}>
      <table>
        <thead>
          <tr>
            <Th>Symbol</Th>
            <Th right>Quantity</Th>
            <Th right>Entry</Th>
            <Th right roomy>
              Last
            </Th>
            <Th right>Open PnL</Th>
            <Th right>Realised</Th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MAX_ROWS).map((row) => {
            const { price, quantity } = precisionOf(model, row.symbol);
            const isFlat = Number(row.quantity) === 0;
            return (
              <tr key={row.symbol}>
                <td>
                  <SymbolLink symbol={row.symbol} />
                </td>
                <td class={`right num ${isFlat ? "dim" : ""}`}>
                  {isFlat ? "flat" : formatQuantity(row.quantity, quantity)}
                </td>
                <td class="right num">{formatDecimalPrice(row.averagePrice, price)}</td>
                <td class="right num roomy">
                  {formatDecimalPrice(row.lastPrice === null ? null : `${row.lastPrice}`, price)}
                </td>
                <Pnl tag="td" value={row.unrealisedPnl} quote={quoteAssetOf(row.symbol)} />
                <Pnl tag="td" value={row.realisedPnl} quote={quoteAssetOf(row.symbol)} />
              </tr>
            );
          })}
        </tbody>
      </table>
      <More count={rows.length - MAX_ROWS} />
    </Part>
  );
}

export function RunnerRails({ metrics }: { readonly metrics: MetricsEvent | null }) {
  const rails = [...(metrics?.rails ?? [])].sort((a, b) => order(a.rail) - order(b.rail));
  const silent = isStale(metrics?.receivedAt ?? 0);
  return (
    <Part title="Rails" of={metrics?.node} quiet={rails.length === 0 ? "It has not told its rails yet." : null}>
      <table class="rails">
        <thead>
          <tr>
            <Th>Symbol</Th>
            <Th>Rail</Th>
            <Th>Why</Th>
            <Th right>Candle</Th>
            <Th right>Age</Th>
          </tr>
        </thead>
        <tbody>
          {rails.slice(0, MAX_ROWS).map((rail) => (
            <tr key={rail.symbol}>
              <td>
                <SymbolLink symbol={rail.symbol} />
              </td>
              <td>
                <Badge tone={silent ? "stale" : RAIL_TONES[rail.rail]}>{rail.rail}</Badge>
              </td>
              <td class={`wide ${rail.rail === "FAST" ? "dim" : "caution"}`}>{rail.reason}</td>
              <td class="right num">
                {rail.lastOpenTime === null ? "–" : formatMinute(rail.lastOpenTime, zone.value)}
              </td>
              <td class="right">
                <Age
                  ms={rail.ageMs + now.value - (metrics?.receivedAt ?? 0)}
                  limitMs={rail.rail === "FAST" && !silent ? Infinity : 0}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <More count={rails.length - MAX_ROWS} />
    </Part>
  );
}

function order(rail: string): number {
  return ["STALE", "FALLBACK", "FAST"].indexOf(rail);
}

export function Decisions({ positions }: OfPositions) {
  const rows = positions?.decisions;
  const quiet = !rows ? "This runner’s version does not tell them." : rows.length === 0 ? "None yet." : null;
  return (
    <Part title="Last decisions" of={positions?.node} quiet={quiet}>
      <table class="decisions">
        <thead>
          <tr>
            <Th>Candle</Th>
            <Th>Decision</Th>
            <Th>Outcome</Th>
            <Th>Why, and what became of it</Th>
          </tr>
        </thead>
        <tbody>
          {(rows ?? []).map((row) => (
            <tr key={row.clientOrderId}>
              <td class="num dim">{formatMoment(row.openTime, model.marketTime, zone.value)}</td>
              <td class="num">
                <Side side={row.side} /> {formatQuantity(row.quantity, precisionOf(model, row.symbol).quantity)}{" "}
                <SymbolLink symbol={row.symbol} />
              </td>
              <td>
                <Badge tone={OUTCOME_TONES[row.outcome] ?? "wait"}>{row.outcome}</Badge>
              </td>
              <td class="wide">
                {row.reason ?? <span class="dim">no reason given</span>}
                {row.outcomeReason && <p class="reason">{row.outcomeReason}</p>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Part>
  );
}

export function Orders({ positions }: OfPositions) {
  const rows = positions?.orders ?? [];
  return (
    <Part title="Orders" of={positions?.node} quiet={rows.length === 0 ? "None yet." : null}>
      <table>
        <thead>
          <tr>
            <Th>Candle</Th>
            <Th>Order</Th>
            <Th right>Quantity</Th>
            <Th right>Price</Th>
            <Th right>Status</Th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const { price, quantity } = precisionOf(model, row.symbol);
            return (
              <tr key={row.clientOrderId} title={`fabric explain ${row.clientOrderId}`}>
                <td class="num dim">{formatMoment(row.openTime, model.marketTime, zone.value)}</td>
                <td>
                  <Side side={row.side} /> {row.symbol}
                </td>
                <td class="right num">{formatQuantity(row.quantity, quantity)}</td>
                <td class="right num">{formatDecimalPrice(row.price, price)}</td>
                <td class="right">
                  <Badge tone={OUTCOME_TONES[row.status] ?? "wait"}>{row.status}</Badge>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Part>
  );
}

export function Fills({ positions }: OfPositions) {
  const rows = positions?.fills;
  const quiet = !rows ? "This runner’s version does not tell them." : rows.length === 0 ? "None yet." : null;
  return (
    <Part title="Fills" of={positions?.node} quiet={quiet}>
      <table>
        <thead>
          <tr>
            <Th>Time</Th>
            <Th>Fill</Th>
            <Th right>Quantity</Th>
            <Th right>Price</Th>
            <Th right roomy>
              Fee
            </Th>
          </tr>
        </thead>
        <tbody>
          {(rows ?? []).map((row) => {
            const { price, quantity } = precisionOf(model, row.symbol);
            return (
              <tr key={`${row.clientOrderId} ${row.at} ${row.price} ${row.quantity}`}>
                <td class="num dim">{formatMoment(row.at ?? row.openTime, model.marketTime, zone.value)}</td>
                <td>
                  <Side side={row.side} /> {row.symbol}
                  {row.clientOrderId === null && <span class="tag">adjustment</span>}
                </td>
                <td class="right num">{formatQuantity(row.quantity, quantity)}</td>
                <td class="right num">{formatDecimalPrice(row.price, price)}</td>
                <td class="right num dim roomy">
                  {formatFee(row.fee)} {row.feeAsset}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Part>
  );
}

function More({ count }: { readonly count: number }) {
  return count > 0 ? <p class="more">and {count.toLocaleString("en-US")} more</p> : null;
}
