import { test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { type Browser, type CDPSession, chromium, type Page } from "playwright-core";
import type { View } from "../../src/bridge/dashboard/route.ts";
import { rank } from "../bench/figures.ts";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Nothing of the browser's own may reach out, and it may be root. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const present = existsSync(CHROMIUM);
if (!present) console.warn(`SKIPPED: the dashboard's browser tests need ${CHROMIUM} (apt-get install chromium)`);
/** A test that needs the browser; skipped, and said so, where there is none. */
export const inBrowser = test.skipIf(!present);

/** Null where there is no browser: then `inBrowser` skips. */
export async function launch(): Promise<Browser | null> {
  return present ? chromium.launch({ executablePath: CHROMIUM, args: ARGS }) : null;
}

export type Scheme = "dark" | "light";

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const DESKTOP: Size = { width: 1280, height: 800 };
export const PHONE: Size = { width: 390, height: 844 };

/** Every way in which the views are looked at. */
export const LOOKS = ([DESKTOP, PHONE] as const).flatMap((size) =>
  (["dark", "light"] as const).map((scheme) => ({ size, scheme, name: `${scheme}-${size.width}` })),
);

/** One page of the dashboard, with what it complained of and what it asked for. */
export class Screen implements AsyncDisposable {
  readonly page: Page;
  readonly problems: string[] = [];
  readonly requests: string[] = [];
  readonly #url: string;

  private constructor(page: Page, url: string) {
    this.page = page;
    this.#url = url;
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.problems.push(message.text());
    });
    page.on("pageerror", (error) => this.problems.push(error.message));
    page.on("request", (request) => this.requests.push(request.url()));
  }

  static async open(
    browser: Browser | null,
    url: string,
    look: { readonly size?: Size; readonly scheme?: Scheme; readonly hash?: string; readonly zone?: string } = {},
  ): Promise<Screen> {
    if (!browser) throw new Error("No browser");
    const { size = DESKTOP, scheme = "dark", hash = "", zone = "UTC" } = look;
    const page = await browser.newPage({ viewport: size, colorScheme: scheme, timezoneId: zone });
    const screen = new Screen(page, url);
    await page.goto(`${url}/${hash}`);
    return screen;
  }

  /** What the banner says of the whole page: live, wait, lost or stale. */
  state(): Promise<string | null> {
    return this.page.locator(".banner").getAttribute("data-state");
  }

  async text(selector: string): Promise<string> {
    return (await this.page.locator(selector).first().textContent()) ?? "";
  }

  count(selector: string): Promise<number> {
    return this.page.locator(selector).count();
  }

  /** By its link in the head of the page. */
  async go(view: View): Promise<void> {
    await this.page.locator(`.nav a[href^="#/${view}"]`).click();
    await this.page.locator(`.page-${view}`).waitFor();
  }

  /** Requests to anybody but the bridge that the page is from. */
  foreign(): readonly string[] {
    return this.requests.filter((url) => !url.startsWith(`${this.#url}/`) && !url.startsWith("data:"));
  }

  /** Complaints that no dead bridge explains. */
  unexpected(): readonly string[] {
    return this.problems.filter(
      (text) => !/ERR_(INCOMPLETE_CHUNKED_ENCODING|CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE)/.test(text),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
  }
}

/** First paint and first content of the page as it was loaded, ms from the navigation's start. */
export async function paintMs(page: Page): Promise<{ readonly paint: number; readonly content: number }> {
  const entries = await page.evaluate<{ name: string; startTime: number }[]>(
    "performance.getEntriesByType('paint').map(({ name, startTime }) => ({ name, startTime }))",
  );
  const of = (name: string) => entries.find((entry) => entry.name === name)?.startTime ?? Number.NaN;
  return { paint: of("first-paint"), content: of("first-contentful-paint") };
}

const AXE = new URL("../../node_modules/axe-core/axe.min.js", import.meta.url);

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string | null;
    readonly help: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/** axe-core's violations of the page as it stands: the serious and critical ones in words, and how many lesser ones there are. */
export async function accessibility(
  page: Page,
): Promise<{ readonly grave: readonly string[]; readonly lesser: string[] }> {
  if (!(await page.evaluate<boolean>("'axe' in window"))) await page.evaluate(readFileSync(AXE, "utf8"));
  const { violations } = await page.evaluate<AxeResults>("axe.run(document, { resultTypes: ['violations'] })");
  const isGrave = (impact: string | null) => impact === "serious" || impact === "critical";
  return {
    grave: violations
      .filter(({ impact }) => isGrave(impact))
      .map(({ id, impact, help, nodes }) => {
        const first = nodes[0];
        return `${id} (${impact}, ${nodes.length}): ${help}: ${first?.html.slice(0, 200)} ${first?.failureSummary ?? ""}`;
      }),
    lesser: violations.filter(({ impact }) => !isGrave(impact)).map(({ id, nodes }) => `${id} (${nodes.length})`),
  };
}

/** Starts to note the time between painted frames. */
export async function watchFrames(page: Page): Promise<void> {
  await page.evaluate(`(() => {
    const frames = (window.frameTimes = []);
    let last = performance.now();
    const tick = (now) => {
      frames.push(now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame((now) => { last = now; requestAnimationFrame(tick); });
  })()`);
}

export interface FrameFigures {
  readonly frames: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly most: number;
}

/** Of the frames since it was asked last, ms. */
export async function frameFigures(page: Page): Promise<FrameFigures> {
  const times = await page.evaluate<number[]>("window.frameTimes.splice(0)");
  return {
    frames: times.length,
    p50: rank(times, 0.5),
    p95: rank(times, 0.95),
    p99: rank(times, 0.99),
    most: rank(times, 1),
  };
}

export function framesText({ frames, p50, p95, p99, most }: FrameFigures): string {
  const ms = (value: number) => value.toFixed(1);
  return `${frames} frames, ${ms(p50)} ms p50, ${ms(p95)} p95, ${ms(p99)} p99, ${ms(most)} at most`;
}

export interface Heap {
  readonly megabytes: number;
  readonly nodes: number;
  readonly listeners: number;
}

/** What lives in the page once all garbage is collected. */
export async function heapOf(session: CDPSession): Promise<Heap> {
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN;
  return { megabytes: of("JSHeapUsedSize") / 1e6, nodes: of("Nodes"), listeners: of("JSEventListeners") };
}

/** A session that `heapOf` can ask. */
export async function inspect(page: Page): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.enable");
  await session.send("Performance.enable");
  return session;
}
