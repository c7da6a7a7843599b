import { signal } from "@preact/signals";
import { TIMEFRAMES, type Timeframe } from "../../core/timeframe.ts";
import { formatPrice } from "./format.ts";
import { chooseSymbol, chooseTimeframe, model, revision, route } from "./live.ts";
import { Empty, isStale, Sparkline } from "./parts.tsx";
import { precisionOf } from "./precision.ts";
import { SymbolBox } from "./symbol-box.tsx";
import { SymbolChart } from "./symbol-chart.tsx";
import { SymbolFacts } from "./symbol-facts.tsx";

const SHOWN: readonly Timeframe[] = TIMEFRAMES.filter((name) => ["1m", "5m", "15m", "1h", "4h", "1d"].includes(name));
const MAX_CHIPS = 16;

const chosenRunner = signal<string | null>(null);
const showsIndicators = signal(true);

/** One symbol: its candles with what runners did and saw, and what is known of it beside. */
export function MarketView() {
  const { symbol, timeframe } = route.value;
  return (
    <div class={`market ${symbol === null ? "market-empty" : ""}`}>
      <section class="panel chart-panel" aria-labelledby="title-market">
        <h2 id="title-market" class="unseen">
          {symbol === null ? "Market" : `Candles of ${symbol}`}
        </h2>
        <Strip />
        {symbol === null ? (
          <div class="chart-note">
            <Empty run="fabric up">
              Waiting for the first candle. It comes when the first full minute of the market closes. Is market-data
              running?
            </Empty>
          </div>
        ) : (
          <>
            <Toolbar />
            <SymbolChart
              key={`${symbol} ${timeframe}`}
              symbol={symbol}
              timeframe={timeframe}
              choice={{ runner: chosenRunner.value, indicators: showsIndicators.value }}
            />
          </>
        )}
      </section>
      {symbol !== null && <SymbolFacts key={symbol} symbol={symbol} />}
    </div>
  );
}

function Strip() {
  void revision.value;
  const chosen = route.value.symbol;
  const shown = model.symbols().slice(0, MAX_CHIPS);
  if (chosen !== null && !shown.includes(chosen)) shown.unshift(chosen);
  return (
    <div class="strip">
      <SymbolBox />
      <div class="chips">
        {shown.map((symbol) => (
          <Chip key={symbol} symbol={symbol} chosen={symbol === chosen} />
        ))}
      </div>
    </div>
  );
}

function Chip(props: { readonly symbol: string; readonly chosen: boolean }) {
  const market = model.markets.get(props.symbol);
  const close = market?.candle.close;
  const first = market?.closes[0];
  const rises = market ? close !== undefined && close >= (first ?? market.candle.open) : true;
  const heardAt = model.nodes.get(market?.candle.node ?? "")?.heardAt ?? 0;
  return (
    <button
      type="button"
      class={`chip ${market && isStale(heardAt) ? "is-stale" : ""}`}
      aria-pressed={props.chosen}
      onClick={() => chooseSymbol(props.symbol)}
    >
      <span class="chip-name">{props.symbol}</span>
      <span class={`chip-price ${rises ? "up" : "down"}`}>
        {close === undefined ? "–" : formatPrice(close, precisionOf(model, props.symbol).price)}
      </span>
      <Sparkline values={market?.closes ?? []} rises={rises} />
    </button>
  );
}

function Toolbar() {
  void revision.value;
  const runners = model.runners().map((node) => node.name);
  const frames = SHOWN.includes(route.value.timeframe) ? SHOWN : [...SHOWN, route.value.timeframe];
  return (
    <div class="toolbar">
      <fieldset class="segments">
        <legend class="unseen">Timeframe</legend>
        {frames.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === route.value.timeframe}
            onClick={() => chooseTimeframe(name)}
          >
            {name}
          </button>
        ))}
      </fieldset>
      <span class="push" />
      <label class="check">
        <input
          type="checkbox"
          checked={showsIndicators.value}
          onChange={(event) => {
            showsIndicators.value = event.currentTarget.checked;
          }}
        />
        Indicators
      </label>
      <label class="field">
        <span class="field-name">Trades of</span>
        <select
          value={chosenRunner.value ?? ""}
          onChange={(event) => {
            chosenRunner.value = event.currentTarget.value || null;
          }}
        >
          <option value="">all runners</option>
          {runners.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
