import type { Rail, RailState } from "../../core/wire.ts";
import { formatMinute } from "./format.ts";
import { chooseSymbol, model, now, revision } from "./live.ts";
import { Age, Badge, Empty, isStale, Panel } from "./parts.tsx";

const MAX_ROWS = 40;
const TONES: Readonly<Record<Rail, string>> = { FAST: "good", FALLBACK: "warn", STALE: "bad" };
const ORDER: readonly Rail[] = ["STALE", "FALLBACK", "FAST"];

interface Row extends RailState {
  readonly node: string;
  readonly receivedAt: number;
  /** The consumer itself is silent: what it last said of its rail is old. */
  readonly silent: boolean;
}

/** Each consumer's rail per symbol, the troubled ones first. */
export function RailsPanel() {
  void revision.value;
  const rows = model.sortedNodes().flatMap(({ name, metrics }): Row[] =>
    (metrics?.rails ?? []).map((rail) => ({
      ...rail,
      node: name,
      receivedAt: metrics?.receivedAt ?? 0,
      silent: isStale(metrics?.receivedAt ?? 0),
    })),
  );
  rows.sort((a, b) => rank(a) - rank(b));
  const counts = ORDER.map((rail) => ({ rail, count: rows.filter((row) => row.rail === rail && !row.silent).length }));
  return (
    <Panel
      name="rails"
      title="Rails"
      meta={counts
        .filter(({ count }) => count > 0)
        .map(({ rail, count }) => <Badge key={rail} tone={TONES[rail]}>{`${count} ${rail}`}</Badge>)}
    >
      {rows.length === 0 ? (
        <Empty>No runner or scanner has reported its rails yet.</Empty>
      ) : (
        <div class="scroll">
          <table class="rails">
            <thead>
              <tr>
                <th scope="col">Consumer</th>
                <th scope="col">Symbol</th>
                <th scope="col">Rail</th>
                <th scope="col" class="right">
                  Candle
                </th>
                <th scope="col" class="right">
                  Age
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, MAX_ROWS).map((row) => (
                <RailRows key={`${row.node} ${row.symbol}`} row={row} />
              ))}
            </tbody>
          </table>
          {rows.length > MAX_ROWS && <p class="more">and {rows.length - MAX_ROWS} more, none in worse state</p>}
        </div>
      )}
    </Panel>
  );
}

function RailRows({ row }: { readonly row: Row }) {
  const tone = row.silent ? "is-stale" : "";
  return (
    <>
      <tr class={tone} title={row.reason}>
        <td class="dim ellipsis">{row.node}</td>
        <td>
          <button type="button" class="linkish" onClick={() => chooseSymbol(row.symbol)}>
            {row.symbol}
          </button>
        </td>
        <td>
          <Badge tone={row.silent ? "stale" : TONES[row.rail]}>{row.rail}</Badge>
        </td>
        <td class="right num">{row.lastOpenTime === null ? "–" : formatMinute(row.lastOpenTime)}</td>
        <td class="right">
          <Age
            ms={row.ageMs + now.value - row.receivedAt}
            limitMs={row.rail === "FAST" && !row.silent ? Infinity : 0}
          />
        </td>
      </tr>
      {row.rail !== "FAST" && (
        <tr class={`rail-reason ${tone}`}>
          <td colSpan={5}>{row.reason}</td>
        </tr>
      )}
    </>
  );
}

function rank(row: Row): number {
  return (row.silent ? -10 : 0) + ORDER.indexOf(row.rail);
}
