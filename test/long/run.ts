import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * The long size of everything that is tried at random, by one command: `npm run test:long [-- PART…]`. The parts run one after the other,
 * so that none disturbs another's figures; each can be run alone. Ends with a table and exits 1 where a part failed.
 */
interface Part {
  readonly name: string;
  readonly what: string;
  readonly command: readonly string[];
  /** Longest it may take, minutes; killed then, and failed. */
  readonly limitMinutes: number;
}

const top = join(import.meta.dir, "../..");
const work = mkdtempSync(join(tmpdir(), "fabric-long-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const bun = process.execPath;
const binary = join(top, "dist/fabric");

const PARTS: readonly Part[] = [
  {
    name: "chaos",
    what: "200 kills and more over all roles, with every other fault",
    command: [binary, "chaos", "--for", "4m", "--data", join(work, "chaos")],
    limitMinutes: 15,
  },
  {
    name: "sim",
    what: "100,000 simulated seeds",
    command: [bun, "test/sim/run.ts", "--seeds", "100000", "--from", "1", "--jobs", "2"],
    limitMinutes: 120,
  },
  {
    name: "soak",
    what: "ten minutes at 20,000 messages a second beside peers that stand still",
    command: [bun, "test/long/soak/run.ts", "--seconds", "600"],
    limitMinutes: 20,
  },
  {
    name: "fuzz",
    what: "1,000,000 frames at SUB sockets, 200,000 at the venue adapter, 20,000 recordings, configurations and SQL texts",
    command: [bun, "test/long/fuzz/run.ts"],
    limitMinutes: 60,
  },
  {
    name: "failover",
    what: "from a cut fast rail to delivery over the other",
    command: [bun, "test/bench/failover.ts"],
    limitMinutes: 20,
  },
  {
    name: "growth",
    what: "starts and joins with a day and with a year of 100 symbols",
    command: [bun, "test/bench/growth.ts", "3"],
    limitMinutes: 40,
  },
];

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !PARTS.some((part) => part.name === name));
if (unknown !== undefined) {
  console.error(`No part "${unknown}": expected some of ${PARTS.map(({ name }) => name).join(", ")}`);
  process.exit(64);
}
const built = await run({ name: "build", what: "the binary", command: [bun, "build.ts"], limitMinutes: 10 });
if (built.code !== 0) process.exit(1);

const lines: string[] = [];
let failed = 0;
for (const part of PARTS.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  console.log(`=== ${part.name}: ${part.what}`);
  const { code, seconds } = await run(part);
  if (code !== 0) failed++;
  lines.push(
    `${part.name.padEnd(9)} ${code === 0 ? "held" : `FAILED (${code})`}  ${seconds.toFixed(0)} s  ${part.what}`,
  );
}
console.log(`===\n${lines.join("\n")}\n${lines.length - failed} parts held, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function run(part: Part): Promise<{ readonly code: number; readonly seconds: number }> {
  const started = performance.now();
  const child = Bun.spawn([...part.command], { cwd: top, stdio: ["ignore", "inherit", "inherit"] });
  const limit = setTimeout(() => child.kill("SIGKILL"), part.limitMinutes * 60_000);
  const code = await child.exited;
  clearTimeout(limit);
  return { code, seconds: (performance.now() - started) / 1000 };
}
