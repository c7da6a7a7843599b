import { type Evidence, type Verdict, verdict } from "./evidence.ts";

const IO_EXIT = 74;
/** So many scheduled faults of one kind do not all meet a node that is down. */
const SOME = 5;
/** One round of requests that the bridge must refuse: every method on every path. */
const LEAST_ANSWERED = 24;

/** The nodes' side: one of each, none dies by itself, what is taken from them comes back, and nothing is left of them. */
export function judgeNodes(evidence: Evidence): readonly Verdict[] {
  return [
    hurt(evidence),
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

/** A run in which nothing was hurt shows nothing, though all else holds. */
function hurt({ wished, play }: Evidence): Verdict {
  const faults: string[] = [];
  const done: Record<string, number> = { kill: 0 };
  for (const count of Object.values(play.kills)) done.kill = (done.kill ?? 0) + count;
  for (const [name, count] of Object.entries(play.faults)) {
    const kind = name.split(".")[0] ?? name;
    done[kind] = (done[kind] ?? 0) + count;
  }
  const total = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((sum, each) => sum + each, 0);
  // A few of a kind may all meet a node that is down; so many cannot.
  for (const [kind, count] of Object.entries(wished))
    if (count >= SOME && !done[kind] && !(kind === "disk" && play.skipped.length > 0))
      faults.push(`none of ${count} faults of the kind "${kind}" was done`);
  if (total(wished) > 0 && total(done) === 0) faults.push("nothing was hurt");
  const nothing = total(wished) + total(done) === 0;
  const well = `${total(done)} faults were done, ${total(wished)} were scheduled`;
  return verdict("hurt", faults, nothing ? "nothing was asked to be hurt" : well);
}

function secondStarts({ play }: Evidence, id: string, concerns: (node: string) => boolean): Verdict {
  const tried = play.seconds.filter(({ node, void: nothing }) => concerns(node) && !nothing);
  const faults = tried.flatMap(({ node, expected, code, pid, said, unadvertised }) => {
    if (code !== expected) return [`a second ${node} ended with ${code}, not ${expected}: ${said.split("\n").at(-1)}`];
    if (unadvertised && said.includes("another process")) return [];
    return said.includes(`process ${pid} `)
      ? []
      : [`the refusal of a second ${node} does not name process ${pid}: ${said}`];
  });
  if (tried.length === 0) faults.push("no second start was tried");
  return verdict(id, faults, `${tried.length} second starts refused, each naming the holder's process`);
}

function ownDeaths({ play }: Evidence): Verdict {
  // A node may refuse to start on a disk that cannot be written; one that runs must outlast it.
  const unexcused = play.deaths.filter(
    ({ code, hadRun, onTroubledDisk }) => code !== IO_EXIT || hadRun || !onTroubledDisk,
  );
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
  const taken = Object.entries(play.faults).reduce((sum, [name, n]) => sum + (name.startsWith("file.") ? n : 0), 0);
  if (taken > 0 && play.healings.length === 0)
    faults.push(`${taken} things were taken away, and none was seen to be back`);
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

function bridge({ play: { bridge: facts }, blind }: Evidence): Verdict {
  const faults = [
    ...facts.acted.map((what) => `it did ${what}`),
    ...facts.handles.map((path) => `it could write ${path}`),
  ];
  if (facts.answered < LEAST_ANSWERED)
    faults.push(
      `it never answered a request to act but ${facts.answered} times (${LEAST_ANSWERED} are one round of them)`,
    );
  return verdict(
    "bridge-inert",
    faults,
    blind === null
      ? `the bridge refused all ${facts.answered} requests to act and held no file to write`
      : `the bridge refused all ${facts.answered} requests to act; SKIPPED whether it held a file to write: ${blind}`,
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

function leftBehind({ leftBehind: left, blind }: Evidence): Verdict {
  return verdict(
    "nothing-left",
    left,
    blind === null
      ? "no process, socket, temporary file or mount is left"
      : `no socket or temporary file is left; SKIPPED processes and mounts: ${blind}`,
  );
}
