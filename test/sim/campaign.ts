import { resolve } from "node:path";

/** A seed that failed, as a worker tells it. */
export interface Failure {
  readonly seed: number;
  readonly invariant: number;
  readonly what: string;
}

export interface Campaign {
  readonly seeds: number;
  readonly failures: readonly Failure[];
  readonly rows: number;
  readonly lives: number;
  readonly wallMs: number;
}

export interface CampaignOptions {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly bug: string | null;
  /** With tiny bounds. */
  readonly tight: boolean;
  /** Ends at the first seed that fails. */
  readonly first: boolean;
}

/**
 * Seeds that one process runs before another goes on. Some 0.2 MB of a seed with runners stay in it: worlds that a heap snapshot shows
 * no reference to, held from within the runtime by a cause not found.
 */
const MOST_SEEDS = 1000;

type Line =
  | { readonly type: "failure"; readonly failure: Failure }
  | { readonly type: "done"; readonly seeds: number; readonly rows: number; readonly lives: number };

/** Runs seeds `from` to `from + seeds - 1` in worker processes, every `jobs`-th in one. Rejects where a worker breaks. */
export async function runCampaign(options: CampaignOptions): Promise<Campaign> {
  const startedMs = performance.now();
  const workers = Array.from({ length: options.jobs }, (_, index) => runWorker(options, index));
  const results = await Promise.all(workers);
  return {
    seeds: results.reduce((sum, { seeds }) => sum + seeds, 0),
    rows: results.reduce((sum, { rows }) => sum + rows, 0),
    lives: results.reduce((sum, { lives }) => sum + lives, 0),
    failures: results.flatMap(({ failures }) => failures).sort((a, b) => a.seed - b.seed),
    wallMs: performance.now() - startedMs,
  };
}

/** Every `jobs`-th seed from `from + index` on, in one process after the other. */
async function runWorker({ from, seeds, jobs, ...options }: CampaignOptions, index: number) {
  const sum = { seeds: 0, rows: 0, lives: 0, failures: [] as Failure[] };
  const own = Math.ceil((seeds - index) / jobs);
  while (sum.seeds < own) {
    const part = {
      ...options,
      jobs,
      from: from + index + sum.seeds * jobs,
      seeds: Math.min(own - sum.seeds, MOST_SEEDS),
    };
    const done = await runProcess(part);
    sum.seeds += done.seeds;
    sum.rows += done.rows;
    sum.lives += done.lives;
    sum.failures.push(...done.failures);
    if (options.first && sum.failures.length > 0) break;
  }
  return sum;
}

async function runProcess(options: CampaignOptions) {
  const { from, seeds, jobs, bug, first, tight } = options;
  const child = Bun.spawn(
    [
      ...[process.execPath, resolve("test/sim/run.ts"), "--worker"],
      ...["--from", String(from), "--seeds", String(seeds), "--jobs", String(jobs)],
      ...(bug === null ? [] : ["--bug", bug]),
      ...(first ? ["--first"] : []),
      ...(tight ? ["--tight"] : []),
    ],
    { stdout: "pipe", stderr: "inherit", stdin: "ignore" },
  );
  const lines = (await new Response(child.stdout).text()).split("\n").filter(Boolean);
  if ((await child.exited) !== 0) throw new Error(`A worker of the simulation ended with ${child.exitCode}`);
  const told = lines.map((line) => JSON.parse(line) as Line);
  const done = told.find((line) => line.type === "done");
  if (done?.type !== "done") throw new Error("A worker of the simulation did not finish");
  const failures = told.flatMap((line) => (line.type === "failure" ? [line.failure] : []));
  return { ...done, failures };
}
