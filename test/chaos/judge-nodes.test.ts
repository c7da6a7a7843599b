import { expect, test } from "bun:test";
import type { Evidence } from "../../src/role/chaos/evidence.ts";
import { broken, type Case, sound, testCases, withPlay } from "./judging.ts";

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
    withPlay({ deaths: [{ ...(sound.stops[0] as Evidence["stops"][number]), code: 70, ours: false, excuse: null }] }),
    ["no-own-death"],
    /busy ended by itself \(70\)/,
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

test("A start on a disk that could not be written is excused", () => {
  const deaths = [
    { ...(sound.stops[0] as Evidence["stops"][number]), code: 74, ours: false, excuse: "the disk was full" },
  ];
  expect(broken(withPlay({ deaths }))).toEqual([]);
});
