import type { ChaosReport } from "../../src/role/chaos/report.ts";
import { FABRIC } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

// `fabric chaos` again and again, each time another market and schedule, until so many kills were dealt out:
// `bun test/long/chaos.ts [KILLS] [FOR] [FIRST_SEED]`. Exits 1 where an invariant broke; its folder is then kept and told.

const KILLS = Number(process.argv[2] ?? 200);
const FOR = process.argv[3] ?? "4m";
const FIRST_SEED = Number(process.argv[4] ?? 1);
/** A run deals out some dozens of kills; so many runs without reaching the number means that it does not kill. */
const MOST_RUNS = 50;

const kills = new Map<string, number>();
const faults = new Map<string, number>();
const broken: string[] = [];
let [candles, orders] = [0, 0];
const killed = () => [...kills.values()].reduce((sum, count) => sum + count, 0);
for (let run = 0; run < MOST_RUNS && killed() < KILLS; run++) await once(FIRST_SEED + run);

const told = (counts: ReadonlyMap<string, number>) => [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
console.log(`faults besides: ${told(faults)}`);
for (const what of broken) console.log(`FAILED: ${what}`);
console.log(
  `${killed()} kills (${told(kills)}), ${candles} candles, ${orders} orders; ${broken.length} invariants broken`,
);
process.exit(broken.length === 0 && killed() >= KILLS ? 0 : 1);

async function once(seed: number): Promise<void> {
  const folder = tempFolder();
  const data = folder.join("data");
  const words = ["chaos", "--seed", `${seed}`, "--for", FOR, "--json", "--data", data];
  const child = Bun.spawn([...FABRIC, ...words], { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const code = await child.exited;
  const report = reportIn(out);
  if (!report) {
    broken.push(`seed ${seed}: no report, exit ${code}: ${err.slice(-500)}`);
    return;
  }
  for (const [role, count] of Object.entries(report.kills)) kills.set(role, (kills.get(role) ?? 0) + count);
  for (const [fault, count] of Object.entries(report.faults)) faults.set(fault, (faults.get(fault) ?? 0) + count);
  candles += report.candles;
  orders += report.orders;
  for (const { id, ok, detail } of report.invariants)
    if (!ok)
      broken.push(`seed ${seed}, ${id}: ${detail} (kept: ${data}; again: fabric chaos --seed ${seed} --for ${FOR})`);
  const recovery = Object.entries(report.recovery).map(
    ([role, { fromKill }]) => `${role} ${fromKill.p50Ms}/${fromKill.p99Ms}`,
  );
  console.log(
    `seed ${seed}: ${report.ok ? "all invariants hold" : "BROKEN"}; caught up after a kill, p50/p99 ms: ${recovery.join(", ")}`,
  );
  for (const what of report.skipped) console.log(`  SKIPPED ${what}`);
  if (report.ok) folder[Symbol.dispose]();
}

function reportIn(text: string): ChaosReport | null {
  try {
    return JSON.parse(text) as ChaosReport;
  } catch {
    return null;
  }
}
