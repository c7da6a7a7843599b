import { signal } from "@preact/signals";
import type { MetricsEvent } from "../contract.ts";
import { formatCompact } from "./format.ts";
import { model, now, revision } from "./live.ts";
import { Age, Empty, Panel, staleClass } from "./parts.tsx";

const chosenNode = signal<string | null>(null);

/** One node's figures; counters (`….total`) also as a rate per second. */
export function MetricsPanel() {
  void revision.value;
  const nodes = model.sortedNodes().filter((node) => node.metrics !== null);
  const chosen =
    nodes.find((node) => node.name === chosenNode.value) ??
    nodes.find((node) => node.metrics?.role === "market-data") ??
    nodes[0];
  const metrics = chosen?.metrics;
  return (
    <Panel name="metrics" title="Metrics" meta={metrics && <Age ms={now.value - metrics.receivedAt} />}>
      {!chosen || !metrics ? (
        <Empty>No node has sent metrics yet.</Empty>
      ) : (
        <>
          <div class="tabs">
            {nodes.map((node) => (
              <button
                key={node.name}
                type="button"
                aria-pressed={node === chosen}
                onClick={() => {
                  chosenNode.value = node.name;
                }}
              >
                {node.name}
              </button>
            ))}
          </div>
          <div class={`scroll metric-scroll ${staleClass(metrics.receivedAt)}`}>
            <table>
              <tbody>
                {Object.entries(metrics.values)
                  .sort(([a], [b]) => (a < b ? -1 : 1))
                  .map(([name, value]) => (
                    <tr key={name}>
                      <th scope="row" class="metric-name">
                        {name.replace(/\.total$/, "")}
                      </th>
                      <td class="right num">{formatCompact(value)}</td>
                      <td class="right num dim rate">{rateText(name, metrics, chosen.earlierMetrics)}</td>
                    </tr>
                  ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </Panel>
  );
}

function rateText(name: string, newest: MetricsEvent, earlier: MetricsEvent | null): string {
  const before = earlier?.values[name];
  const after = newest.values[name];
  const seconds = (newest.sentAt - (earlier?.sentAt ?? newest.sentAt)) / 1000;
  if (!name.endsWith(".total") || before === undefined || after === undefined || seconds <= 0) return "";
  return `${formatCompact((after - before) / seconds)}/s`;
}
