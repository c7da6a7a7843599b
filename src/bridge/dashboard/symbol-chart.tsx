import { useEffect, useRef, useState } from "preact/hooks";
import type { Timeframe } from "../../core/timeframe.ts";
import type { ChartCandle } from "./candle-series.ts";
import { lineColour } from "./chart-colours.ts";
import { countMarks, type IndicatorLine, MARKS, type Mark, markOf, marksOf } from "./chart-marks.ts";
import { type ChartChoice, ChartSession, type Loading } from "./chart-session.ts";
import { formatCompact, formatDateMinute, formatPrice } from "./format.ts";
import { link, model, now, resyncs, revision } from "./live.ts";
import { Age, Command, isStale } from "./parts.tsx";
import { precisionOf } from "./precision.ts";
import { theme, zone } from "./settings.ts";

interface ChartProps {
  readonly symbol: string;
  readonly timeframe: Timeframe;
  readonly choice: ChartChoice;
}

/** The chart with the figures of the bar under the pointer, or of the newest. */
export function SymbolChart({ symbol, timeframe, choice }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const session = useRef<ChartSession | null>(null);
  const [loading, setLoading] = useState<Loading>({ state: "loading" });
  const [hovered, setHovered] = useState<number | null>(null);
  const [isAway, setAway] = useState(false);

  useEffect(() => {
    if (!box.current) return undefined;
    const opened = new ChartSession({
      ...{ symbol, timeframe, choice, box: box.current, zone: zone.value },
      onLoading: setLoading,
      onHover: setHovered,
      onAway: setAway,
    });
    session.current = opened;
    return () => {
      session.current = null;
      opened.close();
    };
  }, [symbol, timeframe]);

  const paint = `${theme.value} ${zone.value}`;
  useEffect(() => session.current?.repaint(zone.value), [paint]);
  useEffect(() => {
    if (resyncs.value > 0) session.current?.reload();
  }, [resyncs.value]);
  useEffect(() => session.current?.follow(choice), [revision.value, choice.runner, choice.indicators]);

  const rows = session.current?.series.rows ?? [];
  const row = (hovered !== null && rows.find((candidate) => candidate.openTime === hovered)) || rows.at(-1) || null;
  const candle = model.markets.get(symbol)?.candle;
  const publisher = model.nodes.get(candle?.node ?? "");
  const stale = link.value.state === "lost" || (candle !== undefined && isStale(publisher?.heardAt ?? 0));
  const lines = session.current?.lines ?? [];
  return (
    <div class={`chart-area ${stale ? "is-stale-chart" : ""}`}>
      <div class={stale ? "is-stale" : ""}>
        <Legend symbol={symbol} timeframe={timeframe} row={row} heardAt={candle?.receivedAt ?? null} />
        <Lines lines={lines} at={row?.openTime ?? null} decimals={precisionOf(model, symbol).price} />
      </div>
      <div class="chart-frame">
        <div
          class="chart-box"
          ref={box}
          role="application"
          aria-label={spoken(symbol, timeframe, row)}
          aria-keyshortcuts="ArrowLeft ArrowRight + - End"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: arrows, plus and minus move and zoom it
          tabIndex={0}
          onKeyDown={(event) => {
            if (!event.ctrlKey && !event.metaKey && session.current?.press(event.key)) event.preventDefault();
          }}
        />
        {isAway && (
          <button type="button" class="button button-small to-newest" onClick={() => session.current?.toNewest()}>
            Newest →
          </button>
        )}
      </div>
      <MarkLegend rows={rows} timeframe={timeframe} />
      {loading.state !== "ready" && rows.length === 0 && <Note loading={loading} symbol={symbol} />}
    </div>
  );
}

function Legend(props: {
  readonly symbol: string;
  readonly timeframe: Timeframe;
  readonly row: ChartCandle | null;
  readonly heardAt: number | null;
}) {
  const { row, symbol, timeframe, heardAt } = props;
  if (!row) return <div class="legend">{symbol}</div>;
  const decimals = precisionOf(model, symbol).price;
  const change = ((row.close - row.open) / row.open) * 100;
  const tone = row.close >= row.open ? "up" : "down";
  const mark = markOf(row);
  return (
    <div class="legend num">
      <strong>{symbol}</strong>
      <span class="dim">{timeframe}</span>
      <span class="dim">{formatDateMinute(row.openTime, zone.value)}</span>
      {(["open", "high", "low", "close"] as const).map((field) => (
        <span key={field} class="legend-field">
          <i>{field[0]?.toUpperCase()}</i> <b class={tone}>{formatPrice(row[field], decimals)}</b>
        </span>
      ))}
      <span class={tone}>{`${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)}%`}</span>
      <span class="legend-field">
        <i>Vol</i> {formatCompact(row.volume)}
      </span>
      {mark && <span class={`tag mark-${mark}`}>{mark}</span>}
      {row.missing > 0 && <span class="dim">{`${row.missing} of its minutes missing`}</span>}
      {heardAt !== null && (
        <span class="legend-age">
          heard <Age ms={now.value - heardAt} limitMs={Infinity} />
          {now.value - heardAt < 1000 ? "" : " ago"}
        </span>
      )}
    </div>
  );
}

/** What the strategies' indicators were on the bar. */
function Lines(props: {
  readonly lines: readonly IndicatorLine[];
  readonly at: number | null;
  readonly decimals: number;
}) {
  void theme.value;
  if (props.lines.length === 0) return null;
  const runners = [...new Set(props.lines.map((line) => line.runner))];
  return (
    <ul class="lines num" aria-label="Indicators as the strategies saw them">
      {props.lines.map((line, i) => {
        const value = line.points.findLast(({ openTime }) => props.at === null || openTime <= props.at)?.value ?? null;
        return (
          <li key={`${line.runner} ${line.name}`}>
            <svg viewBox="0 0 14 4" aria-hidden="true">
              <rect width="14" height="3" rx="1.5" fill={lineColour(i)} />
            </svg>
            <span class="dim">{runners.length > 1 ? `${line.runner} ${line.name}` : line.name}</span>{" "}
            {value === null ? "–" : formatPrice(value, line.onPrice ? props.decimals : 2)}
          </li>
        );
      })}
    </ul>
  );
}

const MEANINGS: Readonly<Record<Mark, string>> = {
  backfilled: "filled from the venue’s own candles",
  imported: "brought in from files",
  partial: "not wholly seen, or a minute of it is missing",
  missing: "no candle: the minute could not be had",
};

function MarkLegend({ rows, timeframe }: { readonly rows: readonly ChartCandle[]; readonly timeframe: Timeframe }) {
  const newest = rows.at(-1);
  const key = `${rows.length} ${rows[0]?.openTime} ${newest?.openTime} ${newest?.commitSeq}`;
  const memo = useRef<{ key: string; counts: Readonly<Record<Mark, number>> } | null>(null);
  if (memo.current?.key !== key) memo.current = { key, counts: countMarks(marksOf(rows, timeframe)) };
  const { counts } = memo.current;
  return (
    <ul class="marks" aria-label="Bars that are not made of trades as they were seen">
      {MARKS.map((mark) => (
        <li key={mark} class={counts[mark] === 0 ? "dim" : ""} title={MEANINGS[mark]}>
          <span class={`swatch mark-${mark}`} aria-hidden="true" />
          {mark} <b class="num">{counts[mark]}</b>
        </li>
      ))}
      <li class="dim marks-of">of {rows.length.toLocaleString("en-US")} bars loaded</li>
    </ul>
  );
}

function Note({ loading, symbol }: { readonly loading: Loading; readonly symbol: string }) {
  if (loading.state === "loading") return <p class="chart-note">Reading {symbol} from the store …</p>;
  if (loading.state !== "failed")
    return (
      <div class="chart-note">
        <p>No candle of {symbol} is in the store yet. The next one that closes appears here. Is it asked for?</p>
        <Command text={`fabric market-data --symbols ${symbol}`} />
      </div>
    );
  return (
    <div class="chart-note" role="alert">
      <p>{loading.reason}; trying again. Live candles appear here as they close.</p>
      <Command text="fabric doctor" />
    </div>
  );
}

function spoken(symbol: string, timeframe: Timeframe, row: ChartCandle | null): string {
  const last = row ? `, ${formatDateMinute(row.openTime)} UTC closed at ${row.close}` : "";
  return `Candle chart of ${symbol}, ${timeframe}${last}`;
}
