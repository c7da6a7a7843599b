import { drainMicrotasks } from "bun:jsc";
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BUGS } from "./bugs.ts";
import { Life } from "./life.ts";
import { parseOptions } from "./options.ts";
import { runSeed } from "./run-seed.ts";
import { drawScenario, NO_CUTS } from "./scenario.ts";
import { flagsOf } from "./shrink.ts";
import { simulate } from "./simulation.ts";
import { TIGHT_BOUNDS } from "./tight-bounds.ts";
import { Killed, World } from "./world.ts";

test("The first seeds hold the ten invariants", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { violations } = await runSeed(simulate, seed, NO_CUTS, 0);
    expect(violations.map(({ invariant, what }) => `seed ${seed}: invariant ${invariant}: ${what}`)).toEqual([]);
  }
});

test("The same seed is the same run, and another seed another", async () => {
  const one = await runSeed(simulate, 77, NO_CUTS, 0);
  const again = await runSeed(simulate, 77, NO_CUTS, 50);
  const other = await runSeed(simulate, 78, NO_CUTS, 0);
  expect(again.hash).toBe(one.hash);
  expect(again.lines.length).toBeGreaterThan(0);
  expect(other.hash).not.toBe(one.hash);
});

test("Each planted bug's text stands exactly once in the product's sources", () => {
  for (const { name, edits } of BUGS) {
    for (const { file, find, replace } of edits) {
      const count = readFileSync(file, "utf8").split(find).length - 1;
      expect(`${name} in ${file}: ${count}`).toBe(`${name} in ${file}: 1`);
      expect(replace).not.toBe(find);
    }
  }
});

test("Each bound that is made tight stands exactly once in the product's sources", () => {
  for (const { file, find } of TIGHT_BOUNDS) {
    const count = readFileSync(file, "utf8").split(find).length - 1;
    expect(`${find} in ${file}: ${count}`).toBe(`${find} in ${file}: 1`);
  }
});

test("A failing seed prints a command that replays it, made small, with the last of what happened", () => {
  const bun = process.execPath;
  const found = Bun.spawnSync([
    bun,
    "test/sim/run.ts",
    "--from",
    "1",
    "--seeds",
    "1",
    "--jobs",
    "1",
    "--bug",
    "publish-before-commit",
  ]);
  expect(found.exitCode).toBe(1);
  const told = found.stdout.toString();
  expect(told).toContain("seed 1 breaks invariant 2");
  const command = /replay: bun (.*)/.exec(told)?.[1] ?? "";
  expect(command).toContain("--bug publish-before-commit");
  const replayed = Bun.spawnSync([bun, ...command.split(" ").filter(Boolean)]);
  expect(replayed.exitCode).toBe(1);
  expect(replayed.stdout.toString()).toContain("invariant 2 at");
}, 30_000);

test("Cuts are flags and flags are cuts, and a fault that is cut is off", () => {
  const cuts = {
    ...NO_CUTS,
    off: new Set(["wire.drop", "node.kill"] as const),
    hurtMs: 500,
    runners: 1,
    scanner: false,
  };
  expect(parseOptions(flagsOf(cuts).split(" ")).cuts).toEqual(cuts);
  for (let seed = 1; seed < 50; seed++) {
    const scenario = drawScenario(seed, cuts);
    expect(scenario.rates["wire.drop"]).toBe(0);
    expect(scenario.runners.length).toBe(1);
    expect(scenario.scanner).toBeNull();
  }
});

test("A dead life never acts again: its timers do not fire, what it awaits never comes, its calls throw", () => {
  const world = new World(1, drawScenario(1), 0);
  const life = new Life(world, "node", 1, 0, Number.POSITIVE_INFINITY);
  const seen: string[] = [];
  life.timers.after(10, () => seen.push("timer"));
  life.timers.every(10, () => seen.push("again"));
  void life.call("a call", 10, () => seen.push("act"), true).then(() => seen.push("learnt"));
  life.atDeath(() => seen.push("funeral"));
  life.kill("the test says so");
  life.kill("twice");
  world.run(100);
  drainMicrotasks();
  expect(seen).toEqual(["funeral", "act"]);
  expect(() => life.step("anything")).toThrow(Killed);
});

test("A life that is to be struck after so many steps dies at that very step, and nothing of it is lost before", () => {
  const world = new World(1, drawScenario(1), 0);
  const life = new Life(world, "node", 1, 0, 3);
  life.step("one");
  life.step("two");
  expect(() => life.step("three")).toThrow(Killed);
  expect(life.alive).toBe(false);
});
