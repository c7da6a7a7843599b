import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import type { DashboardAssets } from "../../src/bridge/contract.ts";
import { VIEWS } from "../../src/bridge/dashboard/route.ts";
import { buildDashboard } from "../bridge/dashboard-assets.ts";
import { eventually } from "../support/eventually.ts";
import { accessibility, inBrowser, launch, type Screen } from "./support-browser.ts";
import { Stage } from "./support-stage.ts";

// What each view does, on a generated fabric whose every value is known. The real fabric is in browser-up.

setDefaultTimeout(60_000);

const GZIP_BUDGET_BYTES = 250_000;

let assets: DashboardAssets & { readonly gzipBytes: number };
let browser: Browser | null = null;

beforeAll(async () => {
  assets = await buildDashboard();
  browser = await launch();
});

afterAll(async () => {
  await browser?.close();
});

const live = (screen: Screen) => eventually(async () => (await screen.state()) === "live", 10_000, "the page is live");
const shows = (screen: Screen, selector: string, text: string, withinMs = 5000) =>
  eventually(async () => (await screen.text(selector)).includes(text), withinMs, `${text} in ${selector}`);

test("The whole page is below its budget of 250 kB, compressed", () => {
  console.log(`the page: ${(assets.gzipBytes / 1000).toFixed(1)} kB compressed`);
  expect(assets.gzipBytes).toBeLessThan(GZIP_BUDGET_BYTES);
});

inBrowser(
  "Market shows candles that move, their provenance, any timeframe, and the symbol that is searched",
  async () => {
    await using stage = new Stage(assets);
    const screen = await stage.open(browser);
    const { page } = screen;
    await live(screen);
    await page.locator(".chart-box canvas").first().waitFor();
    const before = await screen.text(".legend");
    await eventually(async () => (await screen.text(".legend")) !== before, 5000, "the newest candle moves on");
    await eventually(async () => (await screen.count(".facts .fills li")) > 0, 20_000, "a fill beside the chart");
    const fills = await screen.text(".facts .fills");
    await eventually(
      async () => (await screen.text(".facts .fills")) !== fills,
      20_000,
      "a newer fill beside the chart",
    );
    expect(await screen.text(".marks")).toMatch(/backfilled ?[1-9]/);
    expect(await screen.text(".lines")).toMatch(/sma-cross fast ?[\d,.]+/);

    await page.locator(".segments button", { hasText: /^15m$/ }).click();
    await shows(screen, ".legend", "15m");
    expect(page.url()).toEndWith("/15m");
    await page.locator(".chip", { hasText: "SOLUSDT" }).click();
    await eventually(async () => (await screen.text(".legend")).startsWith("SOLUSDT"));
    expect(page.url()).toEndWith("#/market/SOLUSDT/15m");
    await page.locator("[data-search]").fill("eth/u");
    await page.keyboard.press("Enter");
    await eventually(async () => (await screen.text(".legend")).startsWith("ETHUSDT"));
    expect(page.url()).toContain("ETHUSDT");
    await page.goto(`${stage.url}/#/market/SOLUSDT/1h`);
    await eventually(async () => /^SOLUSDT1h/.test(await screen.text(".legend")), 5000, "what the address says");
    expect(screen.foreign()).toEqual([]);
    expect(screen.problems).toEqual([]);
  },
);

inBrowser(
  "Strategies shows positions, PnL, decisions and why a rail is not fast; who is halted stands first, with the remedy",
  async () => {
    await using stage = new Stage(assets);
    const screen = await stage.open(browser, { hash: "#/strategies" });
    await live(screen);
    for (const word of ["PnL today", "fast average crossed", "filled", "FALLBACK", "hole after"])
      await shows(screen, ".page-strategies", word, 15_000);
    expect(await screen.text(".modes")).toBe("PAPER");
    hear(stage, "telemetry.health.halted-one", "halted-one", {
      ...HEALTH,
      state: "halted",
      reason: "journal and venue disagree on BTCUSDT",
      mode: "live",
    });
    await shows(screen, "[data-runner]", "halted-one");
    expect(await screen.text("[data-runner]")).toMatch(/journal and venue disagree on BTCUSDT/i);
    expect(await screen.text("[data-runner]")).toContain("fabric doctor");
    expect(await screen.text(".modes")).toContain("LIVE MONEY");
    expect(screen.problems).toEqual([]);
  },
);

inBrowser("Scanner is sorted by the head that is pressed, and leads to the symbol's chart", async () => {
  await using stage = new Stage(assets, 0);
  stage.second();
  const screen = await stage.open(browser, { hash: "#/scanner" });
  const { page } = screen;
  const scores = async () =>
    (await page.locator(".ranking tbody .score").allTextContents()).map((text) => Number(text.replace("−", "-")));
  await eventually(async () => (await scores()).length === 9, 5000, "three rules, three symbols");
  for (const direction of [1, -1]) {
    await page.locator("th button", { hasText: "Score" }).click();
    const found = await scores();
    const sorted = [...found].sort((a, b) => a - b);
    const isAscending = found[0] === sorted[0];
    expect(found).toEqual(isAscending ? sorted : sorted.reverse());
    if (direction === -1) expect(await page.locator("th[aria-sort=none]").count()).toBe(5);
  }
  await page.locator("[data-search]").fill("sol");
  await eventually(async () => (await scores()).length === 3);
  await page.locator(".ranking .linkish").first().click();
  await eventually(async () => (await screen.text(".legend")).startsWith("SOLUSDT"));
  expect(screen.problems).toEqual([]);
});

inBrowser("Nodes shows who runs, with figures and graphs, and what to do about who is not well", async () => {
  await using stage = new Stage(assets);
  const screen = await stage.open(browser, { hash: "#/nodes" });
  await live(screen);
  for (const node of ["sim", "market-data", "sma-cross", "channel-breakout", "scanner"])
    await screen.page.locator(`[data-node="${node}"]`).waitFor();
  expect(await screen.text('[data-node="market-data"]')).toContain("pid 4211");
  expect(await screen.text('[data-node="channel-breakout"] .advice')).toContain("fallback rail");
  await screen.page.locator('[data-node="market-data"] canvas').first().waitFor();
  await screen.page.locator('[data-node="market-data"] button[aria-expanded]').click();
  await shows(screen, '[data-node="market-data"]', "close.to.publish.p99.ms");
  expect(screen.problems).toEqual([]);
});

inBrowser("Logs are filtered by level, node and text, and stand still while paused", async () => {
  await using stage = new Stage(assets);
  const screen = await stage.open(browser, { hash: "#/logs" });
  const { page } = screen;
  await live(screen);
  stage.source.log("sma-cross", "error", "A line to be found");
  stage.source.log("scanner", "debug", "A line below the level");
  await shows(screen, ".log", "A line to be found");
  expect(await screen.text(".log")).not.toContain("A line below the level");
  await page.getByLabel("From").selectOption("debug");
  await shows(screen, ".log", "A line below the level");
  await page.getByLabel("Node").selectOption("sma-cross");
  await eventually(async () => !(await screen.text(".log")).includes("market-data"));
  await page.locator("[data-search]").fill("to be FOUND");
  await eventually(async () => (await screen.count(".log .line")) === 1);
  await page.locator("[data-search]").fill("nothing says this");
  await shows(screen, ".page-logs .empty", "No line fits the filter");
  await page.locator("[data-search]").fill("");
  await page.getByLabel("Node").selectOption("");
  await page.getByRole("button", { name: "Pause" }).click();
  const held = await screen.text(".log");
  await page.getByRole("button", { name: /Resume · [1-9]/ }).waitFor();
  expect(await screen.text(".log")).toBe(held);
  await page.getByRole("button", { name: "Resume" }).click();
  await eventually(async () => (await screen.text(".log")) !== held);
  expect(screen.problems).toEqual([]);
});

inBrowser("Times are UTC until local ones are asked for, and theme and zone are remembered", async () => {
  await using stage = new Stage(assets, 0);
  stage.second();
  const screen = await stage.open(browser, { zone: "Asia/Kolkata" });
  const { page } = screen;
  await eventually(async () => (await screen.text(".legend")).includes("2025-01-01"));
  const minuteOf = async () => Date.parse(`${/\d{4}-\d\d-\d\d \d\d:\d\d/.exec(await screen.text(".legend"))?.[0]}Z`);
  const utc = await minuteOf();
  await page.locator(".clock").click();
  await eventually(async () => (await minuteOf()) === utc + 5.5 * 3_600_000, 5000, "Kolkata's time");
  expect(await screen.text(".clock")).toContain("local");
  await page.getByRole("button", { name: "Light theme" }).click();
  await page.reload();
  await page.getByRole("button", { name: "Dark theme" }).waitFor();
  expect(await screen.text(".clock")).toContain("local");
  expect(await page.evaluate<string>("document.documentElement.dataset.theme")).toBe("light");
  expect(screen.problems).toEqual([]);
});

inBrowser(
  "When the market falls silent its values turn stale within five seconds, and come back when it returns",
  async () => {
    await using stage = new Stage(assets);
    const screen = await stage.open(browser);
    await live(screen);
    stage.source.silent.add("market-data");
    await eventually(async () => (await screen.state()) === "stale", 5000, "the banner says stale");
    expect(await screen.text(".banner")).toContain("Stale since");
    await eventually(async () => (await screen.count(".is-stale-chart")) === 1, 1000);
    expect(await screen.count(".chip:not(.is-stale)")).toBe(0);
    await screen.go("nodes");
    expect(await screen.text('[data-node="market-data"]')).toContain("STALE");
    expect(await screen.text('[data-node="sma-cross"]')).not.toContain("STALE");
    stage.source.silent.clear();
    await live(screen);
    expect(await screen.text('[data-node="market-data"]')).not.toContain("STALE");
    expect(screen.problems).toEqual([]);
  },
);

inBrowser(
  "When everything falls silent nothing in any view stays fresh, and every view says how old it is",
  async () => {
    await using stage = new Stage(assets);
    const screen = await stage.open(browser, { hash: "#/nodes" });
    await live(screen);
    stage.starve();
    await eventually(async () => (await screen.count(".node.is-stale")) === 5, 6000, "every node is stale");
    await screen.go("strategies");
    expect(await screen.count("[data-runner]:not(.is-silent)")).toBe(0);
    expect(await screen.count("[data-runner] .age-old")).toBeGreaterThan(0);
    expect(await screen.count(".rails .tone-good")).toBe(0);
    await screen.go("scanner");
    expect(await screen.count(".ranking tbody tr:not(.is-stale)")).toBe(0);
    await screen.go("market");
    expect(await screen.count(".is-stale-chart")).toBe(1);
    expect(await screen.count(".facts .fact:not(.is-stale)")).toBe(0);
  },
);

inBrowser("When the bridge dies the page says so, and when it is back the page goes on without a reload", async () => {
  await using stage = new Stage(assets);
  const screen = await stage.open(browser);
  await live(screen);
  await screen.page.evaluate("window.neverReloaded = true");
  await stage.killBridge();
  await eventually(async () => (await screen.state()) === "lost", 5000, "the banner says reconnecting");
  stage.startBridge();
  await eventually(async () => (await screen.state()) === "live", 15_000, "the page is live again");
  const before = await screen.text(".legend");
  await eventually(async () => (await screen.text(".legend")) !== before, 5000, "candles move again");
  // Another life numbers log lines anew.
  stage.source.log("scanner", "warn", "Heard after the bridge's death");
  await screen.go("logs");
  await shows(screen, ".log", "Heard after the bridge's death");
  expect(await screen.page.evaluate<boolean>("window.neverReloaded")).toBe(true);
  expect(screen.unexpected()).toEqual([]);
});

inBrowser("A bridge that hears nobody says in every view what to do, and axe finds nothing serious there", async () => {
  await using stage = new Stage(assets, 0);
  const screen = await stage.open(browser);
  const remedies = {
    market: "fabric up",
    strategies: "fabric runner --strategy sma-cross",
    scanner: "fabric scanner",
    nodes: "fabric up",
    logs: "fabric up",
  };
  for (const view of VIEWS) {
    await screen.go(view);
    await shows(screen, ".empty code", remedies[view]);
    expect((await accessibility(screen.page)).grave, view).toEqual([]);
  }
  expect(await screen.state()).toBe("wait");
  expect(screen.problems).toEqual([]);
});

const HEALTH = {
  role: "runner",
  pid: 4299,
  version: "0.1.0",
  uptimeMs: 1000,
  state: "running",
  reason: null,
  dataAgeMs: 210,
  mode: "paper",
  details: { strategy: "halted-one" },
};

function hear(stage: Stage, topic: string, node: string, body: object): void {
  const envelope = { v: 1, node, epoch: `e-${node}`, seq: 1, sentAt: Date.now() };
  stage.bridge.hub.ingest(topic, JSON.stringify({ ...envelope, ...body }));
}
