import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { foreignOrigin } from "../../src/bridge/origin.ts";
import { ANY_ADDRESS, LOOPBACK_HOSTS } from "../../src/bridge/security.ts";
import { bearer, guarded, TOKEN } from "./security-support.ts";

const OPEN = { token: null } as const;
const PATHS = ["/", "/healthz", "/readyz", "/api/telemetry/snapshot", "/api/telemetry/stream", "/nowhere"];

/** The status for a request with those headers to a bridge without a token. */
async function statusOf(path: string, headers: Record<string, string>, method = "GET"): Promise<number> {
  return (await guarded(OPEN).ask(path, { method, headers })).status;
}

describe("A page of another site that asks the bridge of this machine", () => {
  for (const origin of [
    "https://evil.example",
    "http://evil.example:8080",
    "http://localhost:3000",
    "http://localhost.evil.example:8080",
    "http://evil.example/http://localhost:8080",
    "http://localhost:8080@evil.example",
    "null",
    "file://",
    "",
    "chrome-extension://abcdefgh",
  ]) {
    test(`is refused by its Origin "${origin}", on every path and with every method`, async () => {
      for (const path of PATHS)
        for (const method of ["GET", "POST", "OPTIONS"])
          expect([path, method, await statusOf(path, { host: "localhost:8080", origin }, method)]).toEqual([
            path,
            method,
            403,
          ]);
    });
  }

  for (const site of ["cross-site", "same-site", "anything-new"]) {
    test(`is refused by Sec-Fetch-Site: ${site}, whatever else it pretends`, async () => {
      for (const path of PATHS) expect(await statusOf(path, { "sec-fetch-site": site })).toBe(403);
      const frame = { "sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" };
      expect(await statusOf("/", frame)).toBe(403);
      const link = { ...frame, "sec-fetch-dest": "document" };
      expect(await statusOf("/api/telemetry/snapshot", link)).toBe(403);
      expect(await statusOf("/", link, "POST")).toBe(403);
    });
  }

  test("may hold a link to the dashboard that a person follows", async () => {
    const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    expect(await statusOf("/", link)).toBe(200);
  });

  test("cannot log anybody in or out, token or not", async () => {
    const { ask, gate } = guarded();
    for (const path of ["/login", "/logout"]) {
      const reply = await ask(path, {
        method: "POST",
        headers: { origin: "https://evil.example" },
        body: `token=${TOKEN}`,
      });
      expect([reply.status, reply.headers.get("set-cookie")]).toEqual([403, null]);
    }
    expect(gate.counters()).toMatchObject({ "bridge.requests.foreign.total": 2, "bridge.logins.total": 0 });
  });

  test("never gets an answer that names its origin, unless --cors does", async () => {
    const { ask } = guarded(OPEN);
    for (const path of PATHS) {
      const reply = await ask(path, { headers: { origin: "https://evil.example" } });
      for (const [name] of reply.headers) expect(name).not.toStartWith("access-control-");
      expect(reply.headers.get("cross-origin-resource-policy")).toBe("same-origin");
    }
  });
});

describe("The bridge's own pages", () => {
  for (const [host, origin] of [
    ["localhost:8080", "http://localhost:8080"],
    ["127.0.0.1", "http://127.0.0.1"],
    ["[::1]:8080", "http://[::1]:8080"],
    ["LOCALHOST:8080", "http://localhost:8080"],
    ["localhost:8443", "https://localhost:8443"],
  ] as const) {
    test(`are answered: ${origin} at ${host}`, async () => {
      expect(await statusOf("/healthz", { host, origin, "sec-fetch-site": "same-origin" })).toBe(200);
    });
  }

  test("are answered behind a proxy that --allow-host names, whatever Host and port it passes on", async () => {
    const { ask } = guarded({ ...OPEN, proxies: ["Fabric.example.com"] });
    const status = async (headers: Record<string, string>) => (await ask("/healthz", { headers })).status;
    const origin = "https://fabric.example.com";
    expect(await status({ host: "fabric.example.com", origin })).toBe(200);
    expect(await status({ host: "127.0.0.1:8080", origin: `${origin}:8443` })).toBe(200);
    expect(await status({ host: "other.example.com", origin })).toBe(403);
    expect(await status({ host: "fabric.example.com", origin: "https://fabric.example.com.evil.example" })).toBe(403);
  });

  test("are answered at any address of a bridge that listens on all, and a rebound name is not", async () => {
    const { ask } = guarded({ ...OPEN, hosts: [...LOOPBACK_HOSTS, ANY_ADDRESS] });
    const status = async (host: string, origin: string) =>
      (await ask("/healthz", { headers: { host, origin } })).status;
    expect(await status("192.168.1.7:8080", "http://192.168.1.7:8080")).toBe(200);
    expect(await status("192.168.1.7:8080", "http://192.168.1.8:8080")).toBe(403);
    expect(await status("rebound.example:8080", "http://rebound.example:8080")).toBe(403);
  });
});

describe("--cors", () => {
  const origin = "https://grafana.example:3000";

  test("lets the pages of that one origin read, with the token in a header, and says so to browsers", async () => {
    const { ask } = guarded({ cors: origin });
    const asked = { origin, "access-control-request-method": "GET", "access-control-request-headers": "authorization" };
    const preflight = await ask("/api/telemetry/snapshot", { method: "OPTIONS", headers: asked });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, origin]);
    expect(preflight.headers.get("access-control-allow-methods")).toBe("GET, HEAD");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
    const headers = { ...bearer(TOKEN).headers, origin, "sec-fetch-site": "cross-site" };
    const reply = await ask("/api/telemetry/snapshot", { headers });
    expect([reply.status, reply.headers.get("access-control-allow-origin"), reply.headers.get("vary")]).toEqual([
      200,
      origin,
      "Origin",
    ]);
    const denied = await ask("/api/telemetry/snapshot", { headers: { origin } });
    expect([denied.status, denied.headers.get("access-control-allow-origin")]).toEqual([401, origin]);
  });

  test("lets no other origin read, and changes nothing for requests without one", async () => {
    const { ask } = guarded({ cors: origin });
    for (const other of ["https://grafana.example", "http://grafana.example:3000", `${origin}.evil.example`, "null"])
      expect((await ask("/healthz", { method: "OPTIONS", headers: { origin: other } })).status).toBe(403);
    const reply = await ask("/healthz");
    expect([reply.status, reply.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  });
});

test("Whatever Origin is sent, only one that is the bridge's own, a proxy's name or the named one passes", () => {
  const rules = { proxies: ["proxy.example"], cors: "https://cors.example" };
  const from = (origin: string) => foreignOrigin({ ...REQUEST, origin }, rules);
  const host = fc.oneof(
    fc.domain(),
    fc.constantFrom("localhost", "localhost:8081", "localhost:8080.x", "xlocalhost:8080"),
  );
  const near = fc
    .tuple(
      fc.constantFrom("http://", "https://", "ws://", "", "//"),
      host,
      fc.constantFrom("", "/", ":8080", "#", "@localhost:8080"),
    )
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(near, fc.string(), fc.webUrl()), (origin) => {
      fc.pre(!/^https?:\/\/(localhost:8080|proxy\.example(:\d+)?)$/i.test(origin) && origin !== rules.cors);
      expect(from(origin)).not.toBeNull();
    }),
  );
  expect(["http://localhost:8080", "https://proxy.example:8443", "https://cors.example"].map(from)).toEqual([
    null,
    null,
    null,
  ]);
});

const REQUEST = { method: "GET", path: "/", host: "localhost:8080", origin: null, site: null, mode: null, dest: null };
