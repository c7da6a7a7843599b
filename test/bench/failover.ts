import { type CutSample, measureCuts } from "../long/failover/cuts.ts";
import { ranks } from "./figures.ts";

// From the moment a due candle can be read in the store to its delivery to the consumer, with the fast rail cut, at speed 1:
// `bun test/bench/failover.ts [PAIRS] [MINUTES]`. The goal is 500 ms at p99, the horizon 250 ms.

const PAIRS = Number(process.argv[2] ?? 30);
const MINUTES = Number(process.argv[3] ?? 3);
const GOAL_MS = 500;

const samples = await measureCuts({ pairs: PAIRS, firstMs: 15_000, spreadMs: 45_000, closes: MINUTES });
const of = (pick: (sample: CutSample) => boolean) => samples.filter(pick).map(({ afterSealMs }) => afterSealMs);
console.log(`${samples.length} candles over the fallback rail, in the store → delivered (ms):`);
console.log(`  cut silently, on time   ${ranks(of(({ how, late }) => how === "silently" && !late))}`);
console.log(`  cut loudly, on time     ${ranks(of(({ how, late }) => how === "loudly" && !late))}`);
console.log(`  late (waited for klines) ${ranks(of(({ late }) => late))}`);
console.log(`  all                     ${ranks(of(() => true))}  goal: p99 ${GOAL_MS}`);
