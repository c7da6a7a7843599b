import { runSeed, type Simulate } from "./run-seed.ts";
import { type Cuts, drawScenario, FAULTS, NO_CUTS } from "./scenario.ts";

/** Most runs spent on one failing seed. */
const MOST_RUNS = 150;

/** The smallest cuts found under which the seed still breaks the same invariant: less time, fewer nodes, fewer faults. */
export async function shrink(simulate: Simulate, seed: number): Promise<Cuts> {
  const first = await runSeed(simulate, seed, NO_CUTS, 0);
  const invariant = first.violations[0]?.invariant;
  let cuts = NO_CUTS;
  let runs = 0;
  const attempt = async (smaller: Cuts): Promise<boolean> => {
    if (runs++ >= MOST_RUNS) return false;
    const outcome = await runSeed(simulate, seed, smaller, 0);
    if (outcome.violations[0]?.invariant !== invariant) return false;
    cuts = smaller;
    return true;
  };
  const scenario = drawScenario(seed);
  await attempt({ ...cuts, bridge: false });
  await attempt({ ...cuts, scanner: false });
  for (let runners = 0; runners < scenario.runners.length; runners++) if (await attempt({ ...cuts, runners })) break;
  const on = FAULTS.filter((fault) => scenario.rates[fault] > 0);
  // Halves first, then one by one.
  for (let size = Math.ceil(on.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < on.length; at += size) {
      const off = on.slice(at, at + size).filter((fault) => !cuts.off.has(fault));
      if (off.length > 0) await attempt({ ...cuts, off: new Set([...cuts.off, ...off]) });
    }
  }
  for (let hurtMs = scenario.hurtMs; hurtMs > 300; ) {
    hurtMs = Math.floor(hurtMs * 0.7);
    if (!(await attempt({ ...cuts, hurtMs }))) break;
  }
  return cuts;
}

/** Cuts as flags of the command line. */
export function flagsOf(cuts: Cuts): string {
  const flags = [
    cuts.off.size > 0 ? `--off ${[...cuts.off].join(",")}` : "",
    cuts.hurtMs === null ? "" : `--hurt ${cuts.hurtMs}`,
    cuts.runners === null ? "" : `--runners ${cuts.runners}`,
    cuts.bridge === null ? "" : `--bridge ${cuts.bridge ? 1 : 0}`,
    cuts.scanner ? "" : "--no-scanner",
  ];
  return flags.filter(Boolean).join(" ");
}
