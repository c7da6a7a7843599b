import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { VIEWS } from "../../src/bridge/dashboard/route.ts";
import { DESKTOP, LOOKS, launch, Screen } from "../slow/support-browser.ts";
import { freePort } from "../slow/support-up.ts";
import { eventually } from "../support/eventually.ts";
import { type Running, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

// Pictures of every view, dark and light, on a desk and on a phone, of a fabric that runs: `bun test/long/screenshots.ts FOLDER`. Without
// FOLDER: README's picture alone. The roles are those of `fabric up`, with two strategies, and a simulated exchange that has a bad day, so that
// there is something to see: minutes that the venue filled, a partial one, a gap. About three minutes.

const SPEED = 60;
const SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT"];
const STRATEGIES = [
  ["sma-cross", "fast=5,slow=15"],
  ["channel-breakout", "entry=20,exit=8"],
] as const;
/** Trades are lost now and then, and connections; what is missing is asked for. */
const BAD_DAY = "drop=0.0005,freeze=0.01:15,cut=0.01";
/** Nothing can be asked for: what was lost meanwhile stays so. */
const WORSE_DAY = "drop=0.05,freeze=0.1:20,rest-down=1";
const FIRST_SECONDS = 60;
/** The exchange is away for some minutes first, which nobody saw. */
const AWAY_MS = 3000;
const WORSE_SECONDS = 26;
const LAST_SECONDS = 40;
const MOST_HEIGHT = 4000;
/** Where the market is looked at. */
const PLACE = "#/market/BTCUSDT/1m";

const folder = process.argv[2];
const browser = await launch();
if (!browser) process.exit(69);
using work = tempFolder();
const data = work.join("data");
const symbols = ["--symbols", SYMBOLS.join(",")];
const running: Running[] = [];
try {
  const port = freePort();
  let sim = run("sim", "--port", "0", "--seed", "3", "--speed", `${SPEED}`, ...symbols, "--bad-day", BAD_DAY);
  run("market-data", "--feed", "sim", "--history", "0", ...symbols);
  for (const [name, params] of STRATEGIES) run("runner", "--strategy", name, "--params", params, ...symbols);
  run("scanner");
  run("bridge", "--port", `${port}`);
  await told(`${FIRST_SECONDS} s of an ordinary bad day`, FIRST_SECONDS);
  for (const [day, seconds] of [
    [WORSE_DAY, WORSE_SECONDS],
    [BAD_DAY, LAST_SECONDS],
  ] as const) {
    await sim.stop();
    if (day === WORSE_DAY) await Bun.sleep(AWAY_MS);
    sim = run("sim", "--port", "0", "--seed", "3", "--speed", `${SPEED}`, ...symbols, "--bad-day", day);
    await told(`${seconds} s with ${day}`, seconds);
  }
  await (folder === undefined
    ? pictureForReadme(`http://127.0.0.1:${port}`)
    : pictures(`http://127.0.0.1:${port}`, folder));
} finally {
  await Promise.all(running.map((each) => each[Symbol.asyncDispose]()));
  await browser.close();
}

function run(role: string, ...words: readonly string[]): Running {
  const child = start([role, ...words, "--data", data]);
  running.push(child);
  return child;
}

async function told(what: string, seconds: number): Promise<void> {
  console.log(what);
  await Bun.sleep(seconds * 1000);
}

async function pictureForReadme(url: string): Promise<void> {
  await using screen = await ready(url, { size: DESKTOP, scheme: "dark" });
  await picture(screen, join(import.meta.dir, "../../.readme/dashboard.png"));
}

async function pictures(url: string, into: string): Promise<void> {
  mkdirSync(into, { recursive: true });
  for (const { size, scheme, name } of LOOKS) {
    await using screen = await ready(url, { size, scheme });
    for (const view of VIEWS) {
      await screen.go(view);
      await screen.page.setViewportSize(size);
      // As high as what is on it, so that nothing that keeps to the screen's edge stands in its middle.
      const height = await screen.page.evaluate<number>("document.documentElement.scrollHeight");
      await screen.page.setViewportSize({ ...size, height: Math.min(height, MOST_HEIGHT) });
      // Graphs draw once they are in sight.
      await Bun.sleep(view === "nodes" ? 6000 : 1500);
      await picture(screen, join(into, `${view}-${name}.png`));
    }
    if (screen.problems.length > 0) console.log(`${name}: ${screen.problems.join("; ")}`);
  }
}

/** The market as it stands: indicators, trades and marks are drawn. */
async function ready(url: string, look: Parameters<typeof Screen.open>[2]): Promise<Screen> {
  const screen = await Screen.open(browser, url, { hash: PLACE, ...look });
  await eventually(async () => (await screen.state()) === "live", 20_000, "the page to be live");
  await eventually(async () => (await screen.text(".lines")).includes("sma-cross"), 10_000, "indicators");
  await eventually(async () => (await screen.count(".facts .fills li")) > 0, 10_000, "fills");
  await Bun.sleep(2000);
  return screen;
}

async function picture(screen: Screen, path: string): Promise<void> {
  await screen.page.screenshot({ path });
  console.log(resolve(path));
}
