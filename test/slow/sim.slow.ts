import { expect, test } from "bun:test";
import { runCampaign } from "../sim/campaign.ts";

const SEEDS = 10_000;
const JOBS = 2;

test(`The whole system holds the ten invariants in ${SEEDS} simulated runs`, async () => {
  const { seeds, rows, lives, failures, wallMs } = await runCampaign({
    from: 1,
    seeds: SEEDS,
    jobs: JOBS,
    bug: null,
    first: false,
  });
  console.log(`${seeds} seeds, ${rows} rows, ${lives} lives in ${(wallMs / 1000).toFixed(1)} s`);
  const told = failures.map(({ seed, invariant, what }) => `seed ${seed} breaks invariant ${invariant}: ${what}`);
  if (told.length > 0)
    console.log(`Replay one of them, made small: bun test/sim/run.ts --seeds 1 --from ${failures[0]?.seed}`);
  expect(told).toEqual([]);
  expect(seeds).toBe(SEEDS);
  // A world in which nothing dies and nothing closes would pass, too.
  expect(lives).toBeGreaterThan(SEEDS * 4);
  expect(rows).toBeGreaterThan(SEEDS * 20);
}, 590_000);

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
