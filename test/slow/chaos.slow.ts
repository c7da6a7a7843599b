import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { ChaosReport } from "../../src/role/chaos/report.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { processesOf } from "./support-up.ts";

// Real nodes, really hurt (fabric chaos): once by a fixed schedule and once by a fresh one, whose seed is told. FABRIC_CHAOS_SEED
// and FABRIC_CHAOS_FOR choose others. The long size is one command: fabric chaos --for 4m --json (200 kills and more).

const FIXED_SEED = 11;
const FRESH_SEED = Number(process.env.FABRIC_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 32));
const FRESH_FOR = process.env.FABRIC_CHAOS_FOR ?? "30s";
const IDS = [
  "candles",
  "gaps",
  "commit-seq",
  "store",
  "wire-durable",
  "segments-durable",
  "digests",
  "orders-once",
  "fills-once",
  "decisions",
  "positions",
  "venue-orders",
  "venue-holdings",
  "hurt",
  "one-writer",
  "one-node",
  "no-own-death",
  "healed",
  "caught-up",
  "bridge-inert",
  "orderly-stop",
  "nothing-left",
];
const linuxOnly = test.skipIf(process.platform !== "linux");

async function chaos(seed: number, duration: string, leastKills: number): Promise<void> {
  using folder = tempFolder();
  const data = folder.join("data");
  const words = ["chaos", "--seed", `${seed}`, "--for", duration, "--json", "--data", data];
  const done = await fabric(words, { withinMs: 240_000 });
  const said = `seed ${seed}: ${done.err}`;
  const report = JSON.parse(done.out || `{"unprinted": ${JSON.stringify(said)}}`) as ChaosReport;
  const broken = (report.invariants ?? []).filter(({ ok }) => !ok);
  if (broken.length > 0 && existsSync(`${data}/chaos.log`)) console.error(readFileSync(`${data}/chaos.log`, "utf8"));
  expect({ said, broken, code: done.code }).toEqual({ said, broken: [], code: 0 });
  expect([report.ok, report.seed]).toEqual([true, seed]);
  expect(report.invariants.map(({ id }) => id)).toEqual(IDS);
  const kills = Object.values(report.kills).reduce((sum, count) => sum + count, 0);
  expect(kills).toBeGreaterThanOrEqual(leastKills);
  expect(report.candles).toBeGreaterThan(750);
  expect(report.orders).toBeGreaterThan(100);
  const { kills: byRole, faults, recovery, caughtUpMs, skipped } = report;
  console.log(
    JSON.stringify({
      seed,
      candles: report.candles,
      orders: report.orders,
      kills: byRole,
      faults,
      recovery,
      caughtUpMs,
      skipped,
    }),
  );
  const verified = await fabric(["data", "verify", "--data", data]);
  expect([verified.code, verified.err]).toEqual([0, ""]);
  expect(processesOf(data)).toEqual([]);
}

linuxOnly(
  "Invariants 1 to 10: a market that is hurt by a fixed schedule loses, doubles and leaves nothing",
  () => chaos(FIXED_SEED, "45s", 15),
  300_000,
);

linuxOnly(
  "Invariants 1 to 10: a market that is hurt by a fresh schedule loses, doubles and leaves nothing",
  () => chaos(FRESH_SEED, FRESH_FOR, 8),
  600_000,
);

linuxOnly(
  "chaos that is stopped in the middle (SIGINT) has no verdict (75) and leaves no process, mount or temporary folder",
  async () => {
    using folder = tempFolder();
    const data = folder.join("data");
    await using running = start(["chaos", "--for", "60s", "--data", data], { env: { TMPDIR: folder.path } });
    await running.says(/hurting it/, 60_000);
    await eventually(() => processesOf(data).length >= 5, 20_000, "its nodes to run");
    expect(await running.stop("SIGINT")).toBe(75);
    expect(running.err()).toMatch(/stopped \(SIGINT\): no verdict/);
    expect(running.out()).toBe("");
    expect(processesOf(data)).toEqual([]);
    expect(readFileSync("/proc/mounts", "utf8")).not.toContain(data);
    expect(readdirSync(folder.path)).toEqual(["data"]);
  },
  120_000,
);

linuxOnly(
  "chaos that is itself killed (kill -9) leaves no process, mount or temporary folder a few seconds later, frozen nodes included",
  async () => {
    using folder = tempFolder();
    const data = folder.join("data");
    const words = ["chaos", "--for", "60s", "--kill", "none", "--stall", "none", "--data", data];
    await using running = start(words, { env: { TMPDIR: folder.path } });
    await running.says(/hurting it/, 60_000);
    const [frozen] = processesOf(data).filter(({ words: found }) => found.includes("runner"));
    expect(frozen).toBeDefined();
    process.kill(frozen?.pid ?? 0, "SIGSTOP");
    await running.stop("SIGKILL");
    await eventually(
      () =>
        processesOf(data).length === 0 &&
        !readFileSync("/proc/mounts", "utf8").includes(data) &&
        readdirSync(folder.path).join() === "data",
      15_000,
      "everything to be gone",
    );
  },
  120_000,
);
