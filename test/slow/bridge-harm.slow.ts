import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpuSeconds } from "../bench/figures.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import type { FloodMet } from "./fixtures/bridge-flood.ts";
import { decisionTimes, type Phase, phaseFigures, phaseTable, TradingEar } from "./support-harm.ts";
import {
  againstTruth,
  againstUndisturbed,
  BUSY_STRATEGY,
  digestChain,
  journalFacts,
  publishedThrough,
  rowsOf,
  storeRows,
} from "./support-kill.ts";
import { kill, Up } from "./support-up.ts";

// Invariant 9 with figures: what market-data and a runner do while nothing happens to the bridge, while it is killed, stands still, or has two
// thousand connections, most of them of no good will. Prints a table.

const SEED = 23;
const SPEED = 120;
const SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT"];
const CALM_MS = 15_000;
const STALL_MS = 10_000;
const AFTER_MS = 10_000;
const FLOOD = { seconds: 15, readers: 1000, deaf: 800, halfOpen: 200 } as const;
const BACK_WITHIN_MS = 15_000;
/** Generous: whoever runs this may have better things to do. A runner that waited for its bridge would miss it by far. */
const DECIDED_P99_MS = 1000;
const DECIDED_P50_MS = 100;

test.skipIf(process.platform !== "linux")(
  "Invariant 9 (the bridge cannot act): killed, stopped or flooded, it costs trading no candle, no order and no time",
  async () => {
    using folder = tempFolder();
    const data = folder.join("data");
    const busy = folder.join("busy.ts");
    writeFileSync(busy, BUSY_STRATEGY);
    const market = ["--seed", `${SEED}`, "--speed", `${SPEED}`, "--symbols", SYMBOLS.join(",")];
    await using up = Up.start(data, [...market, "--strategy", "sma-cross", "--strategy", busy]);
    await up.until(() => journalFacts(data, "busy").cursors.length === SYMBOLS.length, 30_000, "busy to decide");
    await isBack(up);
    await using ear = await TradingEar.open(data, ["sma-cross", "busy"]);
    await eventually(() => ear.candles.length > 0 && ear.told.has("busy"), 10_000, "the nodes to be heard");

    const phases: Phase[] = [];
    const phase = async (name: string, run: () => Promise<string>) => {
      const fromMs = Date.now();
      const note = await run();
      phases.push({ name, fromMs, toMs: Date.now(), note });
    };
    await phase("well", () => Bun.sleep(CALM_MS).then(() => ""));
    await phase("killed", () => killTwice(up));
    await phase("stopped", () => stopForAWhile(up));
    await phase("flooded", () => flood(up));
    await phase("well again", () => Bun.sleep(AFTER_MS).then(() => ""));

    const through = (await publishedThrough(data)) + SYMBOLS.length;
    for (const runner of ["sma-cross", "busy"])
      await eventually(() => journalFacts(data, runner).throughSeq >= through, BACK_WITHIN_MS, `${runner} goes on`);
    const { anchorExchangeMs, anchorWallMs } = JSON.parse(readFileSync(join(data, "sim.json"), "utf8"));
    up.signalGroup("SIGINT");
    expect(await up.ended).toBe(0);

    const endOf = (exchangeMs: number) => anchorWallMs + (exchangeMs - anchorExchangeMs) / SPEED;
    const decisions = decisionTimes(data, "busy");
    const figures = phases.map((each) => phaseFigures(each, ear, "busy", decisions, endOf));
    console.log(phaseTable(figures));
    for (const each of figures) {
      expect(each.published, `${each.name}: candles go on`).toBeGreaterThan(each.seconds * 3);
      expect(each.orders, `${each.name}: decisions go on`).toBeGreaterThan(each.seconds * 3);
      expect(each.decidedP50, `${each.name}: publish → decided, p50`).toBeLessThan(DECIDED_P50_MS);
      expect(each.decidedP99, `${each.name}: publish → decided, p99`).toBeLessThan(DECIDED_P99_MS);
    }
    await judge(data, busy, ear);
  },
  300_000,
);

/** No candle missed, none other than the market's own, nothing decided twice or otherwise than by a runner that was left alone. */
async function judge(data: string, busy: string, ear: TradingEar): Promise<void> {
  const { rows, gaps } = await storeRows(data);
  const orders = await rowsOf(["orders", "--json", "--data", data]);
  const ids = orders.map((order) => `${order.clientOrderId}`);
  const heard = ear.candles.map(({ commitSeq }) => commitSeq);
  const facts = journalFacts(data, "busy");
  const differences = {
    candles: await againstTruth(rows, SEED),
    "sma-cross": await againstUndisturbed(data, "sma-cross", null, rows),
    busy: await againstUndisturbed(data, "busy", busy, rows),
    digests: facts.cursors.filter(
      ({ symbol, delivered, digest }) => digestChain(rows, symbol, facts.startSeq)[delivered] !== digest,
    ),
    ordersTwice: ids.filter((id, index) => ids.indexOf(id) !== index),
    // From the first that was heard on, each row once and in order.
    wire: heard.filter((commitSeq, index) => index > 0 && commitSeq !== (heard[index - 1] ?? 0) + 1),
    gaps,
  };
  console.log(
    `${rows.length} candles, ${heard.length} heard on the wire, ${orders.length} orders; digests of ${facts.cursors.length} symbols as the market's own list gives them`,
  );
  expect(differences).toEqual({
    candles: [],
    "sma-cross": [],
    busy: [],
    digests: [],
    ordersTwice: [],
    wire: [],
    gaps: 0,
  });
}

async function killTwice(up: Up): Promise<string> {
  const downs: number[] = [];
  for (let round = 0; round < 2; round++) {
    const at = performance.now();
    kill(pidOf(up));
    await eventually(async () => !(await answers(up)), 5000, "the bridge to be gone");
    await isBack(up);
    downs.push(performance.now() - at);
    await Bun.sleep(CALM_MS / 4);
  }
  return `kill -9 twice, back after ${downs.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(" and ")}`;
}

async function stopForAWhile(up: Up): Promise<string> {
  const pid = pidOf(up);
  process.kill(pid, "SIGSTOP");
  try {
    await Bun.sleep(STALL_MS);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  const at = performance.now();
  await isBack(up);
  return `SIGSTOP for ${STALL_MS / 1000} s, answers ${Math.round(performance.now() - at)} ms after SIGCONT`;
}

async function flood(up: Up): Promise<string> {
  const { seconds, readers, deaf, halfOpen } = FLOOD;
  const words = [up.port, seconds, readers, deaf, halfOpen].map(String);
  const file = join(import.meta.dir, "fixtures/bridge-flood.ts");
  // The crowd would be on other machines: here it only gets what nobody else wants of this one.
  const child = Bun.spawn(["nice", "-n", "19", process.execPath, file, ...words], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const pid = pidOf(up);
  const cpuBefore = cpuSeconds(pid);
  let mostBytes = 0;
  const watch = setInterval(() => {
    mostBytes = Math.max(mostBytes, memoryOf(pid));
  }, 250);
  const limit = setTimeout(() => child.kill("SIGKILL"), (seconds + 10) * 1000);
  const met = JSON.parse(await new Response(child.stdout).text()) as FloodMet;
  clearTimeout(limit);
  clearInterval(watch);
  const cpu = (100 * (cpuSeconds(pid) - cpuBefore)) / seconds;
  expect(met.mostOpen).toBeGreaterThan((readers + deaf + halfOpen) * 0.9);
  await isBack(up);
  expect(pidOf(up)).toBe(pid);
  const answered = Object.entries(met.answers).map(([status, count]) => `${count} × ${status}`);
  return `${met.mostOpen} connections at once (${deaf} never read, ${halfOpen} never finish asking): ${answered.join(", ")}, ${met.cut} cut, ${met.events} events in ${met.megabytes} MB; bridge ${cpu.toFixed(0)} % CPU, ${Math.round(mostBytes / 1e6)} MB`;
}

function pidOf(up: Up): number {
  const pid = up.nodes().get("bridge");
  if (pid === undefined) throw new Error(`There is no bridge:\n${up.log}`);
  return pid;
}

/** Resident bytes; 0 where the process has gone. */
function memoryOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

async function answers(up: Up): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${up.port}/readyz`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

/** Serves, and hears the market. */
function isBack(up: Up): Promise<unknown> {
  return up.until(() => answers(up), BACK_WITHIN_MS, "the bridge to be ready");
}
