import { expect, test } from "bun:test";
import { runCampaign } from "../sim/campaign.ts";

const SEEDS = 10_000;
const TIGHT_SEEDS = 1500;
const JOBS = 2;

for (const { title, count, tight } of [
  { title: `The whole system holds the ten invariants in ${SEEDS} simulated runs`, count: SEEDS, tight: false },
  { title: "So it does with bounds so small that runs reach them", count: TIGHT_SEEDS, tight: true },
]) {
  test(title, async () => {
    const result = await runCampaign({ from: 1, seeds: count, jobs: JOBS, bug: null, first: false, tight });
    const { seeds, rows, lives, failures, wallMs } = result;
    console.log(`${seeds} seeds, ${rows} rows, ${lives} lives in ${(wallMs / 1000).toFixed(1)} s`);
    const told = failures.map(({ seed, invariant, what }) => `seed ${seed} breaks invariant ${invariant}: ${what}`);
    const flags = `--seeds 1 --from ${failures[0]?.seed}${tight ? " --tight" : ""}`;
    if (told.length > 0) console.log(`Replay one of them, made small: bun test/sim/run.ts ${flags}`);
    expect(told).toEqual([]);
    expect(seeds).toBe(count);
    // A world in which nothing dies and nothing closes would pass, too.
    expect(lives).toBeGreaterThan(count * 4);
    expect(rows).toBeGreaterThan(count * 20);
  }, 590_000);
}

test("The same seed gives the same run, byte for byte, in another process", () => {
  const hashes = () => Array.from({ length: 12 }, (_, at) => hashOf(["--seed", String(1000 + at)]));
  const first = hashes();
  expect(hashes()).toEqual(first);
  expect(new Set(first).size).toBe(first.length);
}, 60_000);

function hashOf(flags: readonly string[]): string {
  const { stdout, exitCode } = Bun.spawnSync([process.execPath, "test/sim/run.ts", ...flags]);
  expect(exitCode).toBe(0);
  return /hash ([0-9a-f]{8})/.exec(stdout.toString())?.[1] ?? "";
}

test("Invariant 9 (the bridge cannot act): with a bridge that is killed and stalled at random, trading is byte for byte what it is without", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const [beside, alone] = ["1", "0"].map((bridge) => tradingHashOf(["--seed", String(seed), "--bridge", bridge]));
    expect(`seed ${seed}: ${beside}`).toBe(`seed ${seed}: ${alone}`);
  }
}, 120_000);

function tradingHashOf(flags: readonly string[]): string {
  const { stdout, exitCode } = Bun.spawnSync([process.execPath, "test/sim/run.ts", "--telemetry", ...flags]);
  expect(exitCode).toBe(0);
  return /trading ([0-9a-f]{8})/.exec(stdout.toString())?.[1] ?? "";
}
