import type { NodeState } from "../../core/wire.ts";
import { adviceOf } from "./advice.ts";
import { formatCompact } from "./format.ts";
import { link, model, now, revision } from "./live.ts";
import type { NodeModel } from "./model.ts";
import { AdviceBox, Age, Badge, Empty, isStale, ModeBadge, Panel, Pnl } from "./parts.tsx";
import { Decisions, Fills, Orders, Positions, RunnerRails } from "./runner-tables.tsx";
import { TradingTiles } from "./tiles.tsx";

export const STATE_TONES: Readonly<Record<NodeState, string>> = {
  starting: "wait",
  running: "good",
  degraded: "warn",
  failed: "bad",
  halted: "bad",
  stopping: "wait",
};

const TROUBLED: readonly NodeState[] = ["halted", "failed"];

/** Every runner: how it is, what it holds, what it decided and what became of that. The troubled ones first. */
export function StrategiesView() {
  void revision.value;
  const runners = [...model.runners()].sort((a, b) => trouble(b) - trouble(a));
  return (
    <>
      <TradingTiles />
      {runners.length === 0 ? (
        <Panel name="strategies" title="Strategies">
          <Empty run="fabric runner --strategy sma-cross">No runner has been heard yet. Start one, on paper:</Empty>
        </Panel>
      ) : (
        runners.map((runner) => <Runner key={runner.name} runner={runner} />)
      )}
    </>
  );
}

function trouble({ health, heardAt }: NodeModel): number {
  if (health && TROUBLED.includes(health.state)) return 2;
  return isStale(heardAt) ? 1 : 0;
}

function Runner({ runner }: { readonly runner: NodeModel }) {
  const { name, health, positions, metrics } = runner;
  const silent = isStale(runner.heardAt);
  const advice = adviceOf(name, health, silent, link.value.state);
  const mode = positions?.mode ?? health?.mode;
  const strategy = positions?.strategy ?? health?.details.strategy;
  return (
    <section
      class={`panel runner ${advice?.tone === "bad" ? "runner-troubled" : ""} ${silent ? "is-silent" : ""}`}
      data-runner={name}
      aria-labelledby={`runner-${name}`}
    >
      <header class="runner-head">
        {mode && <ModeBadge mode={mode} />}
        <h2 id={`runner-${name}`}>{name}</h2>
        {strategy !== undefined && strategy !== name && <span class="dim ellipsis">{String(strategy)}</span>}
        <Badge tone={silent ? "stale" : health ? STATE_TONES[health.state] : "wait"}>
          {silent ? "silent" : (health?.state ?? "no health yet")}
        </Badge>
        <span class="push">
          <Age ms={now.value - runner.heardAt} />
        </span>
      </header>
      {advice && <AdviceBox advice={advice} />}
      <div class={silent ? "is-stale" : ""}>
        <dl class="figures num">
          <div>
            <dt>PnL today</dt>
            <dd>
              <Profit runner={runner} pick="today" />
            </dd>
          </div>
          <div>
            <dt>PnL in all</dt>
            <dd>
              <Profit runner={runner} pick="total" />
            </dd>
          </div>
          <Figure title="Candles" value={metrics?.values["candles.total"]} />
          <Figure title="Orders sent" value={metrics?.values["orders.sent.total"]} />
          <Figure title="Refused" value={metrics?.values["orders.refused.total"]} caution />
          <Figure title="To decision, p99" value={metrics?.values["publish.to.decided.p99.ms"]} unit="ms" />
        </dl>
        <div class="runner-grid">
          {isIdle(runner) ? (
            <section class="part">
              <h3>Positions, decisions, orders, fills</h3>
              <p class="quiet">Flat, and nothing decided yet. A decision shows here with its reason as it is made.</p>
            </section>
          ) : (
            <Positions positions={positions} />
          )}
          <RunnerRails metrics={metrics} />
          {!isIdle(runner) && (
            <>
              <Decisions positions={positions} />
              <div class="runner-stack">
                <Orders positions={positions} />
                <Fills positions={positions} />
              </div>
            </>
          )}
        </div>
      </div>
    </section>
  );
}

function isIdle({ positions }: NodeModel): boolean {
  if (!positions) return true;
  const { orders, decisions, fills } = positions;
  return [positions.positions, orders, decisions ?? [], fills ?? []].every((list) => list.length === 0);
}

function Profit({ runner, pick }: { readonly runner: NodeModel; readonly pick: "today" | "total" }) {
  const pnl = runner.positions?.pnl;
  if (!pnl) return <span class="dim">–</span>;
  if (pnl.byQuote.length === 0) return <Pnl value={pnl[pick]} quote={null} />;
  return (
    <>
      {pnl.byQuote.map((row) => (
        <span key={row.quote}>
          <Pnl value={row[pick]} quote={row.quote} /> <small class="dim">{row.quote}</small>
        </span>
      ))}
    </>
  );
}

function Figure(props: {
  readonly title: string;
  readonly value: number | undefined;
  readonly unit?: string;
  readonly caution?: boolean;
}) {
  const { value } = props;
  return (
    <div>
      <dt>{props.title}</dt>
      <dd class={props.caution && (value ?? 0) > 0 ? "caution" : ""}>
        {value === undefined ? <span class="dim">–</span> : formatCompact(value)}
        {value !== undefined && props.unit && <small class="dim"> {props.unit}</small>}
      </dd>
    </div>
  );
}
