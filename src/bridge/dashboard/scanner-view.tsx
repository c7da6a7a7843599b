import { signal } from "@preact/signals";
import { formatMinute } from "./format.ts";
import { model, now, revision } from "./live.ts";
import { Age, Empty, isStale, Panel, Scroll, SymbolLink, staleClass } from "./parts.tsx";
import {
  COLUMNS,
  type Column,
  greatestScores,
  nextSorting,
  type RankedRow,
  rankedRows,
  type Sorting,
  scoreText,
  sortedRows,
} from "./ranking.ts";
import { zone } from "./settings.ts";

const MAX_ROWS = 300;
const TITLES: Readonly<Record<Column, string>> = {
  rule: "Rule",
  rank: "Rank",
  symbol: "Symbol",
  score: "Score",
  openTime: "Candle",
  note: "Note",
};
const RIGHT: readonly Column[] = ["rank", "score", "openTime"];

const sorting = signal<Sorting>({ column: "rule", descending: false });
const rule = signal<string | null>(null);
const text = signal("");

/** What the scanners rank, live. */
export function ScannerView() {
  void revision.value;
  const all = rankedRows(model);
  const rows = sortedRows(all, { rule: rule.value, text: text.value }, sorting.value);
  const scanners = model.sortedNodes().filter((node) => node.scan !== null || node.health?.role === "scanner");
  const most = greatestScores(all);
  return (
    <Panel
      name="scanner"
      title="Scanner"
      meta={scanners.map((node) => (
        <span key={node.name} class={staleClass(node.heardAt)}>
          {node.name} <Age ms={now.value - (node.scan?.receivedAt ?? node.heardAt)} />
        </span>
      ))}
    >
      {scanners.length === 0 ? (
        <Empty run="fabric scanner">
          No scanner has been heard yet. Start one; it watches every symbol and cannot trade:
        </Empty>
      ) : (
        <>
          <Filters rules={[...new Set(all.map((row) => row.rule))].sort()} shown={rows.length} all={all.length} />
          {rows.length === 0 ? (
            <Empty>
              {all.length === 0
                ? "It has ranked nothing yet: rules need some closed candles first."
                : "Nothing fits the filter."}
            </Empty>
          ) : (
            <Scroll label="Ranking" class="scroll-tall">
              <table class="ranking">
                <Heads />
                <tbody>
                  {rows.slice(0, MAX_ROWS).map((row) => (
                    <Row key={`${row.node} ${row.rule} ${row.symbol}`} row={row} most={most.get(row.rule) ?? 1} />
                  ))}
                </tbody>
              </table>
              {rows.length > MAX_ROWS && (
                <p class="more">and {(rows.length - MAX_ROWS).toLocaleString("en-US")} more: narrow the filter</p>
              )}
            </Scroll>
          )}
        </>
      )}
    </Panel>
  );
}

function Filters(props: { readonly rules: readonly string[]; readonly shown: number; readonly all: number }) {
  return (
    <div class="toolbar">
      <label class="field">
        <span class="field-name">Rule</span>
        <select
          value={rule.value ?? ""}
          onChange={(event) => {
            rule.value = event.currentTarget.value || null;
          }}
        >
          <option value="">all</option>
          {props.rules.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <input
        data-search
        type="search"
        aria-label="Filter the ranking"
        placeholder="Filter  /"
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
        }}
      />
      <span class="push dim num">
        {props.shown === props.all ? `${props.all} rows` : `${props.shown} of ${props.all} rows`}
      </span>
    </div>
  );
}

function Heads() {
  const { column: sorted, descending } = sorting.value;
  return (
    <thead>
      <tr>
        {COLUMNS.map((column) => (
          <th
            key={column}
            scope="col"
            class={RIGHT.includes(column) ? "right" : ""}
            aria-sort={column === sorted ? (descending ? "descending" : "ascending") : "none"}
          >
            <button
              type="button"
              class="sorter"
              onClick={() => {
                sorting.value = nextSorting(sorting.value, column);
              }}
            >
              {TITLES[column]}
              <span aria-hidden="true">{column === sorted ? (descending ? " ↓" : " ↑") : ""}</span>
            </button>
          </th>
        ))}
      </tr>
    </thead>
  );
}

function Row({ row, most }: { readonly row: RankedRow; readonly most: number }) {
  const width = Math.max(1, Math.round((Math.abs(row.score) / most) * 60));
  const tone = row.score < 0 ? "down" : "up";
  return (
    <tr class={isStale(row.receivedAt) ? "is-stale" : ""}>
      <td class="dim">{row.rule}</td>
      <td class="right num">{row.rank}</td>
      <td>
        <SymbolLink symbol={row.symbol} />
      </td>
      <td class={`right num score ${tone}`}>
        <svg viewBox="0 0 60 6" preserveAspectRatio="none" aria-hidden="true">
          <rect x={60 - width} width={width} height="6" rx="2" />
        </svg>
        <b>{scoreText(row.score)}</b>
      </td>
      <td class="right num dim">{formatMinute(row.openTime, zone.value)}</td>
      <td class="wide dim">{row.note}</td>
    </tr>
  );
}
