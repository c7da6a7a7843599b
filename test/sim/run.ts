import { bugEdits, plant } from "./bug-plugin.ts";
import { bugTable, findBugs } from "./bug-table.ts";
import { runCampaign } from "./campaign.ts";
import { parseOptions, type SimOptions } from "./options.ts";
import { runSeed, type Simulate } from "./run-seed.ts";
import { NO_CUTS } from "./scenario.ts";
import { flagsOf, shrink } from "./shrink.ts";
import { TIGHT_BOUNDS } from "./tight-bounds.ts";

/**
 * The simulator's command line. --tight: the product with bounds so small that a run reaches them.
 *   bun test/sim/run.ts --seeds 10000 --from 1 --jobs 2 [--bug NAME]   many seeds; a failing one is made small and told
 *   bun test/sim/run.ts --bugs --seeds 2000 --jobs 2                    the table of planted bugs
 *   bun test/sim/run.ts --seed 7 [--trace] [--off FAULT,…] [--hurt MS] …   one seed again
 */
const options = parseOptions(process.argv.slice(2));
plant([
  ...(options.bug !== null && !options.bugs ? bugEdits(options.bug) : []),
  ...(options.tight ? TIGHT_BOUNDS : []),
]);

/** The product is loaded after a bug was planted, if one is to be. */
async function loadSimulation(): Promise<Simulate> {
  return (await import("./simulation.ts")).simulate;
}

/** Worker: every `jobs`-th seed from `from` on; tells failures and the end as lines of JSON. */
async function work({ from, seeds, jobs, first }: SimOptions): Promise<void> {
  const simulate = await loadSimulation();
  let [done, rows, lives] = [0, 0, 0];
  for (let at = 0; at < seeds; at++) {
    const seed = from + at * jobs;
    const outcome = await runSeed(simulate, seed, NO_CUTS, 0);
    done++;
    rows += outcome.rows;
    lives += outcome.lives;
    const [violation] = outcome.violations;
    if (!violation) continue;
    console.log(JSON.stringify({ type: "failure", failure: { seed, ...violation } }));
    if (first) break;
  }
  console.log(JSON.stringify({ type: "done", seeds: done, rows, lives }));
}

async function replay(seed: number): Promise<number> {
  const simulate = await loadSimulation();
  const outcome = await runSeed(simulate, seed, options.cuts, options.trace);
  for (const line of outcome.lines) console.log(line);
  console.log(
    `seed ${seed}: hash ${outcome.hash}, trading ${outcome.tradingHash}, ${outcome.events} events, ${outcome.rows} rows, ${outcome.lives} lives`,
  );
  for (const { invariant, what, atMs } of outcome.violations)
    console.log(`invariant ${invariant} at ${(atMs / 1000).toFixed(3)} s: ${what}`);
  return outcome.violations.length === 0 ? 0 : 1;
}

/** What a person needs of a failing seed: the command that replays it, made small, and the last of what happened. */
async function explain(seed: number): Promise<void> {
  const simulate = await loadSimulation();
  const cuts = await shrink(simulate, seed);
  const outcome = await runSeed(simulate, seed, cuts, 40);
  const bug = (options.bug === null ? "" : ` --bug ${options.bug}`) + (options.tight ? " --tight" : "");
  for (const line of outcome.lines) console.log(`    ${line.slice(0, 240)}`);
  console.log(`  replay: bun test/sim/run.ts --seed ${seed} --trace ${flagsOf(cuts)}${bug}`);
}

async function campaign(): Promise<number> {
  const result = await runCampaign(options);
  for (const { seed, invariant, what } of result.failures.slice(0, 20))
    console.log(`seed ${seed} breaks invariant ${invariant}: ${what.slice(0, 400)}`);
  for (const { seed } of result.failures.slice(0, 2)) await explain(seed);
  const { seeds, failures, rows, lives, wallMs } = result;
  console.log(
    `${seeds} seeds, ${rows} rows, ${lives} lives in ${(wallMs / 1000).toFixed(1)} s; ${failures.length} seeds failed`,
  );
  return failures.length === 0 ? 0 : 1;
}

if (options.bugs) console.log(bugTable(await findBugs(options.seeds, options.jobs, options.bug)));
else if (options.worker) await work(options);
else process.exitCode = options.seed === null ? await campaign() : await replay(options.seed);
