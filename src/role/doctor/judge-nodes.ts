import type { NodeState, RailState } from "../../core/wire.ts";
import { HALTED } from "../../execution/halt-switch.ts";
import { CLOCK_SKEW } from "../platform/skew.ts";
import { dropCounters } from "../top/drop-counters.ts";
import { durationText } from "../top/page.ts";
import type { Evidence, NodeEvidence } from "./evidence.ts";
import { bounded, count, type Finding, well, wrong } from "./finding.ts";

/** Everything about the nodes: who lives, who speaks, who drops, who is in trouble. */
export function judgeNodes(evidence: Evidence): readonly Finding[] {
  const alive = evidence.nodes.filter((node) => node.alive);
  const dead = evidence.nodes.filter((node) => !node.alive).map(leftOver);
  const holder = judgeHolder(evidence);
  if (alive.length === 0) return [noNode(evidence), holder, ...dead];
  const canListen = "version" in evidence.libzmq;
  const states = alive.flatMap((node) => judgeState(node));
  return [
    well("nodes", `${alive.length} alive: ${alive.map((node) => `${node.node} (${node.role})`).join(", ")}`),
    holder,
    ...dead,
    ...(canListen ? alive.flatMap((node) => judgeEndpoints(node, evidence.market.listenedMs)) : []),
    judgePaths(evidence, alive),
    ...alive.flatMap(judgeOtherPath),
    ...(states.length > 0 ? states : [well("state", "no node that was heard is degraded, halted or failed")]),
    ...judgeRails(alive),
    ...judgeDrops(alive),
    ...alive.flatMap(judgeMadeWrong),
    ...judgeVersions(alive, evidence.version),
  ];
}

function noNode({ folder }: Evidence): Finding {
  return wrong(
    "nodes",
    `no node is alive in ${folder.path}`,
    `start one, for example: fabric up --data ${folder.path}`,
  );
}

function judgeHolder({ nodes, storeLocked }: Evidence): Finding {
  const told = nodes.find((node) => node.role === "market-data");
  if (told?.alive) return well("store-holder", `process ${told.pid} (${told.node}) holds the store`);
  if (storeLocked) {
    return wrong(
      "store-holder",
      "a process holds the name market-data and advertises nothing: it is starting, or stopping",
      "look again in some seconds; if it stays so, find the process (fuser run/market-data.lock) and end it",
    );
  }
  return wrong(
    "store-holder",
    "nobody holds the store: no market-data node is alive, so no candle is made",
    "start it: fabric market-data --feed live|sim|replay, or fabric up",
  );
}

function leftOver(node: NodeEvidence): Finding {
  return wrong(
    "left-over",
    `${node.node} (${node.role}) is advertised as process ${node.pid} and holds no lock: it died without a word`,
    `start it again, which replaces the advertisement, or remove ${node.file}`,
  );
}

function judgeEndpoints(node: NodeEvidence, listenedMs: number): readonly Finding[] {
  const listened = `${(listenedMs / 1000).toFixed(1)} s`;
  const [first] = node.endpoints;
  if (!first) {
    return [wrong("endpoint", `${node.node} advertises no endpoint`, `restart it (process ${node.pid})`)];
  }
  const silent = node.endpoints.filter((endpoint) => !endpoint.answered);
  const answers = node.endpoints.length - silent.length;
  const findings = silent.map(({ address }) => {
    return wrong(
      "endpoint",
      `${node.node} says that it is at ${address}, where nobody answered for ${listened}`,
      `see whether process ${node.pid} is stopped (kill -CONT ${node.pid}) or hangs; else end it and start it again`,
    );
  });
  if (node.health) {
    const heard = `${node.node} speaks: its health was heard ${durationText(node.health.ageMs)} ago`;
    return [well("endpoint", `${heard} (${answers} of ${node.endpoints.length} endpoints answered)`), ...findings];
  }
  if (answers === 0) return findings;
  const silence = wrong(
    "endpoint",
    `${node.node} answers at ${first.address} and said nothing for ${listened}`,
    `it tells its health once a second: process ${node.pid} is overloaded or stopped (kill -CONT ${node.pid}); else end it and start it again`,
  );
  return [silence, ...findings];
}

/** A path too long for a socket is no fault: the sockets are elsewhere, and every node of this environment knows where. */
function judgePaths({ folder }: Evidence, alive: readonly NodeEvidence[]): Finding {
  const elsewhere = alive.find((node) => !node.expectedEndpoint.startsWith(`ipc://${folder.path}/`));
  if (!elsewhere) return well("ipc-path", "the sockets are in the data folder");
  return well(
    "ipc-path",
    `the data folder's path is too long for sockets, which are elsewhere: ${elsewhere.expectedEndpoint}`,
  );
}

function judgeOtherPath(node: NodeEvidence): readonly Finding[] {
  const { expectedEndpoint, endpoints } = node;
  if (endpoints.length === 0 || endpoints.some(({ address }) => address === expectedEndpoint)) return [];
  return [
    wrong(
      "ipc-path",
      `${node.node} is not at ${expectedEndpoint}, where this environment looks for it, but at ${endpoints[0]?.address}`,
      "start every node with the same --data and the same XDG_RUNTIME_DIR",
    ),
  ];
}

function judgeState(node: NodeEvidence): readonly Finding[] {
  const body = node.health?.body;
  if (!body || body.state === "running" || body.state === "starting" || body.state === "stopping") return [];
  return [
    wrong(
      "state",
      `${node.node} (${node.role}) is ${body.state}: ${body.reason ?? "it gives no reason"}`,
      remedyOf(node.node, body.state, body.reason),
    ),
  ];
}

function remedyOf(node: string, state: NodeState, reason: string | null): string {
  if (state === "degraded") return "mend what the reason names; the node goes on by itself";
  if (reason?.startsWith(HALTED) === true)
    return `somebody threw its kill switch: fabric resume ${node} (or --all) takes it back`;
  return "mend what the reason names, then restart the node, unless it goes on by itself: it does so where its journal stands";
}

function judgeRails(alive: readonly NodeEvidence[]): readonly Finding[] {
  const rails = alive.flatMap((node) => (node.metrics?.rails ?? []).map((rail) => ({ node: node.node, rail })));
  if (rails.length === 0) return [well("rails", "no consumer told of its rails")];
  const slow = rails.filter(({ rail }) => rail.rail !== "FAST");
  if (slow.length === 0) return [well("rails", `all ${rails.length} are FAST`)];
  return bounded(
    "rails",
    slow.map(({ node, rail }) => slowRail(node, rail)),
    "rails that are not FAST",
  );
}

function slowRail(node: string, rail: RailState): Finding {
  const what = `${node} ${rail.symbol} is ${rail.rail}: ${rail.reason} (no progress for ${durationText(rail.ageMs)})`;
  const remedy =
    rail.rail === "STALE"
      ? "no new data reaches it on either rail: see what is found about market-data and its venue"
      : "candles reach it through the store only: nothing is lost, but later; see what is found about market-data's endpoint, and restart the node if that is well";
  return wrong("rails", what, remedy);
}

function judgeDrops(alive: readonly NodeEvidence[]): readonly Finding[] {
  const told = alive.filter((node) => node.metrics !== null);
  const findings = told.flatMap((node) => {
    const drops = dropCounters(node.metrics?.values ?? {});
    if (drops.length === 0) return [];
    const list = drops.map(({ name, count }) => `${name} ${count}`).join(", ");
    const since = node.health ? ` in ${durationText(node.health.body.uptimeMs)}` : "";
    return [
      wrong(
        "drops",
        `${node.node}${since}: ${list}`,
        "candles are not lost by this (the store has them); if the figures grow, give the node more CPU or fewer symbols; malformed messages come from a foreign publisher or another version",
      ),
    ];
  });
  return findings.length > 0 ? findings : [well("drops", `none, as ${count(told.length, "node")} told`)];
}

/** A clock that was made wrong on purpose, for a test: it must not stay so unnoticed. */
function judgeMadeWrong(node: NodeEvidence): readonly Finding[] {
  const skewMs = node.health?.body.details.clockSkewMs;
  if (skewMs === undefined) return [];
  return [
    wrong(
      "clock-skew",
      `${node.node} runs with a wall clock that was made wrong, by ${String(skewMs)} ms now`,
      `restart it without ${CLOCK_SKEW} in its environment`,
    ),
  ];
}

function judgeVersions(alive: readonly NodeEvidence[], ours: string): readonly Finding[] {
  const others = alive.filter((node) => node.version !== ours);
  if (others.length === 0) return [well("version", `every node runs ${ours}, as this program`)];
  return others.map((node) =>
    wrong(
      "version",
      `${node.node} runs ${node.version}, and this is ${ours}`,
      "restart it with the same fabric as the others",
    ),
  );
}
