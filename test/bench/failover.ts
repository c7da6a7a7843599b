import { measureCatchUp } from "../long/failover/catch-up.ts";
import { type CutSample, measureCuts } from "../long/failover/cuts.ts";
import { rank, ranks } from "./figures.ts";

// How soon the fallback rail stands in, and a killed node is back: `bun test/bench/failover.ts [PAIRS] [MINUTES] [DAYS,…] [ROUNDS]`.
// First, at speed 1, from the moment a due candle can be read in the store to its delivery, with the fast rail cut; the goal is 500 ms
// at p99, the horizon 250 ms. Then, at speed 60 and with so many days of 100 symbols stored (1 and 365 need 4 GB of disk and ten
// minutes), from kill -9 of each role, restarted at once, to its being where it would be. The scanner tells where it is once a second.

const PAIRS = Number(process.argv[2] ?? 30);
const MINUTES = Number(process.argv[3] ?? 3);
const DAYS = (process.argv[4] ?? "1").split(",").map(Number);
const ROUNDS = Number(process.argv[5] ?? 5);
const GOAL_MS = 500;

const samples =
  PAIRS === 0 ? [] : await measureCuts({ pairs: PAIRS, firstMs: 15_000, spreadMs: 45_000, closes: MINUTES });
const of = (pick: (sample: CutSample) => boolean) => samples.filter(pick).map(({ afterSealMs }) => afterSealMs);
console.log(`${samples.length} candles over the fallback rail, in the store → delivered (ms):`);
console.log(`  cut silently, on time    ${ranks(of(({ how, late }) => how === "silently" && !late))}`);
console.log(`  cut loudly, on time      ${ranks(of(({ how, late }) => how === "loudly" && !late))}`);
console.log(`  late (waited for klines) ${ranks(of(({ late }) => late))}`);
console.log(`  all                      ${ranks(of(() => true))}  goal: p99 ${GOAL_MS}`);
for (const days of DAYS.filter((each) => each > 0)) {
  const taken = await measureCatchUp(days, ROUNDS);
  console.log(`kill -9 → caught up, ${days} days of 100 symbols stored, ${ROUNDS} kills a role (ms):`);
  for (const [role, list] of Map.groupBy(taken, (each) => each.role))
    console.log(`  ${role.padEnd(12)} ${ranks(list.map(({ ms }) => ms))}`);
}
const p99 = rank(
  of(() => true),
  0.99,
);
if (p99 > GOAL_MS) console.log(`FAILED: p99 of ${p99.toFixed(0)} ms is above the goal`);
process.exit(p99 > GOAL_MS ? 1 : 0);
