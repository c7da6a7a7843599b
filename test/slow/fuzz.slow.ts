import { expect, test } from "bun:test";
import { fuzz, growthOf, tableOf } from "../long/fuzz/run.ts";
import { FUZZ_TARGETS } from "../long/fuzz/targets.ts";
import { RECORDINGS } from "../support/fabric.ts";

// Mutated input at every door, in the size that fits a continuous integration; the long one is `bun test/long/fuzz/run.ts`. Each target
// runs in a process of its own, so that a crash is a failure with the cases it was at. FABRIC_FUZZ_SEED chooses others.

const SEED = Number(process.env.FABRIC_FUZZ_SEED ?? 1);
const SHOWN_OUTCOMES = 12;

if (RECORDINGS === null)
  console.warn("SKIPPED: mutations of recorded frames; those of the documented shapes are run all the same");

for (const [name, { about, ci }] of Object.entries(FUZZ_TARGETS)) {
  test(`Invariant 8 (bounded): ${ci} mutated cases of ${name} (${about}): no crash, no hang, no growth, and nothing unsound is taken`, async () => {
    const result = await fuzz(name, SEED, 0, ci);
    console.log(tableOf(result, SHOWN_OUTCOMES));
    expect(result.failures).toEqual([]);
    expect(growthOf(result)).toBeNull();
    expect(result.reports.at(-1)?.next).toBe(ci);
  }, 240_000);
}
