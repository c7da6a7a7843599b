import type { NodeState } from "../../core/wire.ts";
import { formatAge } from "./format.ts";
import { model, now, revision } from "./live.ts";
import type { NodeModel } from "./model.ts";
import { Age, Badge, Empty, isStale, Panel } from "./parts.tsx";

const STATE_TONES: Readonly<Record<NodeState, string>> = {
  starting: "wait",
  running: "good",
  degraded: "warn",
  failed: "bad",
  halted: "bad",
  stopping: "wait",
};

/** Every node heard, the silent and the dead with their age. */
export function NodesPanel() {
  void revision.value;
  const nodes = model.sortedNodes();
  return (
    <Panel name="nodes" title="Nodes" meta={`${nodes.length}`}>
      {nodes.length === 0 ? (
        <Empty>No node has been heard. Start one on this data folder, for example with “fabric up”.</Empty>
      ) : (
        <ul class="nodes">
          {nodes.map((node) => (
            <NodeRow key={node.name} node={node} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function NodeRow({ node }: { readonly node: NodeModel }) {
  const { health } = node;
  const stale = isStale(node.heardAt);
  const facts = Object.entries(health?.details ?? {}).map(([name, value]) => `${name} ${String(value)}`);
  return (
    <li class={`node ${stale ? "is-stale" : ""}`} data-node={node.name}>
      <div class="node-line">
        <span class={`dot tone-${stale ? "stale" : health ? STATE_TONES[health.state] : "wait"}`} />
        <b class="node-name">{node.name}</b>
        <span class="node-role">{health?.role ?? node.metrics?.role}</span>
        {stale ? (
          <Badge tone="stale">STALE</Badge>
        ) : (
          health && <Badge tone={STATE_TONES[health.state]}>{health.state}</Badge>
        )}
        <span class="node-age">
          <Age ms={now.value - node.heardAt} />
        </span>
      </div>
      {health && (
        <div class="node-facts num">
          <span>pid {health.pid}</span>
          <span>up {formatAge(health.uptimeMs + (stale ? 0 : now.value - health.receivedAt))}</span>
          {health.dataAgeMs !== null && <span>data {formatAge(health.dataAgeMs + now.value - health.receivedAt)}</span>}
          <span>v{health.version}</span>
          {health.mode && <span class={`mode-word mode-word-${health.mode}`}>{health.mode}</span>}
          {facts.length > 0 && (
            <span class="node-details" title={facts.join(" · ")}>
              {facts.join(" · ")}
            </span>
          )}
        </div>
      )}
      {health?.reason && <p class="node-reason">{health.reason}</p>}
    </li>
  );
}
