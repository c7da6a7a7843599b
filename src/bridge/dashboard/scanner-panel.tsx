import type { ScanRow } from "../../core/wire.ts";
import { formatMinute } from "./format.ts";
import { chooseSymbol, model, now, revision } from "./live.ts";
import { Age, Empty, Panel, staleClass } from "./parts.tsx";

const MAX_ROWS = 8;

/** Each scanner's ranking, one list per rule. */
export function ScannerPanel() {
  void revision.value;
  const scans = model.sortedNodes().flatMap((node) => (node.scan ? [node.scan] : []));
  const newest = scans.reduce((best, scan) => Math.max(best, scan.receivedAt), 0);
  return (
    <Panel name="scanner" title="Scanner" meta={scans.length > 0 && <Age ms={now.value - newest} />}>
      {scans.length === 0 ? (
        <Empty>No scanner has reported yet. Start one with “fabric scanner”.</Empty>
      ) : (
        scans.map((scan) => (
          <div key={scan.node} class={`rules ${staleClass(scan.receivedAt)}`}>
            {[...new Set(scan.rows.map((row) => row.rule))].sort().map((rule) => (
              <Ranking key={rule} rule={rule} rows={scan.rows.filter((row) => row.rule === rule)} />
            ))}
            {scan.rows.length === 0 && <Empty>{scan.node} has found nothing yet.</Empty>}
          </div>
        ))
      )}
    </Panel>
  );
}

function Ranking({ rule, rows }: { readonly rule: string; readonly rows: readonly ScanRow[] }) {
  const ranked = [...rows].sort((a, b) => a.rank - b.rank).slice(0, MAX_ROWS);
  return (
    <div class="rule">
      <h3>{rule}</h3>
      <ol>
        {ranked.map((row) => (
          <li key={row.symbol}>
            <span class="rank num">{row.rank}</span>
            <button type="button" class="linkish" onClick={() => chooseSymbol(row.symbol)}>
              {row.symbol}
            </button>
            <span class="note" title={row.note}>
              {row.note}
            </span>
            <span class="num dim">{formatMinute(row.openTime)}</span>
            <b class={`num ${row.score < 0 ? "down" : "up"}`}>{row.score.toFixed(2).replace("-", "−")}</b>
          </li>
        ))}
      </ol>
    </div>
  );
}
