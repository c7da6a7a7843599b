import { expect, test } from "bun:test";
import { rank, ranks } from "../bench/figures.ts";
import { measureCuts } from "../long/failover/cuts.ts";

// The goal is 500 ms at p99 (test/bench/failover.ts measures it at length); here one in ten may miss it, because whoever runs this may
// have better things to do. Without looks while a minute is overdue half of the late ones take over a second.

const PAIRS = 24;
const GOAL_MS = 500;

test("Invariant 4 (exactly once): with the fast rail cut, silently or loudly, due candles are delivered within 500 ms of being in the store", async () => {
  const samples = await measureCuts({ pairs: PAIRS, firstMs: 15_000, spreadMs: 25_000, closes: 1 });
  for (const how of ["silently", "loudly"] as const) {
    for (const late of [false, true]) {
      const ms = samples.filter((each) => each.how === how && each.late === late).map(({ afterSealMs }) => afterSealMs);
      console.log(
        `cut ${how}, ${late ? "late" : "on time"}: ${ms.length} candles, in the store → delivered ${ranks(ms)}`,
      );
    }
  }
  const all = samples.map(({ afterSealMs }) => afterSealMs);
  expect(all.length).toBeGreaterThanOrEqual(PAIRS);
  expect(rank(all, 0.9)).toBeLessThanOrEqual(GOAL_MS);
  expect(Math.max(...all)).toBeLessThanOrEqual(4 * GOAL_MS);
}, 120_000);
