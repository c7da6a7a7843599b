import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import type { Browser, CDPSession } from "playwright-core";
import type { DashboardAssets } from "../../src/bridge/contract.ts";
import { VIEWS } from "../../src/bridge/dashboard/route.ts";
import { buildDashboard } from "../bridge/dashboard-assets.ts";
import { eventually } from "../support/eventually.ts";
import {
  type FrameFigures,
  frameFigures,
  framesText,
  type Heap,
  heapOf,
  inBrowser,
  inspect,
  launch,
  type Screen,
  watchFrames,
} from "./support-browser.ts";
import { Stage } from "./support-stage.ts";

// The dashboard under load: ten thousand log lines, and an hour of events in little more than a minute. Figures are printed; the bounds are
// such that a busy machine keeps them, and a page that draws every line or forgets nothing does not.

setDefaultTimeout(300_000);

const LINES = 10_000;
const LINES_A_BATCH = 100;
const BATCH_MS = 100;
const FRAME_P95_MS = 150;
const FRAME_MOST_MS = 1500;

const HOUR_EVENTS = 3600 * 20;
/** A second of the generated fabric is 19 events, and one or two more in some. */
const HOUR_SECONDS = 3800;
const WARM_SECONDS = 600;
const SAMPLES = 10;
const COMPRESSED_MS = 20;
const HEAP_GROWTH_MEGABYTES = 3;
const NODES_GROWTH = 1000;

let assets: DashboardAssets;
let browser: Browser | null = null;

beforeAll(async () => {
  assets = await buildDashboard();
  browser = await launch();
});

afterAll(async () => {
  await browser?.close();
});

inBrowser(
  "Ten thousand log lines come in, are scrolled through and are filtered, and the page stays smooth",
  async () => {
    await using stage = new Stage(assets, 1000);
    const screen = await stage.open(browser, { hash: "#/logs" });
    const { page } = screen;
    await eventually(async () => (await screen.state()) === "live");
    await watchFrames(page);
    await Bun.sleep(3000);
    const idle = await frameFigures(page);

    const shown = async () =>
      Number(/of ([\d,]+) lines/.exec(await screen.text(".panel-logs"))?.[1]?.replaceAll(",", ""));
    for (let line = 0; line < LINES; line += LINES_A_BATCH) {
      logLines(stage, line, LINES_A_BATCH);
      await Bun.sleep(BATCH_MS);
    }
    await eventually(async () => (await shown()) >= LINES, 20_000, "every line to be there");
    const pouring = await frameFigures(page);
    expect(await screen.text(".log")).toContain(`line ${LINES - 1}:`);

    await page.locator(".log").hover();
    for (let turn = 0; turn < 60; turn++) {
      await page.mouse.wheel(0, turn < 40 ? -4000 : 3000);
      await Bun.sleep(25);
    }
    const scrolling = await frameFigures(page);

    await page.locator(".page-logs [data-search]").pressSequentially("line 77", { delay: 60 });
    await eventually(async () => !(await screen.text(".log")).includes("line 9999:"));
    const filtering = await frameFigures(page);
    await eventually(async () => /line 77\d*:/.test(await screen.text(".log")));

    const drawn = await screen.count(".log .line");
    const figures: Readonly<Record<string, FrameFigures>> = { idle, pouring, scrolling, filtering };
    for (const [name, each] of Object.entries(figures)) console.log(`${name.padEnd(9)} ${framesText(each)}`);
    console.log(`${drawn} of the lines are in the page`);
    for (const [name, each] of Object.entries(figures)) {
      expect(each.p95, `${name}, p95`).toBeLessThan(FRAME_P95_MS);
      expect(each.most, `${name}, longest`).toBeLessThan(FRAME_MOST_MS);
    }
    expect(drawn).toBeLessThan(200);
    expect(screen.problems).toEqual([]);
  },
);

inBrowser("An hour at twenty events a second leaves the heap as it was", async () => {
  await using stage = new Stage(assets, 0);
  // What the page keeps is bounded: lists are full before the first look, so that only what should not grow can.
  for (let line = 0; line < 2 * LINES; line += LINES_A_BATCH) logLines(stage, line, LINES_A_BATCH);
  stage.second();
  const screen = await stage.open(browser);
  const session = await inspect(screen.page);
  await eventually(async () => (await screen.state()) === "live");
  for (let line = 2 * LINES; line < 4 * LINES; line += LINES_A_BATCH) logLines(stage, line, LINES_A_BATCH);

  const before = stage.bridge.hub.counters();
  const startMs = performance.now();
  const heaps: Heap[] = [];
  await hourOf(stage, screen, WARM_SECONDS);
  heaps.push(await look(screen, session));
  for (let sample = 0; sample < SAMPLES; sample++) {
    await hourOf(stage, screen, (HOUR_SECONDS - WARM_SECONDS) / SAMPLES);
    heaps.push(await look(screen, session));
  }
  const tookSeconds = (performance.now() - startMs) / 1000;
  const after = stage.bridge.hub.counters();
  const grew = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
  const megabytes = heaps.map((heap) => heap.megabytes.toFixed(2));
  console.log(
    `${grew("bridge.events.total")} events in ${tookSeconds.toFixed(0)} s, ${grew("bridge.conflated.total")} conflated; heap after garbage collection, MB: ${megabytes.join(" ")}`,
  );
  const [first, last] = [heaps.at(0), heaps.at(-1)];
  console.log(
    `DOM nodes ${first?.nodes} → ${last?.nodes}, listeners ${first?.listeners} → ${last?.listeners}; bound: ${HEAP_GROWTH_MEGABYTES} MB, ${NODES_GROWTH} nodes`,
  );
  expect(grew("bridge.events.total")).toBeGreaterThan(HOUR_EVENTS);
  expect((last?.megabytes ?? 0) - (first?.megabytes ?? 0)).toBeLessThan(HEAP_GROWTH_MEGABYTES);
  expect((last?.nodes ?? 0) - (first?.nodes ?? 0)).toBeLessThan(NODES_GROWTH);
  expect(screen.problems).toEqual([]);
});

/** Some seconds of the fabric, faster than they would pass, while a person goes through the views. */
async function hourOf(stage: Stage, screen: Screen, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    stage.second();
    if (second % 45 === 0) await screen.go(VIEWS[(second / 45) % VIEWS.length] ?? "market");
    await Bun.sleep(COMPRESSED_MS);
  }
}

/** From the same place each time: a chart that was just opened. */
async function look(screen: Screen, session: CDPSession): Promise<Heap> {
  await screen.go("nodes");
  await screen.go("market");
  await screen.page.locator(".chart-box canvas").first().waitFor();
  await eventually(async () => (await screen.text(".legend")).includes("Vol"));
  return heapOf(session);
}

function logLines(stage: Stage, first: number, count: number): void {
  const node = `node-${(first / LINES_A_BATCH) % 5}`;
  const levels = ["info", "info", "info", "warn", "error"] as const;
  const entries = Array.from({ length: count }, (_, i) => ({
    at: Date.now(),
    level: levels[(first + i) % levels.length],
    message: `line ${first + i}: order f${(first + i) * 7919} of BTCUSDT went out after ${(first + i) % 97} ms, nothing else waits`,
  }));
  const envelope = { v: 1, node, epoch: "load", seq: first + 1, sentAt: Date.now() };
  stage.bridge.hub.ingest(`telemetry.logs.${node}`, JSON.stringify({ ...envelope, entries, dropped: 0 }));
}
