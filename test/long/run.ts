import { join } from "node:path";

// The long size of everything that a continuous integration runs small: `npm run test:long`, or `bun test/long/run.ts PART…` for some. Each
// part is a command of its own, runs one after the other within a time limit, and prints what it has to say; at the end stands one
// table. Exits 1 if a part failed, 64 for a part that there is none of. All of it takes some hours on two cores, and 6 GB of disk. The
// nodes that are hurt are the compiled binary.

interface Part {
  readonly name: string;
  readonly about: string;
  /** Words after `bun`. */
  readonly words: readonly string[];
  readonly limitMinutes: number;
  /** The lines that the closing table repeats. */
  readonly told: RegExp;
}

const ALL = join(import.meta.dir, "../..");
const PARTS: readonly Part[] = [
  {
    name: "sim",
    about: "100,000 simulated seeds",
    words: ["test/sim/run.ts", "--seeds", "100000", "--jobs", "2"],
    limitMinutes: 120,
    told: /^\d+ seeds, .*/m,
  },
  {
    name: "sim-tight",
    about: "10,000 seeds with bounds so small that runs reach them",
    words: ["test/sim/run.ts", "--seeds", "10000", "--jobs", "2", "--tight"],
    limitMinutes: 30,
    told: /^\d+ seeds, .*/m,
  },
  {
    name: "sim-bugs",
    about: "each planted bug found within 2,000 seeds",
    words: ["test", "./test/slow/sim-bugs.slow.ts"],
    limitMinutes: 30,
    told: /^ *\d+ (?:pass|fail)$/gm,
  },
  {
    name: "chaos",
    about: "200 kills over all roles, and every other fault",
    words: ["test/long/chaos.ts", "200"],
    limitMinutes: 60,
    told: /^\d+ kills .*|^FAILED: .*/gm,
  },
  {
    name: "soak",
    about: "10 minutes at 20,000 messages a second beside three that stand still",
    words: ["test/long/soak/run.ts"],
    limitMinutes: 20,
    told: /^\d+ messages a second .*|^nothing was lost|^FAILED: .*/gm,
  },
  {
    name: "fuzz",
    about:
      "1,000,000 frames at the SUB socket, 200,000 at the venue adapter, 20,000 recordings, configurations, SQL texts",
    words: ["test/long/fuzz/run.ts"],
    limitMinutes: 60,
    told: /^\w+: \d+ cases .*|^ +FAILED.*/gm,
  },
  {
    name: "bad-day",
    about: "every fault of a bad day at every venue, 30 minutes each, against the market's own list",
    words: ["test/long/bad-day.ts"],
    limitMinutes: 40,
    told: /^.*\d+\/\d+\/\d+\/\d+\/\d+ \(\d+\).*|^nothing was silently wrong|^FAILED: .*/gm,
  },
  {
    name: "failover",
    about: "a cut fast rail at speed 1, and kills with 1 day and 1 year of 100 symbols stored",
    words: ["test/bench/failover.ts", "30", "10", "1,365", "10"],
    limitMinutes: 60,
    told: /^ {2}all .*|^FAILED: .*/gm,
  },
  {
    name: "growth",
    about: "starts and joins with 1 day and 1 year of 100 symbols stored",
    words: ["test/bench/growth.ts", "5"],
    limitMinutes: 60,
    told: /^fabric runner: .*/gm,
  },
  {
    name: "kills",
    about: "kill -9 of each node under `fabric up`, six rounds and around 36 closes",
    words: ["test", "./test/slow/kill.slow.ts"],
    limitMinutes: 20,
    told: /^what differed: .*/gm,
  },
];
const BINARY = join(ALL, "dist/fabric");
const BUILD: Part = { name: "build", about: "the binary", words: ["build.ts"], limitMinutes: 10, told: /$^/ };

interface Outcome {
  readonly part: Part;
  readonly verdict: string;
  readonly minutes: number;
  readonly told: readonly string[];
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !PARTS.some((part) => part.name === name));
if (unknown.length > 0) {
  console.error(`Unknown part ${unknown.join(", ")}: expected ${PARTS.map(({ name }) => name).join(", ")}`);
  process.exit(64);
}
if ((await run(BUILD)).verdict !== "passed") process.exit(1);
const outcomes: Outcome[] = [];
for (const part of PARTS) if (wanted.length === 0 || wanted.includes(part.name)) outcomes.push(await run(part));
console.log("\n=== the long size, in all");
for (const { part, verdict, minutes, told } of outcomes) {
  console.log(`${verdict.padEnd(9)} ${part.name.padEnd(10)} ${minutes.toFixed(1).padStart(6)} min  ${part.about}`);
  for (const line of told.slice(0, 24)) console.log(`${" ".repeat(32)}${line.trim().slice(0, 200)}`);
}
const failed = outcomes.filter(({ verdict }) => verdict !== "passed");
console.log(failed.length === 0 ? "all passed" : `not passed: ${failed.map(({ part }) => part.name).join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);

/** Runs a part to its end or its limit, what it says shown as it comes. */
async function run(part: Part): Promise<Outcome> {
  console.log(`\n=== ${part.name}: ${part.about}`);
  const startMs = performance.now();
  const child = Bun.spawn([process.execPath, ...part.words], {
    cwd: ALL,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, FABRIC: BINARY, FABRIC_KILL_ROUNDS: "6" },
  });
  let overdue = false;
  const limit = setTimeout(() => {
    overdue = true;
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
  }, part.limitMinutes * 60_000);
  let said = "";
  const show = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      process.stdout.write(chunk);
      said += decoder.decode(chunk, { stream: true });
    }
  };
  await Promise.all([show(child.stdout), show(child.stderr)]);
  const code = await child.exited;
  clearTimeout(limit);
  const verdict = overdue ? "TOO LONG" : code === 0 ? "passed" : `FAILED ${child.signalCode ?? code}`;
  const told = part.told.global
    ? [...said.matchAll(part.told)].map(([line]) => line)
    : [part.told.exec(said)?.[0] ?? ""];
  return { part, verdict, minutes: (performance.now() - startMs) / 60_000, told };
}
