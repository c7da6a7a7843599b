import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FAILURES_IN_ALL, FAILURES_PER_ADDRESS } from "../../src/bridge/access.ts";
import { IN_USE_EVERY_MS } from "../../src/bridge/dashboard/api.ts";
import { MAX_LOGIN_BYTES } from "../../src/bridge/login.ts";
import { SESSION_LIMITS } from "../../src/bridge/sessions.ts";
import { digestOf, isSameDigest } from "../../src/core/secret.ts";
import { healthText } from "./bodies.ts";
import { bearer, cookieOf, guarded, TOKEN } from "./security-support.ts";

const BEHIND = ["/", "/readyz", "/api/telemetry/snapshot", "/api/telemetry/stream", "/api/candles?symbol=BTCUSDT"];
const GUESS = (i: number) => `a-wrong-token-number-${i}`;

describe("With a token", () => {
  test("everything but /healthz and the login is behind it: paths that do not exist, too, and whatever the method", async () => {
    const { ask } = guarded();
    expect((await ask("/healthz")).status).toBe(200);
    for (const path of [
      ...BEHIND,
      "/metrics",
      "/api",
      "/nowhere",
      "/assets/app.js",
      "/healthz/",
      "//healthz",
      "/login/x",
    ]) {
      for (const method of ["GET", "HEAD", "POST", "OPTIONS"]) {
        const reply = await ask(path, { method });
        expect([path, method, reply.status]).toEqual([path, method, 401]);
        expect(reply.headers.get("www-authenticate")).toBe('Bearer realm="fabric"');
        expect(reply.headers.get("cache-control")).toBe("no-store");
      }
    }
  });

  test("the right one in the Authorization header reads, as a program or Prometheus sends it", async () => {
    const { ask } = guarded();
    for (const path of BEHIND) expect((await ask(path, bearer(TOKEN))).status).not.toBe(401);
    expect((await ask("/readyz", { headers: { authorization: `bearer   ${TOKEN}` } })).status).toBe(503);
  });

  for (const shown of [
    "",
    "Bearer",
    "Bearer ",
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Basic ${TOKEN}`,
    TOKEN,
  ]) {
    test(`an Authorization header of "${shown}" does not`, async () => {
      const { ask } = guarded();
      expect((await ask("/readyz", { headers: { authorization: shown } })).status).toBe(401);
    });
  }

  test("a proxy's own password in the Authorization header stands in nobody's way to the login and its session", async () => {
    const { ask, logIn } = guarded();
    const proxied = { authorization: "Basic cHJveHk6c2VjcmV0" };
    expect((await ask("/login", { headers: proxied })).status).toBe(200);
    const headers = { ...proxied, cookie: cookieOf(await logIn(TOKEN, undefined, proxied)) };
    expect((await ask("/api/telemetry/snapshot", { headers })).status).toBe(200);
    const wrong = { ...headers, authorization: "Bearer another-token-than-that" };
    expect((await ask("/api/telemetry/snapshot", { headers: wrong })).status).toBe(401);
  });

  test("a page that only listens stays in its session by asking for itself now and then, and by nothing else", async () => {
    for (const [asks, status] of [[true, 503] as const, [false, 401] as const]) {
      const { ask, logIn, time } = guarded();
      const headers = { cookie: cookieOf(await logIn(TOKEN)) };
      expect((await ask("/api/stream", { headers })).status).toBe(200);
      for (let atMs = 0; atMs < 2 * SESSION_LIMITS.idleMs; atMs += IN_USE_EVERY_MS) {
        time.advance(IN_USE_EVERY_MS);
        if (asks) expect((await ask("/", { method: "HEAD", headers })).status).toBe(200);
      }
      // Past the gate: no market data is heard.
      expect((await ask("/readyz", { headers })).status).toBe(status);
    }
  });

  test("whatever path, method and headers a stranger thinks of, it is never answered with what is behind it", async () => {
    const { ask, hub } = guarded();
    hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
    const part = fc.constantFrom(
      "/",
      "healthz",
      "login",
      "login.css",
      "logout",
      "api",
      "readyz",
      "telemetry/snapshot",
      "%2e%2e",
      "..",
      "//",
      "%2f",
      "?",
      "#",
      ";",
      "%00",
      "\\",
      "A",
    );
    const header = fc.constantFrom(
      "authorization",
      "cookie",
      "x-original-url",
      "x-rewrite-url",
      "x-forwarded-for",
      "x-http-method-override",
      "accept",
    );
    const value = fc.oneof(
      fc.constantFrom(`Bearer ${TOKEN.slice(1)}`, "Bearer", "fabric-session=", "/healthz", "127.0.0.1", "text/html"),
      fc.string({ unit: fc.constantFrom(..."aZ09 =;,/%") }),
    );
    const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "OPTIONS");
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 6 }),
        method,
        fc.dictionary(header, value),
        async (parts, asked, headers) => {
          const reply = await ask(`/${parts.join("")}`, { method: asked, headers }, "10.0.0.1");
          const text = await reply.text();
          expect(text).not.toContain("market-data");
          if (reply.status === 200 && asked !== "HEAD")
            expect(text).toMatch(/^\{"status":"ok"|Log in to fabric|^:root/);
          else if (asked !== "HEAD") expect([303, 401, 403, 405, 411, 413, 429]).toContain(reply.status);
        },
      ),
      { numRuns: 190 },
    );
  });

  test("in the URL it is worth nothing: addresses end up in logs and histories", async () => {
    const { ask } = guarded();
    expect((await ask(`/readyz?token=${TOKEN}&access_token=${TOKEN}`)).status).toBe(401);
  });

  test("a digest of another secret is another, also where it is longer or shorter", () => {
    expect(isSameDigest(digestOf(TOKEN), digestOf(TOKEN))).toBe(true);
    for (const other of ["", TOKEN.slice(1), `${TOKEN}${TOKEN}`])
      expect(isSameDigest(digestOf(other), digestOf(TOKEN))).toBe(false);
    expect(isSameDigest(digestOf(TOKEN).slice(1), digestOf(TOKEN))).toBe(false);
  });
});

describe("A browser", () => {
  const page = { headers: { accept: "text/html,application/xhtml+xml" } };

  test("without a session is sent to the login, whose page has a form and no script, and a policy that allows just that", async () => {
    const { ask } = guarded();
    const sent = await ask("/", page);
    expect([sent.status, sent.headers.get("location")]).toEqual([303, "/login"]);
    const login = await ask("/login", page);
    const html = await login.text();
    expect(login.status).toBe(200);
    expect(html).toContain('<form method="post" action="/login">');
    expect(html).not.toMatch(/<script|<style|\sstyle=|\son\w+=|https?:/i);
    const policy = login.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("form-action 'self'");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/script-src|unsafe/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect((await ask("/login.css")).headers.get("content-type")).toContain("text/css");
  });

  test("that logs in gets a cookie which no script reads and no other site sends; it holds a random secret, not the token", async () => {
    const { logIn, ask } = guarded();
    const [first, second] = [await logIn(TOKEN), await logIn(TOKEN)];
    expect([first.status, first.headers.get("location")]).toEqual([303, "/"]);
    const cookie = first.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^fabric-session=[0-9a-f]{64}; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(TOKEN);
    expect(cookieOf(second)).not.toBe(cookieOf(first));
    for (const reply of [first, second]) {
      expect((await ask("/", { headers: { ...page.headers, cookie: cookieOf(reply) } })).status).toBe(200);
    }
    expect((await ask("/", { headers: { cookie: "fabric-session=0123456789abcdef" } })).status).toBe(401);
  });

  test("that speaks TLS with a proxy gets a cookie for TLS alone", async () => {
    const { logIn } = guarded({ proxies: ["fabric.example.com"] });
    const reply = await logIn(TOKEN, undefined, { origin: "https://fabric.example.com" });
    expect(reply.headers.get("set-cookie")).toContain("; Secure");
  });

  test("that is logged in finds no second login, and goes when it logs out: session, cookie and open streams", async () => {
    const { ask, logIn, hub } = guarded();
    const headers = { cookie: cookieOf(await logIn(TOKEN)) };
    expect((await ask("/login", { headers })).headers.get("location")).toBe("/");
    const stream = (await ask("/api/telemetry/stream", { headers })).body?.getReader();
    expect(hub.counters()["bridge.clients"]).toBe(1);
    expect(await (await ask("/logout", { headers })).text()).toContain('<form method="post" action="/logout">');
    const out = await ask("/logout", { method: "POST", headers });
    expect([out.status, out.headers.get("location")]).toEqual([303, "/login"]);
    expect(out.headers.get("set-cookie")).toContain("Max-Age=0");
    expect((await ask("/readyz", { headers })).status).toBe(401);
    expect(hub.counters()["bridge.clients"]).toBe(0);
    await expect(readAll(stream)).rejects.toThrow("cut off");
    expect((await ask("/logout")).headers.get("location")).toBe("/login");
  });

  test("that follows a link on another site may have a session whose cookie stays behind: it is told to ask again by itself", async () => {
    const { ask } = guarded();
    const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    const reply = await ask("/", { headers: { ...page.headers, ...link } });
    expect([reply.status, reply.headers.get("location")]).toEqual([200, null]);
    expect(await reply.text()).toContain('<meta http-equiv="refresh" content="0; url=/">');
  });

  test("that shows a wrong token, none, or too much is told so on the page and gets no cookie", async () => {
    const { logIn, ask } = guarded();
    for (const [shown, status, said] of [
      ["wrong", 401, "That is not this bridge's token."],
      ["", 400, "Type the bridge's token."],
      [`<script>${TOKEN}`, 401, "That is not this bridge's token."],
      ["x".repeat(MAX_LOGIN_BYTES), 413, "Expected a login of at most 4096 bytes"],
    ] as const) {
      const reply = await logIn(shown);
      const text = await reply.text();
      expect([reply.status, reply.headers.get("set-cookie")]).toEqual([status, null]);
      expect(text).toContain(said);
      expect(text).not.toContain("<script");
    }
    expect((await ask("/login", { method: "POST", body: "token=x" })).status).toBe(411);
  });

  test("that takes longer than ten seconds over a login's few bytes is given up on", async () => {
    const { app, time } = guarded();
    const body = new ReadableStream({ start: (queue) => queue.enqueue(new TextEncoder().encode("tok")) });
    const headers = { "content-length": "20" };
    const reply = app.request("/login", { method: "POST", body, headers, duplex: "half" } as RequestInit);
    await new Promise((resolve) => setImmediate(resolve));
    time.advance(10_000);
    expect((await reply).status).toBe(408);
  });
});

describe("Sessions", () => {
  test("end when unused for a day, and after a week whatever happens; their streams end with them", async () => {
    const { ask, logIn, time, hub } = guarded();
    const status = async (cookie: string) => (await ask("/", { headers: { cookie } })).status;
    const [used, idle] = [cookieOf(await logIn(TOKEN)), cookieOf(await logIn(TOKEN))];
    await ask("/api/telemetry/stream", { headers: { cookie: idle } });
    const halfDay = SESSION_LIMITS.idleMs / 2;
    time.advance(halfDay);
    expect([await status(used), hub.counters()["bridge.clients"]]).toEqual([200, 1]);
    time.advance(halfDay);
    expect(hub.counters()["bridge.clients"]).toBe(0);
    expect([await status(used), await status(idle)]).toEqual([200, 401]);
    for (let halves = 2; halves * halfDay < SESSION_LIMITS.lifeMs; halves++) {
      expect(await status(used)).toBe(200);
      time.advance(halfDay);
    }
    expect(await status(used)).toBe(401);
  });

  test("are bounded: past the bound the one unused for longest ends", async () => {
    const { ask, logIn, gate } = guarded({ sessionLimits: { ...SESSION_LIMITS, sessions: 2 } });
    const cookies = [cookieOf(await logIn(TOKEN)), cookieOf(await logIn(TOKEN))];
    await ask("/readyz", { headers: { cookie: cookies[0] ?? "" } });
    cookies.push(cookieOf(await logIn(TOKEN)));
    const statuses = [];
    for (const cookie of cookies) statuses.push((await ask("/readyz", { headers: { cookie } })).status);
    expect(statuses).toEqual([503, 401, 503]);
    expect(gate.counters()).toMatchObject({ "bridge.sessions": 2, "bridge.logins.total": 3 });
  });

  test("of another life of the bridge are worth nothing", async () => {
    const headers = { cookie: cookieOf(await guarded().logIn(TOKEN)) };
    expect((await guarded().ask("/readyz", { headers })).status).toBe(401);
  });
});

describe("Wrong tokens", () => {
  test("are all wrong, however near: none of two thousand is taken for the right one", async () => {
    const { ask, time } = guarded();
    for (let i = 0; i < 2000; i++) {
      time.advance(30_000);
      expect((await ask("/readyz", bearer(`${TOKEN}${i}`), "10.0.0.1")).status).toBe(401);
    }
  });

  test("are bounded per address: then none is looked at for half a minute, the right one neither, and sessions go on", async () => {
    const { ask, logIn, time, gate, warnings } = guarded();
    const cookie = cookieOf(await logIn(TOKEN, "10.0.0.1"));
    for (let i = 0; i < FAILURES_PER_ADDRESS.burst; i++) {
      expect((await ask("/readyz", bearer(GUESS(i)), "10.0.0.1")).status).toBe(401);
    }
    const refused = await ask("/readyz", bearer(TOKEN), "10.0.0.1");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "30"]);
    const form = await logIn(TOKEN, "10.0.0.1");
    expect([form.status, form.headers.get("set-cookie")]).toEqual([429, null]);
    expect((await ask("/readyz", { headers: { cookie } }, "10.0.0.1")).status).toBe(503);
    expect((await ask("/readyz", bearer(TOKEN), "10.0.0.2")).status).toBe(503);
    time.advance(30_000);
    expect((await ask("/readyz", bearer(TOKEN), "10.0.0.1")).status).toBe(503);
    expect(gate.counters()).toMatchObject({ "bridge.logins.failed.total": 10, "bridge.logins.limited.total": 2 });
    expect(warnings.lines).toEqual(["warn A wrong token was shown"]);
  });

  test("are bounded in all, from however many addresses", async () => {
    const { ask, time } = guarded();
    const statuses = new Set<number>();
    for (let i = 0; i < FAILURES_IN_ALL.burst; i++)
      statuses.add((await ask("/readyz", bearer(GUESS(i)), `10.1.0.${i}`)).status);
    expect([...statuses]).toEqual([401]);
    expect((await ask("/readyz", bearer(GUESS(0.5)), "10.2.0.1")).status).toBe(429);
    time.advance(1000);
    expect((await ask("/readyz", bearer(TOKEN), "10.2.0.1")).status).toBe(503);
  });

  test("shown again and again are refused, and lock nobody out: a scraper with an old token shares an address with a good one", async () => {
    const { ask } = guarded();
    for (let i = 0; i < 500; i++) expect((await ask("/readyz", bearer(GUESS(0)), "127.0.0.1")).status).toBe(401);
    expect((await ask("/readyz", bearer(TOKEN), "127.0.0.1")).status).toBe(503);
  });

  test("of one IPv6 network count together, because a host may have all its addresses", async () => {
    const { ask } = guarded();
    for (let i = 0; i < 10; i++) await ask("/readyz", bearer(GUESS(i)), `2001:db8:0:7::${i.toString(16)}`);
    expect((await ask("/readyz", bearer(TOKEN), "2001:0db8:0000:0007:ffff::1")).status).toBe(429);
    expect((await ask("/readyz", bearer(TOKEN), "2001:db8:0:8::1")).status).toBe(503);
  });
});

test("Without a token there is no login, and nothing takes a POST.", async () => {
  const { ask, hub } = guarded({ token: null });
  hub.ingest("telemetry.health.md", healthText({ seq: 1 }));
  for (const path of ["/login", "/logout", "/login.css"]) {
    expect((await ask(path)).status).toBe(404);
    expect((await ask(path, { method: "POST" })).status).toBe(405);
  }
});

async function readAll(reader: { read(): Promise<{ done: boolean }> } | undefined): Promise<void> {
  while (reader && !(await reader.read()).done);
}
