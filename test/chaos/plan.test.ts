import { expect, test } from "bun:test";
import { castOf, RUNNERS } from "../../src/role/chaos/cast.ts";
import { planOf, type Step, wishedOf } from "../../src/role/chaos/plan.ts";
import { type ChaosWish, DISK_FAULTS, FILE_FAULTS, listOf, ROLES, WIRES } from "../../src/role/chaos/wish.ts";

const cast = castOf({
  data: "/d",
  work: "/w",
  keys: "/w/keys",
  seed: 1,
  ports: { sim: 1, exchange: 2, market: 3, zmq: 4, bridge: 5 },
  strategies: new Map(RUNNERS.map((runner) => [runner, `/w/${runner}.ts`])),
});

function wish(change: Partial<ChaosWish> = {}): ChaosWish {
  const all = { kill: new Set(ROLES), stall: new Set(ROLES), drop: new Set(WIRES), skew: new Set(ROLES) };
  return { forMs: 60_000, seed: 1, ...all, disk: new Set(DISK_FAULTS), files: new Set(FILE_FAULTS), ...change };
}

function ofKind(steps: readonly Step[], kind: Step["kind"]): readonly Step[] {
  return steps.filter((step) => step.kind === kind);
}

function killsOf(steps: readonly Step[]): readonly { readonly node: string; readonly skew: string | null }[] {
  return steps.flatMap((step) => (step.kind === "kill" ? step.victims : []));
}

test("One seed is one schedule, another is another; it is in order and within the time", () => {
  expect(planOf(wish(), cast)).toEqual(planOf(wish(), cast));
  expect(planOf(wish({ seed: 2 }), cast)).not.toEqual(planOf(wish(), cast));
  for (let seed = 0; seed < 200; seed++) {
    const steps = planOf(wish({ seed, forMs: 20_000 }), cast);
    const times = steps.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    for (const step of steps) {
      expect(step.atMs).toBeGreaterThanOrEqual(1500);
      expect(step.atMs).toBeLessThan(20_000);
      if ("forMs" in step) expect(step.atMs + step.forMs).toBeLessThanOrEqual(20_000);
    }
  }
});

test("A minute of chaos kills at least twenty times, every role over a few seeds, and does everything else it is asked for", () => {
  const killed = new Set<string>();
  const done = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const steps = planOf(wish({ seed }), cast);
    const kills = killsOf(steps);
    expect(kills.length).toBeGreaterThanOrEqual(20);
    for (const { node } of kills) killed.add(node);
    for (const step of steps) {
      if (step.kind === "drop") done.add(`${step.wire} ${step.how}`);
      else if (step.kind === "disk") done.add(`${step.fault} ${step.fault === "read-only" ? step.folder : ""}`.trim());
      else if (step.kind === "file") done.add(`${step.fault} ${step.how}`);
      else done.add(step.kind);
    }
    expect(ofKind(steps, "second").length).toBeGreaterThan(5);
  }
  expect([...killed].sort()).toEqual(cast.map(({ name }) => name).sort());
  const wires = WIRES.flatMap((wire) => ["cut", "stall", "slow", "half-open", "refuse"].map((how) => `${wire} ${how}`));
  const files = FILE_FAULTS.flatMap((fault) => [`${fault} delete`, `${fault} truncate`]);
  files.push("segment flip");
  const disk = ["full", "read-only published", "read-only journal"];
  expect([...done].sort()).toEqual([...wires, ...files, ...disk, "kill", "stall", "second", "knock"].sort());
});

test("Leaving one kind of fault out does not move the others, and what is not asked for does not come", () => {
  const all = planOf(wish(), cast);
  const none = wish({
    kill: new Set(),
    stall: new Set(),
    drop: new Set(),
    skew: new Set(),
    disk: new Set(),
    files: new Set(),
  });
  expect(new Set(planOf(none, cast).map(({ kind }) => kind))).toEqual(new Set(["second", "knock"]));
  for (const [flag, kind] of [
    ["kill", "kill"],
    ["stall", "stall"],
    ["drop", "drop"],
    ["disk", "disk"],
    ["files", "file"],
  ] as const) {
    const without = planOf(wish({ [flag]: new Set() }), cast);
    expect(without).toEqual(all.filter((step) => step.kind !== kind));
  }
  const runners = planOf(wish({ kill: new Set(["runner"]) }), cast);
  expect(new Set(killsOf(runners).map(({ node }) => node))).toEqual(new Set(RUNNERS));
  expect(killsOf(planOf(wish({ skew: new Set() }), cast)).every(({ skew }) => skew === null)).toBe(true);
  const skewed = killsOf(planOf(wish({ forMs: 600_000 }), cast)).filter(({ skew }) => skew !== null);
  expect(skewed.some(({ node }) => node === "sim")).toBe(false);
  expect(skewed.some(({ skew }) => skew?.includes("@"))).toBe(true);
  expect(skewed.some(({ skew }) => skew?.includes("@") === false)).toBe(true);
});

test("What is scheduled is counted by the first word of its name; the disk only where there is leave to mount one", () => {
  const steps = planOf(wish(), cast);
  const wished = wishedOf(steps, true);
  expect(Object.keys(wished).sort()).toEqual(["disk", "file", "kill", "skew", "stall", "wire"]);
  expect([wished.kill, wished.file]).toEqual([killsOf(steps).length, ofKind(steps, "file").length]);
  expect(Object.keys(wishedOf(steps, false))).not.toContain("disk");
  const calm = { kill: new Set<never>(), stall: new Set<never>(), drop: new Set<never>() };
  const none = wish({ ...calm, skew: new Set(), disk: new Set(), files: new Set() });
  expect(wishedOf(planOf(none, cast), true)).toEqual({});
});

test("Words of a flag are a list, all or none; an unknown one is told with the nearest", () => {
  expect([...listOf("kill", undefined, ROLES)]).toEqual([...ROLES]);
  expect([...listOf("kill", "all", ROLES)]).toEqual([...ROLES]);
  expect([...listOf("kill", "none", ROLES)]).toEqual([]);
  expect([...listOf("kill", "runner, market-data", ROLES)]).toEqual(["runner", "market-data"]);
  expect(() => listOf("kill", "runer", ROLES)).toThrow(/Bad --kill "runer": expected all, none or some of sim.*runner/);
});
