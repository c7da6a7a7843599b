import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { platform } from "#platform";
import { readAdvertisement } from "../../src/role/lifecycle/advertisement.ts";
import { percentile } from "../../src/role/lifecycle/process-meter.ts";
import { CALM_AFTER_MS } from "../../src/role/up/child.ts";
import { seeded } from "../execution/support/market.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import {
  againstTruth,
  againstUndisturbed,
  BUSY_STRATEGY,
  digestChain,
  journalFacts,
  publishedThrough,
  rowsOf,
  storeRows,
  wallMsToClose,
} from "./support-kill.ts";
import { kill, Up } from "./support-up.ts";

// kill -9 of every node under `up`, many times, at random moments and right around the closing of minutes. Afterwards candles,
// digests, orders, fills and positions must be those of a market and a runner that nobody disturbed.
// FABRIC_KILL_SEED chooses the market and the moments; FABRIC_KILL_ROUNDS how often.

const SEED = Number(process.env.FABRIC_KILL_SEED ?? 11);
const ROUNDS = Number(process.env.FABRIC_KILL_ROUNDS ?? 3);
const CLOSES = 6 * ROUNDS;
const SPEED = 60;
const MINUTE_MS = 60_000;
const BACK_WITHIN_MS = 15_000;

const random = seeded(SEED);
/** Of each kill: how long until the node worked again, and whether its restarts were calm, or one in a row of deaths. */
const kills: { readonly node: string; readonly inARow: boolean; readonly backMs: number }[] = [];
const lastKillAt = new Map<string, number>();

test.skipIf(process.platform !== "linux")(
  "kill -9 of each node, again and again, changes no candle, no digest and no order",
  async () => {
    using folder = tempFolder();
    const data = folder.join("data");
    const busy = folder.join("busy.ts");
    writeFileSync(busy, BUSY_STRATEGY);
    const market = ["--seed", `${SEED}`, "--speed", `${SPEED}`, "--symbols", "BTCUSDT,ETHUSDT"];
    await using up = Up.start(data, [...market, "--strategy", "sma-cross", "--strategy", busy]);
    await eventually(() => journalFacts(data, "busy").cursors.length === 2, 20_000, "both symbols to be decided on");

    const nodes = ["sim", "market-data", "sma-cross", "busy", "scanner", "bridge"];
    for (let round = 0; round < ROUNDS; round++)
      for (const node of nodes) await killAndWait(up, [node], random() * 800);
    for (let round = 0; round < ROUNDS; round++) await killAndWait(up, nodes, random() * 1000);
    for (let close = 0; close < CLOSES; close++) {
      const offsetMs = -10 + (40 * close) / CLOSES;
      const untilMs = wallMsToClose(data) + offsetMs;
      const victims = close % 2 === 0 ? ["market-data"] : ["market-data", "busy"];
      await killAndWait(up, victims, untilMs + MINUTE_MS / SPEED);
    }

    const settledAt = (await publishedThrough(data)) + 8;
    for (const runner of ["sma-cross", "busy"])
      await eventually(
        () => journalFacts(data, runner).throughSeq >= settledAt,
        BACK_WITHIN_MS,
        `${runner} to catch up`,
      );
    const told = await digestsTold(up);
    up.signalGroup("SIGINT");
    expect(await up.ended).toBe(0);

    const { rows, gaps } = await storeRows(data);
    const orders = await rowsOf(["orders", "--json", "--data", data]);
    const differences = {
      candles: await againstTruth(rows, SEED),
      "sma-cross": await againstUndisturbed(data, "sma-cross", null, rows),
      busy: await againstUndisturbed(data, "busy", busy, rows),
      telemetry: told.filter(({ runner, symbol, delivered, digest }) => {
        const { startSeq } = journalFacts(data, runner);
        return digestChain(rows, symbol, startSeq)[delivered] !== digest;
      }),
      orders: twice(orders.map((order) => `${order.clientOrderId}`)),
    };
    report(rows, orders.length, differences);
    expect(differences).toEqual({ candles: [], "sma-cross": [], busy: [], telemetry: [], orders: [] });
    expect(gaps).toBe(0);
    expect(orders.length).toBeGreaterThan(50);
  },
  600_000,
);

/** Kills the nodes together after a pause, and waits until each has done new work. */
async function killAndWait(up: Up, nodes: readonly string[], pauseMs: number): Promise<void> {
  await eventually(() => nodes.every((node) => up.nodes().has(node)), BACK_WITHIN_MS, `${nodes} to run`);
  const pids = up.nodes();
  const victims = nodes.map((node) => ({ node, pid: pids.get(node) ?? 0 }));
  await Bun.sleep(pauseMs);
  const killedAt = performance.now();
  for (const { node, pid } of victims) if (!kill(pid)) throw new Error(`${node} had died by itself:\n${up.log}`);
  const before = await workOf(up.data);
  await Promise.all(
    victims.map(async ({ node, pid }) => {
      await up.until(() => worksAgain(up, node, pid, before), BACK_WITHIN_MS, `${node} to be back`);
      const inARow =
        killedAt - (lastKillAt.get(node) ?? Number.NEGATIVE_INFINITY) < CALM_AFTER_MS + BACK_WITHIN_MS / 10;
      lastKillAt.set(node, killedAt);
      kills.push({ node, inARow, backMs: performance.now() - killedAt });
    }),
  );
}

interface Work {
  readonly published: number;
  readonly decided: ReadonlyMap<string, number>;
}

async function workOf(data: string): Promise<Work> {
  const decided = ["sma-cross", "busy"].map((runner) => [runner, journalFacts(data, runner).throughSeq] as const);
  return { published: await publishedThrough(data), decided: new Map(decided) };
}

/** Another process that has done its work: candles published or decided, pages served, telemetry heard. */
async function worksAgain(up: Up, node: string, oldPid: number, before: Work): Promise<boolean> {
  const { pid } = readAdvertisement(`${up.data}/run`, platform.files, node) ?? { pid: oldPid };
  if (pid === oldPid) return false;
  const now = await workOf(up.data);
  if (node === "sim") return true;
  if (node === "market-data") return now.published > before.published;
  const decidedBefore = before.decided.get(node);
  if (decidedBefore !== undefined) return (now.decided.get(node) ?? 0) > decidedBefore;
  const told = (await nodesTold(up)).find((each) => each.node === node);
  return told?.health?.pid === pid && told.health.state === "running";
}

interface NodeTold {
  readonly node: string;
  readonly health: { readonly pid: number; readonly state: string } | null;
  readonly metrics: { readonly rails: readonly RailTold[] } | null;
}

interface RailTold {
  readonly symbol: string;
  readonly delivered: number;
  readonly digest: string;
}

async function nodesTold(up: Up): Promise<readonly NodeTold[]> {
  const url = `http://127.0.0.1:${up.port}/api/telemetry/snapshot`;
  const reply = await fetch(url, { signal: AbortSignal.timeout(2000) });
  return ((await reply.json()) as { nodes: NodeTold[] }).nodes;
}

/** The digests that the runners tell of themselves. */
async function digestsTold(up: Up): Promise<readonly (RailTold & { readonly runner: string })[]> {
  const told = (await nodesTold(up)).flatMap(({ node, metrics }) =>
    (metrics?.rails ?? []).map(({ symbol, delivered, digest }) => ({ runner: node, symbol, delivered, digest })),
  );
  const runners = told.filter(({ runner }) => runner !== "scanner");
  if (runners.length !== 4) throw new Error(`Two runners tell of two symbols each, found ${JSON.stringify(told)}`);
  return runners;
}

function twice(ids: readonly string[]): readonly string[] {
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}

function report(
  rows: readonly { readonly provenance: string }[],
  orders: number,
  differences: Readonly<Record<string, readonly unknown[]>>,
): void {
  const lines = [...Map.groupBy(kills, ({ node }) => node)].map(([node, list]) => {
    const alone = list.filter(({ inARow }) => !inARow);
    const repeated = list.filter(({ inARow }) => inARow);
    return `${node.padEnd(12)} ${`${list.length}`.padStart(5)} ${times(alone)} ${times(repeated)}`;
  });
  const kinds = Map.groupBy(rows, (row) => row.provenance);
  const kindsText = [...kinds].map(([kind, list]) => `${list.length} ${kind}`).join(", ");
  const wrong = Object.entries(differences).flatMap(([what, list]) =>
    list.map((each) => `${what}: ${JSON.stringify(each)}`),
  );
  console.log(
    [
      `seed ${SEED}: ${rows.length} candles (${kindsText}), ${orders} orders`,
      "node         kills   alone: working again p50 / max ms   in a row: p50 / max ms",
      ...lines,
      wrong.length === 0 ? "what differed: nothing" : `what differed:\n  ${wrong.slice(0, 20).join("\n  ")}`,
    ].join("\n"),
  );
}

function times(list: readonly { readonly backMs: number }[]): string {
  const sorted = list.map(({ backMs }) => backMs).sort((one, other) => one - other);
  return (list.length === 0 ? "-" : `${percentile(sorted, 0.5)} / ${percentile(sorted, 1)}`).padStart(24);
}
