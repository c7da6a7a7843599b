// How start and join grow with what is stored: 100 symbols over a day, eight days and a year, of which each step reads the same.
// Run: bun test/bench/growth.ts [ROUNDS]; FABRIC_GROWTH_DAYS=30 makes the largest store smaller. A year (52.56 million rows) needs
// 3.5 GB of disk in the system's temporary folder, 1.3 GB of memory while it is built, and two minutes for that. Every step runs in a
// process of its own; the sizes take turns, so that a noisy machine is noisy for all. Medians in ms: of the step alone by the wall
// clock and by the processor's (which other work on the machine disturbs less), and from the start of its process.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "../support/temp-folder.ts";
import { rank } from "./figures.ts";
import { runnerStart } from "./growth-runner.ts";

const MOST_DAYS = Number(process.env.FABRIC_GROWTH_DAYS ?? 365);
const ROUNDS = Number(process.argv[2] ?? 7);
/** The smallest store that holds a week. */
const WEEK_DAYS = 8;

interface Taken {
  readonly ms: number;
  readonly cpuMs: number;
  readonly sinceStartMs: number;
}

/** Each step, and the smallest store that holds what it reads. */
const STEPS: readonly (readonly [name: string, days: number])[] = [
  ["open the writer", 1],
  ["open the writer after kill -9", 1],
  ["look after what is published", 1],
  ["view", 1],
  ["delivery from an hour back", 1],
  ["latest 500 of one symbol", 1],
  ["history of a week of one symbol", WEEK_DAYS],
];

using folder = tempFolder();
const sizes = [...new Set([1, WEEK_DAYS, MOST_DAYS])].filter((days) => days <= MOST_DAYS);
for (const days of sizes) {
  mkdirSync(folder.join(`${days}`));
  const { ms, maxRssMb } = await runStep("build", days);
  console.log(
    `${days} days, ${days * 144_000} rows: built in ${(ms / 1000).toFixed(1)} s with ${maxRssMb} MB of memory`,
  );
}
const heading = `${sizes.map((days) => `${days} d`.padStart(9)).join("")}  growth`;
console.log(`\n${"ms".padEnd(34)} wall ${heading}   processor ${heading}   with start ${heading}`);
for (const [name, least] of STEPS) report(name, await measure(least, (days) => takeStep(name, days)));
const starts = await measure(WEEK_DAYS, (days, round) => runnerStart(folder.join(`${days}`), `growth-${round}`));
report(
  "fabric runner: start to warm-up",
  new Map([...starts].map(([days, times]) => [days, times.map(({ warmMs }) => warmTime(warmMs))])),
);
report("fabric runner: start to a decision", starts);

async function measure<T>(
  leastDays: number,
  take: (days: number, round: number) => Promise<T>,
): Promise<ReadonlyMap<number, readonly T[]>> {
  const measured = sizes.filter((days) => days >= leastDays || days === MOST_DAYS);
  const times = new Map<number, T[]>(measured.map((days) => [days, []] as const));
  for (let round = 0; round < ROUNDS; round++)
    for (const days of measured) times.get(days)?.push(await take(days, round));
  return times;
}

async function takeStep(name: string, days: number): Promise<Taken> {
  if (name.endsWith("kill -9")) await runStep("commit, seal and be killed", days).catch(() => null);
  return runStep(name, days);
}

function warmTime(sinceStartMs: number): Taken {
  return { ms: Number.NaN, cpuMs: Number.NaN, sinceStartMs };
}

function report(name: string, times: ReadonlyMap<number, readonly Taken[]>): void {
  const values = [({ ms }: Taken) => ms, ({ cpuMs }: Taken) => cpuMs, ({ sinceStartMs }: Taken) => sinceStartMs];
  const columns = values.map((value) => {
    const medians = sizes.map((days) => rank((times.get(days) ?? []).map(value), 0.5));
    const growth = (medians.at(-1) ?? Number.NaN) / (medians.find((ms) => !Number.isNaN(ms)) ?? Number.NaN);
    const cells = medians.map((ms) => (Number.isNaN(ms) ? "–" : ms.toFixed(2)).padStart(9)).join("");
    return `${cells}  ${(Number.isNaN(growth) ? "–" : `${growth.toFixed(2)} ×`).padStart(6)}`;
  });
  console.log(`${name.padEnd(40)}${columns.join("             ")}`);
}

async function runStep(step: string, days: number): Promise<Taken & { readonly maxRssMb: number }> {
  const script = join(import.meta.dir, "growth-step.ts");
  const child = Bun.spawn([process.execPath, script, step, folder.join(`${days}`), `${days}`], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0)
    throw new Error(`"${step}" on ${days} days ended with ${child.exitCode ?? child.signalCode}`);
  return JSON.parse(text);
}
