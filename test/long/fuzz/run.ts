import { join } from "node:path";
import { messageOf } from "../../../src/core/errors.ts";
import type { Failure, TallyReport } from "./tally.ts";
import { FUZZ_TARGETS, type FuzzTarget } from "./targets.ts";

export interface FuzzResult {
  readonly target: string;
  readonly cases: number;
  readonly reports: readonly TallyReport[];
  readonly failures: readonly Failure[];
  /** A shell command for each failure. */
  readonly replays: readonly string[];
  readonly tookMs: number;
}

/** A process that has grown by more than this, and by more than a quarter, between a quarter of the way and the end, leaks. */
const GROWTH_BYTES = 96 * 1024 * 1024;
const GROWTH_FACTOR = 1.25;
/** Cases over the time limit, or that end the process, are told and left out; so many of them end the run. */
const MAX_CHILDREN = 500;

/**
 * Runs a target's cases, each stretch in a process of its own: one that crashes or stands still is told with the cases it was at,
 * and the run goes on behind them.
 */
export async function fuzz(target: string, seed: number, from: number, to: number): Promise<FuzzResult> {
  const about = FUZZ_TARGETS[target];
  if (!about) throw new RangeError(`No fuzz target "${target}": there are ${Object.keys(FUZZ_TARGETS).join(", ")}`);
  const startMs = performance.now();
  const reports: TallyReport[] = [];
  const failures: Failure[] = [];
  for (let at = from, children = 0; at < to && children < MAX_CHILDREN; children++) {
    const { report, died, reached } = await stretch(target, about, seed, at, to);
    if (report) reports.push(report);
    if (report) failures.push(...report.failures);
    if (died !== null) failures.push({ index: reached, what: died });
    at = report && died === null ? Math.max(report.next, at + 1) : reached + about.step;
  }
  const replays = [...new Set(failures.map(({ index }) => replayOf(target, about, seed, index)))];
  return { target, cases: to - from, reports, failures, replays, tookMs: performance.now() - startMs };
}

function replayOf(target: string, about: FuzzTarget, seed: number, index: number): string {
  const from = index - (index % about.step);
  return `bun test/long/fuzz/run.ts ${target} --seed ${seed} --from ${from} --to ${Math.max(index + 1, from + about.step)}`;
}

interface Stretch {
  readonly report: TallyReport | null;
  /** How the process ended, where not in order. */
  readonly died: string | null;
  readonly reached: number;
}

async function stretch(target: string, about: FuzzTarget, seed: number, from: number, to: number): Promise<Stretch> {
  const words = [target, `${seed}`, `${from}`, `${to}`];
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "child.ts"), ...words], {
    stdout: "pipe",
    stderr: "pipe",
  });
  let reached = from;
  let movedMs = performance.now();
  let stalled = false;
  let last = "";
  const watch = setInterval(() => {
    if (performance.now() - movedMs < about.stallMs) return;
    stalled = true;
    child.kill("SIGKILL");
  }, 200);
  const errors = new Response(child.stderr).text();
  for await (const line of linesOf(child.stdout)) {
    movedMs = performance.now();
    if (line.startsWith("at ")) reached = Number(line.slice(3));
    else if (line !== "") last = line;
  }
  const code = await child.exited;
  clearInterval(watch);
  const report = reportIn(last);
  if (report && code === 0) return { report, died: null, reached };
  const how = stalled ? `stood still for ${about.stallMs} ms` : `ended with ${child.signalCode ?? code}`;
  return { report: null, died: `the process ${how}: ${(await errors).slice(-1500)}`, reached };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function reportIn(line: string): TallyReport | null {
  try {
    return JSON.parse(line) as TallyReport;
  } catch {
    return null;
  }
}

/** What grew without bound in one of the processes; null where nothing did. */
export function growthOf(result: FuzzResult): string | null {
  for (const { rssBytes } of result.reports) {
    const [quarter, end] = rssBytes;
    if (quarter === 0 || end < quarter * GROWTH_FACTOR || end - quarter < GROWTH_BYTES) continue;
    return `resident memory grew from ${megabytes(quarter)} to ${megabytes(end)} MB`;
  }
  return null;
}

/** The counts as a table: outcomes down, the `most` frequent ones, with the kinds of mutation that led to them. */
export function tableOf(result: FuzzResult, most = Number.POSITIVE_INFINITY): string {
  const outcomes = new Map<string, Map<string, number>>();
  for (const { counts } of result.reports) {
    for (const [kind, list] of Object.entries(counts)) {
      for (const [outcome, count] of Object.entries(list)) {
        const kinds = outcomes.get(outcome) ?? new Map<string, number>();
        outcomes.set(outcome, kinds.set(kind, (kinds.get(kind) ?? 0) + count));
      }
    }
  }
  const total = (kinds: ReadonlyMap<string, number>) => [...kinds.values()].reduce((sum, count) => sum + count, 0);
  const all = [...outcomes].sort(([, one], [, other]) => total(other) - total(one));
  const rows = all.slice(0, most);
  const rest = all.slice(most).reduce((sum, [, kinds]) => sum + total(kinds), 0);
  const notes = Object.entries(result.reports.at(-1)?.notes ?? {}).map(([name, value]) => `${name} ${value}`);
  const [quarter, end] = result.reports.at(-1)?.rssBytes ?? [0, 0];
  return [
    `${result.target}: ${result.cases} cases in ${(result.tookMs / 1000).toFixed(1)} s, memory ${megabytes(quarter)} → ${megabytes(end)} MB`,
    ...rows.map(([outcome, kinds]) => `  ${`${total(kinds)}`.padStart(9)}  ${outcome.padEnd(72)} ${mostOf(kinds)}`),
    ...(rest > 0 ? [`  ${`${rest}`.padStart(9)}  in ${all.length - rows.length} further kinds of refusal`] : []),
    ...(notes.length > 0 ? [`  ${notes.join(", ")}`] : []),
    ...result.failures.slice(0, 20).map(({ index, what }) => `  FAILED case ${index}: ${what}`),
    ...result.replays.slice(0, 20).map((command) => `  replay: ${command}`),
  ].join("\n");
}

function mostOf(kinds: ReadonlyMap<string, number>): string {
  const most = [...kinds].sort(([, one], [, other]) => other - one).slice(0, 4);
  return most.map(([kind, count]) => `${kind} ${count}`).join(", ") + (kinds.size > 4 ? " …" : "");
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}

/** `bun test/long/fuzz/run.ts [TARGET…] [--seed N] [--count N | --from N --to N]`; all targets at the long size where none is named. */
async function main(words: readonly string[]): Promise<number> {
  const flag = (name: string) => (words.includes(name) ? Number(words[words.indexOf(name) + 1]) : undefined);
  const named = words.filter((word, at) => !word.startsWith("--") && !words[at - 1]?.startsWith("--"));
  let wrong = 0;
  for (const name of named.length > 0 ? named : Object.keys(FUZZ_TARGETS)) {
    const from = flag("--from") ?? 0;
    const to = flag("--to") ?? from + (flag("--count") ?? FUZZ_TARGETS[name]?.long ?? 0);
    const result = await fuzz(name, flag("--seed") ?? 1, from, to);
    const growth = growthOf(result);
    console.log(tableOf(result) + (growth === null ? "" : `\n  FAILED: ${growth}`));
    if (result.failures.length > 0 || growth !== null) wrong++;
  }
  return wrong === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    process.exit(await main(process.argv.slice(2)));
  } catch (error) {
    console.error(messageOf(error));
    process.exit(64);
  }
}
