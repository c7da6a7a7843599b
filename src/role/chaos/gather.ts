import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { platform } from "#platform";
import type { FeedGap, StoredCandle } from "../../core/candle.ts";
import { messageOf } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import type { TruthRow } from "../../feed/sim/exact-candle.ts";
import { simTruth } from "../../feed/sim/truth.ts";
import { openStoreReader } from "../../store/reader.ts";
import { SUPERVISED } from "../lifecycle/stop-signal.ts";
import { CHAOS_MARK } from "./actor.ts";
import { LIVE_RUNNER, type Stage, SYMBOLS } from "./cast.ts";
import type { Evidence, RunnerEvidence } from "./evidence.ts";
import { readJournal } from "./journals.ts";
import { undisturbedRun } from "./undisturbed.ts";

const VERIFY_WITHIN_MS = 60_000;
/** Exchange minutes of the longest run, twice over. */
const MOST_MINUTES = 20_000;

/** Every published row of revision 0 in commitSeq order, and the gaps. */
export async function publishedRows(data: string): Promise<{ rows: StoredCandle[]; gaps: readonly FeedGap[] }> {
  const reader = openStoreReader({ folder: data }, platform);
  try {
    const view = await reader.view();
    const rows: StoredCandle[] = [];
    for (const symbol of view?.heads.keys() ?? [])
      rows.push(...(await reader.history(symbol, 0, Number.MAX_SAFE_INTEGER)));
    rows.sort((one, other) => one.commitSeq - other.commitSeq);
    return { rows, gaps: await reader.gaps(null) };
  } finally {
    await reader.close();
  }
}

/** The exchange's own candles over the store's span. */
export function truthOf(seed: number, rows: readonly StoredCandle[]): readonly TruthRow[] {
  if (rows.length === 0) return [];
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { openTime } of rows) [from, to] = [Math.min(from, openTime), Math.max(to, openTime)];
  const minutes = (to - from) / MINUTE_MS + 1;
  if (minutes > MOST_MINUTES)
    throw new Error(
      `the store spans ${minutes} minutes, from ${from} to ${to}: the exchange has not been there so long`,
    );
  return [...simTruth({ seed, symbols: SYMBOLS, startMs: from, minutes })];
}

/** `fabric data verify`, as a process of its own: only the market-data role may open the store. */
export function verifyData(data: string): Promise<Evidence["verify"]> {
  const [program = "", ...self] = platform.selfCommand();
  return new Promise((resolve) => {
    const child = spawn(program, [...self, "data", "verify", "--json", "--data", data], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, [SUPERVISED]: "1" },
    });
    let [out, err] = ["", ""];
    child.stdin?.on("error", () => undefined);
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      err = (err + chunk.toString()).slice(-2000);
    });
    const limit = platform.timers.after(VERIFY_WITHIN_MS, () => child.kill("SIGKILL"));
    child.once("error", (error) => resolve({ problem: messageOf(error) }));
    child.once("close", (code) => {
      limit.cancel();
      try {
        const report = JSON.parse(out) as Exclude<Evidence["verify"], { problem: string }>;
        if (!Array.isArray(report.checks)) throw new Error("no checks");
        resolve(report);
      } catch {
        resolve({ problem: `fabric data verify ended with ${code}: ${err.trim()}` });
      }
    });
  });
}

/** A runner's journal, and the same candles through the same strategy where nothing was hurt. */
export async function runnerEvidence(
  runner: string,
  stage: Stage,
  rows: readonly StoredCandle[],
  told: Pick<RunnerEvidence, "positions" | "begun">,
): Promise<RunnerEvidence> {
  const strategy = [...stage.strategies].find(([name]) => name === runner)?.[1] ?? runner;
  const found = readJournal(stage.data, runner);
  let undisturbed: RunnerEvidence["undisturbed"];
  if (runner === LIVE_RUNNER) return { runner, found, undisturbed: null, ...told };
  try {
    undisturbed = await undisturbedRun({ runner, strategy, symbols: SYMBOLS, rows, found });
  } catch (error) {
    undisturbed = { problem: messageOf(error) };
  }
  return { runner, found, undisturbed, ...told };
}

/** Sockets, advertisements, temporary files and SQLite logs below a folder, which an orderly stop removes. */
export function filesLeft(folder: string): readonly string[] {
  if (!platform.files.stat(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(
      ({ entry, path }) =>
        entry.isSocket() ||
        /\.(ipc|tmp|sqlite-wal|sqlite-shm|sqlite-journal)$/.test(path) ||
        /\/run\/.*\.json$/.test(path),
    )
    .map(({ path }) => path);
}

/** Why processes, what they hold open and mounts cannot be looked at on this system; null where they can. */
export function whyBlind(): string | null {
  return platform.files.stat("/proc/self/mountinfo") === null ? "this system has no /proc to look into" : null;
}

/** Live processes that this run started, whoever their parent is: they carry its mark. Linux; else none is found. */
export function processesLeft(mark: string): readonly string[] {
  const found: string[] = [];
  let names: readonly string[] = [];
  try {
    names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return found;
  }
  for (const name of names) {
    if (Number(name) === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8").split("\0");
      if (!environment.includes(`${CHAOS_MARK}=${mark}`)) continue;
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").join(" ").trim();
      if (state !== "Z" && state !== "X") found.push(`process ${name}: ${words}`);
    } catch {
      // It ended while we looked, or is somebody else's.
    }
  }
  return found;
}
