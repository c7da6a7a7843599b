import { expect, test } from "bun:test";
import type { Evidence } from "../../src/role/chaos/evidence.ts";
import { Outages } from "../../src/role/chaos/outages.ts";
import { broken, type Case, judge, sound, testCases, withPlay } from "./judging.ts";

/** An exit of a start that could not write to the disk. */
const AT_START = { code: 74, ours: false, hadRun: false, onTroubledDisk: true };

const CASES: readonly Case[] = [
  [
    "a second writer that was let in",
    withPlay({
      seconds: sound.play.seconds.map((each) => ({ ...each, code: each.node === "market-data" ? 0 : each.code })),
    }),
    ["one-writer"],
    /a second market-data ended with 0, not 69/,
  ],
  [
    "a second runner that was let in",
    withPlay({
      seconds: sound.play.seconds.map((each) => ({ ...each, code: each.node === "busy" ? null : each.code })),
    }),
    ["one-node"],
    /a second busy ended with null, not 77/,
  ],
  [
    "a refusal that names another process",
    withPlay({ seconds: sound.play.seconds.map((each) => ({ ...each, said: "process 411 holds it" })) }),
    ["one-writer", "one-node"],
    /does not name process 41/,
  ],
  [
    "no second start",
    withPlay({ seconds: sound.play.seconds.map((each) => ({ ...each, void: true })) }),
    ["one-writer", "one-node"],
    /no second start was tried/,
  ],
  [
    "a node that died by itself",
    withPlay({ deaths: [{ ...(sound.stops[0] as Evidence["stops"][number]), ...AT_START, code: 70 }] }),
    ["no-own-death"],
    /busy ended by itself \(70\)/,
  ],
  [
    "a running node that ended on a full disk",
    withPlay({ deaths: [{ ...(sound.stops[0] as Evidence["stops"][number]), ...AT_START, hadRun: true }] }),
    ["no-own-death"],
    /busy ended by itself \(74\)/,
  ],
  [
    "a start that ended on a disk that nobody hurt",
    withPlay({ deaths: [{ ...(sound.stops[0] as Evidence["stops"][number]), ...AT_START, onTroubledDisk: false }] }),
    ["no-own-death"],
    /busy ended by itself \(74\)/,
  ],
  [
    "things taken away that nobody saw come back",
    withPlay({ healings: [] }),
    ["healed"],
    /4 things were taken away, and none was seen/,
  ],
  ["a run in which nothing was hurt", withPlay({ kills: {}, faults: {} }), ["hurt"], /nothing was hurt/],
  ["a kind of fault that was never done", withPlay({ faults: {} }), ["hurt"], /none of 9 faults of the kind "file"/],
  [
    "a bridge that hardly answered",
    withPlay({ bridge: { ...sound.play.bridge, answered: 23 } }),
    ["bridge-inert"],
    /but 23 times/,
  ],
  [
    "a socket that stayed away",
    withPlay({ healings: [{ fault: "socket", what: "socket of busy", backMs: null }] }),
    ["healed"],
    /socket of busy did not come back/,
  ],
  [
    "nothing caught up",
    { ...sound, caughtUp: { boundMs: 5, tookMs: null, waitingFor: ["busy to run"] } },
    ["caught-up"],
    /not within 5 ms: busy to run/,
  ],
  [
    "a bridge that acted",
    withPlay({ bridge: { ...sound.play.bridge, acted: ["POST /: 200"] } }),
    ["bridge-inert"],
    /it did POST/,
  ],
  [
    "a bridge that could write a journal",
    withPlay({ bridge: { ...sound.play.bridge, handles: ["/d/journal/busy.sqlite"] } }),
    ["bridge-inert"],
    /could write/,
  ],
  [
    "a bridge that was never asked",
    withPlay({ bridge: { ...sound.play.bridge, answered: 0 } }),
    ["bridge-inert"],
    /never answered/,
  ],
  [
    "a node that had to be killed at the end",
    { ...sound, stops: sound.stops.map((exit) => ({ ...exit, code: null, signal: "SIGKILL" })) },
    ["orderly-stop"],
    /busy ended with SIGKILL/,
  ],
  ["nobody to stop", { ...sound, stops: [] }, ["orderly-stop"], /no node was there/],
  ["a socket left", { ...sound, leftBehind: ["/d/run/busy.ipc"] }, ["nothing-left"], /busy\.ipc/],
];

testCases(CASES);

test("A refusal may leave the process unnamed where the holder could not advertise itself, and must not name another", () => {
  const saying = (said: string) =>
    broken(withPlay({ seconds: sound.play.seconds.map((each) => ({ ...each, said, unadvertised: true })) })).map(
      ({ id }) => id,
    );
  expect(saying("fabric: another process holds it")).toEqual([]);
  expect(saying("fabric: process 40 holds it")).toEqual(["one-writer", "one-node"]);
});

test("A start on a disk that could not be written is excused", () => {
  const deaths = [{ ...(sound.stops[0] as Evidence["stops"][number]), ...AT_START }];
  expect(broken(withPlay({ deaths }))).toEqual([]);
});

test("Faults of the disk that this system has no leave for are skipped, not missed", () => {
  const refused = { ...withPlay({ skipped: ["a read-only journal: no leave"] }), wished: { kill: 1, disk: 9 } };
  expect(broken(refused)).toEqual([]);
  expect(broken({ ...refused, play: sound.play }).map(({ id }) => id)).toEqual(["hurt"]);
});

test("Where nothing was asked to be hurt, nothing need be; where there is no /proc, the judges say what they did not see", () => {
  const calm = { ...withPlay({ kills: {}, faults: {}, healings: [] }), wished: {} };
  expect(broken(calm)).toEqual([]);
  const blind = judge({ ...sound, blind: "no /proc" });
  for (const id of ["nothing-left", "bridge-inert"])
    expect(blind.find((each) => each.id === id)?.detail).toMatch(/SKIPPED .*no \/proc/);
});

test("Outages add up: one ends only once the exchange was whole for three seconds, and counts beyond ten", () => {
  const outages = new Outages();
  const looks: readonly (readonly [boolean, number])[] = [
    [true, 0],
    [false, 2000],
    [true, 4000],
    [false, 6500],
    [false, 7000],
    [true, 20_000],
    [true, 28_000],
    [false, 32_000],
  ];
  for (const [isAway, ms] of looks) outages.look(isAway, ms);
  expect(outages.facts(50_000)).toEqual({ longestMs: 12_000, beyondPatienceMs: 12_000 });
  outages.look(true, 50_000);
  expect(outages.facts(65_000).beyondPatienceMs).toBe(27_000);
});
