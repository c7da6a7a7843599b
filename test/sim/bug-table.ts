import { BUGS, type Bug } from "./bugs.ts";
import { type Failure, runCampaign } from "./campaign.ts";

export interface Found {
  readonly bug: Bug;
  /** Null where none of the seeds failed. */
  readonly failure: Failure | null;
  readonly wallMs: number;
}

/** Each bug in a process of its own, `jobs` at a time, until the first of `seeds` seeds fails. */
export async function findBugs(seeds: number, jobs: number, only: string | null = null): Promise<readonly Found[]> {
  const waiting = BUGS.filter((bug) => only === null || bug.name === only);
  const found: Found[] = [];
  const worker = async () => {
    for (let bug = waiting.shift(); bug; bug = waiting.shift()) {
      const { failures, wallMs } = await runCampaign({
        from: 1,
        seeds,
        jobs: 1,
        bug: bug.name,
        first: true,
        tight: false,
      });
      found.push({ bug, failure: failures[0] ?? null, wallMs });
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return found.sort((a, b) => BUGS.indexOf(a.bug) - BUGS.indexOf(b.bug));
}

export function bugTable(found: readonly Found[]): string {
  const rows = found.map(({ bug, failure, wallMs }) => [
    bug.name,
    failure === null ? "not found" : `seed ${failure.seed}`,
    failure === null ? "" : `invariant ${failure.invariant}`,
    `${(wallMs / 1000).toFixed(1)} s`,
    failure?.what.replaceAll("\n", " ").slice(0, 110) ?? "",
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
