import { useEffect, useRef, useState } from "preact/hooks";
import { CandleSeries, type ChartCandle } from "./candle-series.ts";
import { type CandleChart, createCandleChart } from "./chart.ts";
import { decimalsOf, formatCompact, formatDateMinute, formatPrice } from "./format.ts";
import { chooseSymbol, chosenSymbol, link, model, now, onCandle, revision } from "./live.ts";
import { Age, isStale, Sparkline } from "./parts.tsx";

type Loading = "loading" | "ready" | "empty" | "failed";

const FIRST_ROWS = 600;
const RETRY_MS = 2000;
const MAX_CHIPS = 16;

/** The chosen symbol's candles: first from the store, then live; a hole sends it back to the store. */
export function ChartPanel() {
  const symbol = chosenSymbol.value;
  return (
    <section class="panel chart-panel" aria-label="Candle chart">
      <SymbolStrip />
      {symbol === null ? (
        <p class="chart-note">
          Waiting for the first candle. It comes when the first full minute of the market closes.
        </p>
      ) : (
        <SymbolChart key={symbol} symbol={symbol} />
      )}
    </section>
  );
}

function SymbolStrip() {
  void revision.value;
  const symbols = model.symbols();
  const chosen = chosenSymbol.value;
  const shown = symbols.slice(0, MAX_CHIPS);
  if (chosen !== null && !shown.includes(chosen)) shown.unshift(chosen);
  return (
    <div class="strip">
      <div class="chips">
        {shown.map((symbol) => (
          <SymbolChip key={symbol} symbol={symbol} chosen={symbol === chosen} />
        ))}
      </div>
      {symbols.length > MAX_CHIPS && (
        <select class="pick" aria-label="Symbol" onChange={(event) => chooseSymbol(event.currentTarget.value)}>
          {symbols.map((symbol) => (
            <option key={symbol} value={symbol} selected={symbol === chosen}>
              {symbol}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}

function SymbolChip(props: { readonly symbol: string; readonly chosen: boolean }) {
  const market = model.markets.get(props.symbol);
  const close = market?.candle.close;
  const first = market?.closes[0];
  const rises = market ? close !== undefined && close >= (first ?? market.candle.open) : true;
  return (
    <button
      type="button"
      class={`chip ${market && isStale(heardAt(market.candle.node)) ? "is-stale" : ""}`}
      aria-pressed={props.chosen}
      onClick={() => chooseSymbol(props.symbol)}
    >
      <span class="chip-name">{props.symbol}</span>
      <span class={`chip-price ${rises ? "up" : "down"}`}>{close === undefined ? "–" : formatPrice(close)}</span>
      <Sparkline values={market?.closes ?? []} rises={rises} />
    </button>
  );
}

function SymbolChart({ symbol }: { readonly symbol: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [loading, setLoading] = useState<Loading>("loading");
  const [hovered, setHovered] = useState<number | null>(null);
  const series = useRef(new CandleSeries());
  const connected = link.value.state === "open";

  useEffect(() => {
    if (!box.current) return undefined;
    return runChart(symbol, series.current, createCandleChart(box.current, setHovered), setLoading);
  }, [symbol]);

  void revision.value;
  const rows = series.current.rows;
  const row = (hovered !== null && rows.find((candidate) => candidate.openTime === hovered)) || rows.at(-1);
  const candle = model.markets.get(symbol)?.candle;
  return (
    <div class={`chart-area ${candle && isStale(heardAt(candle.node)) ? "is-stale-chart" : ""}`}>
      <Legend symbol={symbol} row={row ?? null} heardAtMs={candle?.receivedAt ?? null} />
      <div class="chart-box" ref={box} />
      {loading !== "ready" && <p class="chart-note">{loadingText(loading, symbol, connected)}</p>}
    </div>
  );
}

function Legend(props: {
  readonly symbol: string;
  readonly row: ChartCandle | null;
  readonly heardAtMs: number | null;
}) {
  const { row } = props;
  if (!row) return <div class="legend">{props.symbol}</div>;
  const digits = decimalsOf([row.open, row.high, row.low, row.close]);
  const change = ((row.close - row.open) / row.open) * 100;
  const tone = row.close >= row.open ? "up" : "down";
  return (
    <div class="legend num">
      <strong>{props.symbol}</strong>
      <span class="dim">1m</span>
      <span class="dim">{formatDateMinute(row.openTime)}</span>
      {(["open", "high", "low", "close"] as const).map((field) => (
        <span key={field} class="legend-field">
          <i>{field[0]?.toUpperCase()}</i> <b class={tone}>{formatPrice(row[field], digits)}</b>
        </span>
      ))}
      <span class={tone}>{`${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)}%`}</span>
      <span class="legend-field">
        <i>Vol</i> {formatCompact(row.volume)}
      </span>
      {row.provenance !== "complete" && <span class="tag">{row.provenance}</span>}
      {props.heardAtMs !== null && (
        <span class="legend-age">
          updated <Age ms={now.value - props.heardAtMs} />
        </span>
      )}
    </div>
  );
}

/** Fills and follows one chart until the returned function is called. */
function runChart(
  symbol: string,
  series: CandleSeries,
  chart: CandleChart,
  onLoading: (state: Loading) => void,
): () => void {
  let over = false;
  let fetching = false;
  let again: ReturnType<typeof setTimeout> | null = null;

  const retry = () => {
    if (!over) again ??= setTimeout(load, RETRY_MS);
  };
  const load = async () => {
    again = null;
    if (fetching || over) return;
    fetching = true;
    const rows = await fetchCandles(symbol);
    fetching = false;
    if (over) return;
    const first = series.rows.length === 0;
    if (rows) series.load(rows);
    const drawn = series.rows.length;
    if (drawn > 0) chart.draw(series.rows, first || rows !== null);
    onLoading(drawn > 0 ? "ready" : rows ? "empty" : "failed");
    if (!rows) retry();
  };
  const stop = onCandle((candle) => {
    if (candle.symbol !== symbol) return;
    const landing = series.add(candle);
    if (landing === "end") chart.append(candle);
    else if (landing === "inside") chart.draw(series.rows, false);
    else retry();
  });
  void load();
  return () => {
    over = true;
    stop();
    if (again !== null) clearTimeout(again);
    chart.remove();
  };
}

/** Null where the bridge cannot answer now. */
async function fetchCandles(symbol: string): Promise<readonly ChartCandle[] | null> {
  try {
    const reply = await fetch(`/api/candles?symbol=${encodeURIComponent(symbol)}&limit=${FIRST_ROWS}`);
    if (reply.status === 404) return [];
    return reply.ok ? ((await reply.json()) as { readonly candles: readonly ChartCandle[] }).candles : null;
  } catch {
    return null;
  }
}

function loadingText(state: Loading, symbol: string, connected: boolean): string {
  if (state === "loading") return `Reading ${symbol} from the store …`;
  if (state === "empty") return `No candle of ${symbol} is in the store yet. The next one that closes appears here.`;
  return connected
    ? "The store cannot be read right now; trying again. Live candles appear here as they close."
    : "The bridge does not answer; trying again.";
}

function heardAt(node: string): number {
  return model.nodes.get(node)?.heardAt ?? 0;
}
