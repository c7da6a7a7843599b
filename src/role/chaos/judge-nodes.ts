import { type Evidence, type Verdict, verdict } from "./evidence.ts";

/** The nodes' side: one of each, none dies by itself, what is taken from them comes back, and nothing is left of them. */
export function judgeNodes(evidence: Evidence): readonly Verdict[] {
  return [
    secondStarts(evidence, "one-writer", (node) => node === "market-data"),
    secondStarts(evidence, "one-node", (node) => node !== "market-data"),
    ownDeaths(evidence),
    healed(evidence),
    caughtUp(evidence),
    bridge(evidence),
    orderlyStop(evidence),
    leftBehind(evidence),
  ];
}

function secondStarts({ play }: Evidence, id: string, concerns: (node: string) => boolean): Verdict {
  const tried = play.seconds.filter(({ node, void: nothing }) => concerns(node) && !nothing);
  const faults = tried.flatMap(({ node, expected, code, pid, said }) => {
    if (code !== expected) return [`a second ${node} ended with ${code}, not ${expected}: ${said.split("\n").at(-1)}`];
    return said.includes(`process ${pid} `)
      ? []
      : [`the refusal of a second ${node} does not name process ${pid}: ${said}`];
  });
  if (tried.length === 0) faults.push("no second start was tried");
  return verdict(id, faults, `${tried.length} second starts refused, each naming the holder's process`);
}

function ownDeaths({ play }: Evidence): Verdict {
  const unexcused = play.deaths.filter(({ excuse }) => excuse === null);
  const faults = unexcused.map(
    ({ node, code, signal, upMs, lastLine }) =>
      `${node} ended by itself (${signal ?? code}) after ${upMs} ms: ${lastLine}`,
  );
  const excused = play.deaths.length - unexcused.length;
  return verdict(
    "no-own-death",
    faults,
    excused === 0
      ? "no node ended by itself"
      : `no node ended by itself but ${excused} starts on a disk that could not be written`,
  );
}

function healed({ play }: Evidence): Verdict {
  const faults = play.healings.filter(({ backMs }) => backMs === null).map(({ what }) => `${what} did not come back`);
  const times = play.healings.flatMap(({ backMs }) => backMs ?? []);
  const most = times.reduce((one, other) => Math.max(one, other), 0);
  return verdict("healed", faults, `${times.length} things taken away were back, the slowest after ${most} ms`);
}

function caughtUp({ caughtUp: { boundMs, tookMs, waitingFor } }: Evidence): Verdict {
  const faults = tookMs === null ? [`not within ${boundMs} ms: ${waitingFor.join(", ")}`] : [];
  return verdict(
    "caught-up",
    faults,
    `everything had caught up ${tookMs} ms after the last fault (bound ${boundMs} ms)`,
  );
}

function bridge({ play: { bridge: facts } }: Evidence): Verdict {
  const faults = [
    ...facts.acted.map((what) => `it did ${what}`),
    ...facts.handles.map((path) => `it could write ${path}`),
  ];
  if (facts.answered === 0) faults.push("it never answered a request to act");
  return verdict(
    "bridge-inert",
    faults,
    `the bridge refused all ${facts.answered} requests to act and held no file to write`,
  );
}

function orderlyStop({ stops }: Evidence): Verdict {
  const faults = stops.length === 0 ? ["no node was there to be stopped"] : [];
  const ended = stops
    .filter(({ code, signal }) => code !== 0 || signal !== null)
    .map(({ node, code, signal, lastLine }) => `${node} ended with ${signal ?? code}: ${lastLine}`);
  faults.push(...ended);
  return verdict("orderly-stop", faults, `${stops.length} nodes ended with 0 when asked to`);
}

function leftBehind({ leftBehind: left }: Evidence): Verdict {
  return verdict("nothing-left", left, "no process, socket, temporary file or mount is left");
}
