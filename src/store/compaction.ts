import type { Segment } from "./manifest.ts";

/**
 * The next merge, or null: the oldest run of at least `width` adjacent segments of one kind, none of them above a size class,
 * smallest class first. Classes are powers of `width` in rows, so each row is rewritten a logarithmic number of times and at
 * most about `width` segments a class stay listed. The merged file holds at most `maxRows`.
 */
export function planMerge(segments: readonly Segment[], maxRows: number, width: number): readonly Segment[] | null {
  const candidates = segments.filter((segment) => segment.rows < maxRows);
  const classes = [...new Set(candidates.map((segment) => sizeClass(segment.rows, width)))].sort((a, b) => a - b);
  for (const largest of classes) {
    const run = firstRun(segments, (segment) => sizeClass(segment.rows, width) <= largest, maxRows, width);
    if (run) return run;
  }
  return null;
}

function firstRun(
  segments: readonly Segment[],
  fits: (segment: Segment) => boolean,
  maxRows: number,
  width: number,
): readonly Segment[] | null {
  let run: Segment[] = [];
  let rows = 0;
  for (const segment of segments) {
    const adjacent = run.length === 0 || run.at(-1)?.lastSeq === segment.firstSeq - 1;
    if (!fits(segment) || !adjacent) [run, rows] = [[], 0];
    if (!fits(segment)) continue;
    if (rows + segment.rows > maxRows) {
      if (run.length > 1 && rows * 2 >= maxRows) return run;
      [run, rows] = [[], 0];
    }
    run.push(segment);
    rows += segment.rows;
    if (run.length === width) return run;
  }
  return null;
}

function sizeClass(rows: number, width: number): number {
  return Math.ceil(Math.log(rows + 1) / Math.log(width));
}
