import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { platform } from "#platform";
import { Access } from "../../src/bridge/access.ts";
import type { DashboardAssets } from "../../src/bridge/contract.ts";
import { Gate, LOCAL_GATE } from "../../src/bridge/gate.ts";
import type { Server } from "../../src/core/env.ts";
import { bridgeFixture, type Fixture, LogBook, listen } from "../bridge/bridge-fixture.ts";
import { buildDashboard } from "../bridge/dashboard-assets.ts";
import { FabricSource } from "../bridge/fabric-source.ts";
import { TOKEN } from "../bridge/security-support.ts";
import { eventually } from "../support/eventually.ts";

setDefaultTimeout(60_000);

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const present = existsSync(CHROMIUM);
if (!present) console.warn(`SKIPPED: the login's browser tests need ${CHROMIUM} (apt-get install chromium)`);
const inBrowser = test.skipIf(!present);

let assets: DashboardAssets;
let browser: Browser;
let bridge: Fixture;
let server: Server & { readonly url: string };
const source = new FabricSource();
let beat: Timer;

beforeAll(async () => {
  assets = await buildDashboard();
  const access = new Access(TOKEN, { ...platform, log: new LogBook() });
  const gate = new Gate({ ...LOCAL_GATE, access }, platform);
  bridge = bridgeFixture({ assets, candles: source, gate });
  server = listen(bridge.app);
  const ingest = (topic: string, body: string) => bridge.hub.ingest(topic, body);
  source.second(ingest);
  beat = setInterval(() => source.second(ingest), 200);
  // An attacker's name that resolves to this machine: DNS rebinding.
  const rebound = "--host-resolver-rules=MAP evil.example 127.0.0.1";
  const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", rebound];
  if (present) browser = await chromium.launch({ executablePath: CHROMIUM, args });
});

afterAll(async () => {
  clearInterval(beat);
  await browser?.close();
  await bridge.hub.close();
  await server.stop();
});

/** A page of a browser without cookies, and what it complained of. */
async function open(path = "/"): Promise<{ context: BrowserContext; page: Page; complaints: string[] }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`${server.url}${path}`);
  return { context, page, complaints };
}

async function logIn(page: Page, token = TOKEN): Promise<void> {
  await page.getByLabel("The bridge's token").fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
}

inBrowser(
  "A person is asked for the token, told where it is wrong, shown the live dashboard, and logged out",
  async () => {
    const { context, page, complaints } = await open();
    expect(new URL(page.url()).pathname).toBe("/login");
    expect(await page.evaluate(() => getComputedStyle(document.body).maxWidth)).not.toBe("none");
    expect(complaints).toEqual([]);
    await logIn(page, "not the token at all");
    expect(await page.getByRole("alert").textContent()).toBe("That is not this bridge's token.");
    complaints.splice(0);

    await logIn(page);
    await page.waitForURL(`${server.url}/`);
    await eventually(() => bridge.hub.counters()["bridge.clients"] === 1);
    await eventually(async () => (await page.locator("#app").textContent())?.includes("BTCUSDT"), 10_000);
    expect(complaints).toEqual([]);
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" });
    expect(await page.evaluate(() => document.cookie)).toBe("");

    await page.goto(`${server.url}/logout`);
    await page.getByRole("button", { name: "Log out of this bridge" }).click();
    await page.waitForURL(`${server.url}/login`);
    expect(await context.cookies()).toEqual([]);
    await eventually(() => bridge.hub.counters()["bridge.clients"] === 0);
    await context.close();
  },
);

inBrowser("A link on another site opens the dashboard of one who is logged in, without a second login", async () => {
  const other = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response(`<a href="${server.url}/">dashboard</a>`, { headers: { "content-type": "text/html" } }),
  });
  const { context, page } = await open();
  await logIn(page);
  await page.waitForURL(`${server.url}/`);
  await page.goto(`http://evil.example:${other.port}/`);
  await page.getByRole("link").click();
  await eventually(async () => (await page.locator("#app").textContent())?.includes("BTCUSDT"), 10_000);
  await context.close();
  await other.stop(true);
});

inBrowser(
  "A page of another site reads nothing, frames nothing and logs nobody out, though the browser is logged in",
  async () => {
    const attack = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("<h1>attack</h1>", { headers: { "content-type": "text/html" } }),
    });
    const { context, page } = await open();
    await logIn(page);
    await page.waitForURL(`${server.url}/`);
    // Another site, and another port of the same host, which counts as the same site and shares its cookies.
    for (const host of ["evil.example", "127.0.0.1"]) {
      await page.goto(`http://${host}:${attack.port}/`);
      const got = await page.evaluate(async (url) => {
        const read = (init: RequestInit, path = "/api/telemetry/snapshot") =>
          fetch(url + path, init).then(
            async (reply) => `${reply.type} ${reply.status} ${await reply.text()}`,
            () => "failed",
          );
        const loads = (tag: "img" | "script" | "iframe", path: string) =>
          new Promise<string>((resolve) => {
            const element = document.createElement(tag);
            element.onload = () => {
              const frame = element instanceof HTMLIFrameElement ? element.contentDocument?.body?.textContent : "";
              resolve(frame === undefined ? "hidden" : `loaded ${frame}`);
            };
            element.onerror = () => resolve("failed");
            element.src = url + path;
            document.body.append(element);
            setTimeout(() => resolve("failed"), 2000);
          });
        const stream = new Promise<string>((resolve) => {
          const events = new EventSource(`${url}/api/telemetry/stream`, { withCredentials: true });
          events.onopen = () => resolve("opened");
          events.onerror = () => resolve("failed");
        });
        return [
          await read({ credentials: "include" }),
          await read({ credentials: "include", mode: "no-cors" }),
          await read({ credentials: "include", method: "POST", mode: "no-cors" }, "/logout"),
          await loads("img", "/assets/app.js"),
          await loads("script", "/assets/app.js"),
          await loads("iframe", "/"),
          await stream,
        ];
      }, server.url);
      expect([host, got[0], got[3], got[4], got[6]]).toEqual([host, "failed", "failed", "failed", "failed"]);
      expect(["failed", "opaque 0 "]).toContain(got[1] ?? "");
      expect(["failed", "opaque 0 "]).toContain(got[2] ?? "");
      expect(["failed", "hidden", "loaded "]).toContain(got[5] ?? "");
      expect(page.frames().map((frame) => frame.url())).not.toContain(`${server.url}/`);
    }
    await page.goto(`${server.url}/`);
    expect(new URL(page.url()).pathname).toBe("/");
    await context.close();
    await attack.stop(true);
  },
);

inBrowser("A name that an attacker's DNS points at this machine is not answered", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  for (const path of ["/", "/healthz", "/login", "/api/telemetry/snapshot"]) {
    const reply = await page.goto(`http://evil.example:${server.port}${path}`);
    expect([path, reply?.status()]).toEqual([path, 403]);
    expect(await reply?.text()).toContain('does not answer to the host name \\"evil.example');
  }
  await context.close();
});
