import { signal } from "@preact/signals";
import type { MetricsEvent } from "../contract.ts";
import { adviceOf } from "./advice.ts";
import { formatAge, formatBytes, formatCompact, formatDateMinute } from "./format.ts";
import { link, model, now, revision } from "./live.ts";
import { messageRate, rateOf } from "./metric-history.ts";
import type { NodeModel } from "./model.ts";
import { AdviceBox, Age, Badge, Empty, isStale, ModeBadge, Panel, Scroll, Th } from "./parts.tsx";
import { zone } from "./settings.ts";
import { SmallGraph } from "./small-graph.tsx";
import { STATE_TONES } from "./strategies-view.tsx";
import { dropsOf, NodeTiles } from "./tiles.tsx";

/** Nodes whose figures are all shown. */
const opened = signal<ReadonlySet<string>>(new Set());

/** Every node heard, the silent and the dead with their age. */
export function NodesView() {
  void revision.value;
  const nodes = model.sortedNodes();
  return (
    <>
      <NodeTiles />
      {nodes.length === 0 ? (
        <Panel name="nodes" title="Nodes">
          <Empty run="fabric up">
            No node has been heard. Start nodes on the data folder of this bridge; this starts a whole simulated market:
          </Empty>
        </Panel>
      ) : (
        <div class="nodes">
          {nodes.map((node) => (
            <Node key={node.name} node={node} />
          ))}
        </div>
      )}
    </>
  );
}

function Node({ node }: { readonly node: NodeModel }) {
  const { health, metrics, name } = node;
  const stale = isStale(node.heardAt);
  const advice = adviceOf(name, health, stale, link.value.state);
  const facts = Object.entries(health?.details ?? {}).filter(([, value]) => value !== null && value !== "");
  return (
    <section class={`panel node ${stale ? "is-stale" : ""}`} data-node={name} aria-labelledby={`node-${name}`}>
      <header class="node-line">
        <span class={`dot tone-${stale ? "stale" : health ? STATE_TONES[health.state] : "wait"}`} aria-hidden="true" />
        <h2 class="node-name" id={`node-${name}`}>
          {name}
        </h2>
        <span class="node-role">{health?.role ?? metrics?.role}</span>
        {health?.mode && <ModeBadge mode={health.mode} />}
        {stale ? (
          <Badge tone="stale">STALE</Badge>
        ) : (
          health && <Badge tone={STATE_TONES[health.state]}>{health.state}</Badge>
        )}
        <span class="push" title="Since it was last heard">
          <Age ms={now.value - node.heardAt} />
        </span>
      </header>
      {health && (
        <p class="node-facts num">
          <span>pid {health.pid}</span>
          <span>v{health.version}</span>
          <span>up {formatAge(health.uptimeMs + (stale ? 0 : now.value - health.receivedAt))}</span>
          {health.dataAgeMs !== null && (
            <span>data age {formatAge(health.dataAgeMs + now.value - health.receivedAt)}</span>
          )}
          {facts.map(([fact, value]) => (
            <span key={fact} class="ellipsis" title={factText(value)}>
              {fact} <b>{factText(value)}</b>
            </span>
          ))}
        </p>
      )}
      {advice && <AdviceBox advice={advice} />}
      {metrics ? <Figures node={node} metrics={metrics} /> : <p class="quiet">It has sent no metrics yet.</p>}
    </section>
  );
}

/** Nodes tell times as epoch ms. */
function factText(value: unknown): string {
  return typeof value === "number" && value > 1e12 ? formatDateMinute(value, zone.value) : String(value);
}

function Figures({ node, metrics }: { readonly node: NodeModel; readonly metrics: MetricsEvent }) {
  const value = (name: string) => metrics.values[name];
  const shown = (name: string, write: (found: number) => string) => {
    const found = value(name);
    return found === undefined ? "–" : write(found);
  };
  const rate = messageRate(metrics, node.earlierMetrics);
  const drops = dropsOf(metrics);
  const gaps = value("ingest.gaps.total") ?? value("gaps.total");
  const isOpen = opened.value.has(node.name);
  return (
    <>
      <div class="graphs">
        <SmallGraph
          node={node.name}
          figure="cpu"
          title="CPU"
          value={shown("process.cpu.percent", (found) => `${found.toFixed(1)} %`)}
        />
        <SmallGraph node={node.name} figure="memory" title="Memory" value={shown("process.rss.bytes", formatBytes)} />
        <SmallGraph
          node={node.name}
          figure="lag"
          title="Lag p99"
          value={shown("loop.lag.p99.ms", (found) => `${formatCompact(found)} ms`)}
        />
        <SmallGraph
          node={node.name}
          figure="messages"
          title="Messages"
          value={rate === null ? "–" : `${formatCompact(Math.round(rate * 10) / 10)} /s`}
        />
      </div>
      <div class="node-foot num">
        <span class={drops > 0 ? "caution" : ""}>
          {formatCompact(drops)} <span class="dim">dropped</span>
        </span>
        {gaps !== undefined && (
          <span class={gaps > 0 ? "caution" : ""}>
            {formatCompact(gaps)} <span class="dim">gaps</span>
          </span>
        )}
        <span class="dim">
          metrics <Age ms={now.value - metrics.receivedAt} />
        </span>
        <button
          type="button"
          class="button button-small push"
          aria-expanded={isOpen}
          onClick={() => {
            const next = new Set(opened.value);
            if (!next.delete(node.name)) next.add(node.name);
            opened.value = next;
          }}
        >
          {isOpen ? "Fewer figures" : `All ${Object.keys(metrics.values).length} figures`}
        </button>
      </div>
      {isOpen && <AllFigures node={node} metrics={metrics} />}
    </>
  );
}

/** Every figure; counters (`….total`) also as a rate per second. */
function AllFigures({ node, metrics }: { readonly node: NodeModel; readonly metrics: MetricsEvent }) {
  return (
    <Scroll label={`All figures of ${node.name}`} class="metric-scroll">
      <table>
        <thead>
          <tr>
            <Th>Figure</Th>
            <Th right>Value</Th>
            <Th right>Per second</Th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(metrics.values)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, value]) => {
              const rate = name.endsWith(".total") ? rateOf(metrics, node.earlierMetrics, name) : null;
              return (
                <tr key={name}>
                  <td class="metric-name" title={name}>
                    {name}
                  </td>
                  <td class="right num">{name.endsWith(".bytes") ? formatBytes(value) : formatCompact(value)}</td>
                  <td class="right num dim">{rate === null ? "" : formatCompact(rate)}</td>
                </tr>
              );
            })}
        </tbody>
      </table>
    </Scroll>
  );
}
