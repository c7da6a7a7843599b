import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import type { DashboardAssets } from "../../src/bridge/contract.ts";
import { bridgeFixture, type Fixture, listen } from "../bridge/bridge-fixture.ts";
import { buildDashboard } from "../bridge/dashboard-assets.ts";
import { FabricSource } from "../bridge/fabric-source.ts";
import { eventually } from "../support/eventually.ts";

setDefaultTimeout(60_000);

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const GZIP_BUDGET_BYTES = 250_000;
/** Where pictures go, if anyone wants them. */
const PICTURES = process.env.DASHBOARD_PICTURES;

const present = existsSync(CHROMIUM);
if (!present) console.warn(`SKIPPED: the dashboard's browser tests need ${CHROMIUM} (apt-get install chromium)`);
const inBrowser = test.skipIf(!present);

let assets: DashboardAssets & { readonly gzipBytes: number };
let browser: Browser | null = null;

beforeAll(async () => {
  assets = await buildDashboard();
  if (present) browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
});

afterAll(async () => {
  await browser?.close();
});

/** A bridge fed by a generated fabric, one second of it every 200 ms. */
class Stage implements AsyncDisposable {
  readonly source = new FabricSource();
  readonly problems: string[] = [];
  readonly requests: string[] = [];
  bridge: Fixture;
  page!: Page;
  #server: ReturnType<typeof listen>;
  #feeding: ReturnType<typeof setInterval> | null = null;
  #life = 1;

  constructor() {
    this.bridge = this.#newBridge();
    this.#server = listen(this.bridge.app);
    this.feed();
  }

  get url(): string {
    return this.#server.url;
  }

  feed(): void {
    const second = () => this.source.second((topic, body) => this.bridge.hub.ingest(topic, body));
    second();
    this.#feeding ??= setInterval(second, 200);
  }

  starve(): void {
    if (this.#feeding) clearInterval(this.#feeding);
    this.#feeding = null;
  }

  async killBridge(): Promise<void> {
    await this.#server.stop();
    await this.bridge.hub.close();
  }

  startBridge(): void {
    this.bridge = this.#newBridge();
    this.#server = listen(this.bridge.app, this.#server.port);
  }

  async open(
    size: { width: number; height: number },
    colorScheme: "dark" | "light" = "dark",
    view = "market",
  ): Promise<Page> {
    if (!browser) throw new Error("No browser");
    this.page = await browser.newPage({ viewport: size, colorScheme });
    this.page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.problems.push(message.text());
    });
    this.page.on("pageerror", (error) => this.problems.push(error.message));
    this.page.on("request", (request) => this.requests.push(request.url()));
    await this.page.goto(`${this.url}/#/${view}`);
    return this.page;
  }

  async picture(name: string): Promise<void> {
    if (!PICTURES) return;
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.starve();
    await this.page?.close();
    await this.killBridge();
  }

  #newBridge(): Fixture {
    return bridgeFixture({ assets, candles: this.source, epoch: `life${this.#life++}` });
  }
}

const textOf = async (found: Locator) => (await found.textContent()) ?? "";
const state = (page: Page) => page.locator(".banner").getAttribute("data-state");

test("The whole page is below its budget of 250 kB, compressed.", () => {
  expect(assets.gzipBytes).toBeLessThan(GZIP_BUDGET_BYTES);
});

inBrowser("Each view shows what it is for, live, and asks nobody but the bridge.", async () => {
  await using stage = new Stage();
  const page = await stage.open({ width: 1280, height: 800 });
  await eventually(async () => (await state(page)) === "live");
  await page.locator(".chart-box canvas").first().waitFor();
  const legend = page.locator(".legend");
  const before = await textOf(legend);
  await eventually(async () => (await textOf(legend)) !== before, 5000, "the chart's newest candle moves on");
  await page.locator(".lines li", { hasText: "sma-cross fast" }).waitFor();
  await page.locator(".chip", { hasText: "ETHUSDT" }).click();
  await eventually(async () => (await textOf(legend)).startsWith("ETHUSDT"));
  expect(page.url()).toEndWith("#/market/ETHUSDT/1m");
  await page.locator(".segments button", { hasText: /^5m$/ }).click();
  await eventually(async () => (await textOf(legend)).startsWith("ETHUSDT5m"));
  await page.keyboard.press("/");
  await page.keyboard.type("btc/usdt");
  await page.keyboard.press("Enter");
  await eventually(async () => (await textOf(legend)).startsWith("BTCUSDT"));

  await page.keyboard.press("2");
  await page.locator('[data-runner="sma-cross"] .decisions tbody tr').first().waitFor();
  await page.locator(".runner .mode-paper").first().waitFor();
  await page.locator(".rails .badge", { hasText: "FALLBACK" }).waitFor();
  await page.locator(".rails .caution", { hasText: "hole after" }).waitFor();

  await page.keyboard.press("3");
  await page.locator(".ranking td", { hasText: "momentum-rank" }).first().waitFor();
  await page.locator(".sorter", { hasText: "Score" }).click();
  expect(await page.locator('th[aria-sort="descending"]').textContent()).toContain("Score");

  await page.keyboard.press("4");
  for (const node of ["sim", "market-data", "sma-cross", "channel-breakout", "scanner"]) {
    await page.locator(`[data-node="${node}"]`).waitFor();
  }
  const market = page.locator('[data-node="market-data"]');
  expect(await textOf(market)).toContain("pid 4211");
  await market.locator("canvas").first().waitFor();
  await market.locator("button", { hasText: "figures" }).click();
  await page.locator(".metric-name", { hasText: "store.lastCommitMs" }).waitFor();

  await page.keyboard.press("5");
  stage.source.log("sma-cross", "error", "A line to be found");
  await page.locator(".level-error", { hasText: "A line to be found" }).waitFor();
  await page.locator("button", { hasText: "Pause" }).click();
  await page.locator("button", { hasText: /Resume · \d+ waiting/ }).waitFor();

  expect(stage.requests.filter((url) => !url.startsWith(stage.url) && !url.startsWith("data:"))).toEqual([]);
  expect(stage.problems).toEqual([]);
});

inBrowser(
  "When the market falls silent its values turn stale within five seconds, and come back when it returns.",
  async () => {
    await using stage = new Stage();
    const page = await stage.open({ width: 1280, height: 800 });
    await eventually(async () => (await state(page)) === "live");
    stage.source.silent.add("market-data");
    await eventually(async () => (await state(page)) === "stale", 5000, "the banner says stale");
    expect(await textOf(page.locator(".banner"))).toContain("Stale since");
    expect(await page.locator(".is-stale-chart").count()).toBe(1);
    await stage.picture("stale-1280");
    await page.keyboard.press("4");
    const node = page.locator('[data-node="market-data"]');
    expect(await textOf(node)).toContain("STALE");
    expect(await textOf(page.locator('[data-node="sma-cross"]'))).not.toContain("STALE");
    stage.source.silent.clear();
    await eventually(async () => (await state(page)) === "live");
    expect(await textOf(node)).not.toContain("STALE");
    expect(stage.problems).toEqual([]);
  },
);

inBrowser("When everything falls silent nothing on the page stays fresh.", async () => {
  await using stage = new Stage();
  const page = await stage.open({ width: 1280, height: 800 }, "dark", "nodes");
  await eventually(async () => (await state(page)) === "live");
  stage.starve();
  await eventually(async () => (await page.locator(".node.is-stale").count()) === 5, 6000, "every node is stale");
  await page.keyboard.press("2");
  expect(await page.locator(".runner:not(.is-silent)").count()).toBe(0);
  expect(await page.locator(".rails .tone-good").count()).toBe(0);
});

inBrowser("When the bridge dies the page says so, and when it is back the page goes on without a reload.", async () => {
  await using stage = new Stage();
  const page = await stage.open({ width: 1280, height: 800 });
  await eventually(async () => (await state(page)) === "live");
  await page.evaluate("window.neverReloaded = true");
  await stage.killBridge();
  await eventually(async () => (await state(page)) === "lost", 5000, "the banner says reconnecting");
  await stage.picture("lost-1280");
  stage.startBridge();
  await eventually(async () => (await state(page)) === "live", 15_000, "the page is live again");
  const legend = page.locator(".legend");
  const before = await textOf(legend);
  await eventually(async () => (await textOf(legend)) !== before, 5000, "candles move again");
  expect(await page.evaluate("window.neverReloaded")).toBe(true);
  const unexpected = stage.problems.filter(
    (text) => !/ERR_(INCOMPLETE_CHUNKED_ENCODING|CONNECTION_REFUSED)/.test(text),
  );
  expect(unexpected).toEqual([]);
});

for (const [width, height, scheme] of [
  [1280, 800, "dark"],
  [1280, 800, "light"],
  [390, 844, "dark"],
  [390, 844, "light"],
] as const) {
  inBrowser(`At ${width} × ${height}, ${scheme}, nothing is wider than the screen on any view.`, async () => {
    await using stage = new Stage();
    const page = await stage.open({ width, height }, scheme);
    await eventually(async () => (await state(page)) === "live");
    await page.locator(".chart-box canvas").first().waitFor();
    await eventually(async () => (await page.locator(".lines li").count()) > 0);
    for (const [i, view] of ["market", "strategies", "scanner", "nodes", "logs"].entries()) {
      await page.keyboard.press(`${i + 1}`);
      await page.locator(`.page-${view}`).waitFor();
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      await stage.picture(`${view}-${scheme}-${width}`);
    }
    expect(stage.problems).toEqual([]);
  });
}

inBrowser("A bridge that hears nobody says what to do.", async () => {
  await using stage = new Stage();
  stage.starve();
  await stage.killBridge();
  stage.startBridge();
  const page = await stage.open({ width: 1280, height: 800 });
  await eventually(async () => (await state(page)) === "wait");
  expect(await textOf(page.locator(".chart-note"))).toContain("Waiting for the first candle");
  await stage.picture("empty-1280");
  for (const [key, command] of [
    ["2", "fabric runner --strategy sma-cross"],
    ["3", "fabric scanner"],
    ["4", "fabric up"],
    ["5", "fabric up"],
  ] as const) {
    await page.keyboard.press(key);
    await page.locator(".empty code", { hasText: command }).waitFor();
  }
  expect(stage.problems).toEqual([]);
});
