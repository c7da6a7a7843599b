import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { REQUESTS_PER_ADDRESS } from "../../src/bridge/gate.ts";
import { isLoopback, networkOf } from "../../src/bridge/peer.ts";
import { MAX_HEADER_CHARS, MAX_HEADERS, MAX_URL_CHARS } from "../../src/bridge/request-limits.ts";
import { HUB_LIMITS } from "../../src/bridge/sse-limits.ts";
import { TokenBuckets } from "../../src/bridge/token-buckets.ts";
import { ManualTime } from "./bridge-fixture.ts";
import { guarded, TOKEN } from "./security-support.ts";

const OPEN = { token: null } as const;

describe("Requests of one address", () => {
  test("are bounded: 200 at once, then 50 a second; one more is answered 429 with Retry-After and counted", async () => {
    const { ask, time, gate } = guarded(OPEN);
    const status = async (peer: string) => (await ask("/healthz", {}, peer)).status;
    for (let i = 0; i < REQUESTS_PER_ADDRESS.burst; i++) expect(await status("10.0.0.1")).toBe(200);
    const refused = await ask("/healthz", {}, "10.0.0.1");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await refused.json()).toEqual({ error: "Too many requests from this address: try again in 1 s" });
    expect(await status("10.0.0.2")).toBe(200);
    time.advance(1000);
    const later = [];
    for (let i = 0; i < 60; i++) later.push(await status("10.0.0.1"));
    expect(later.filter((each) => each === 200)).toHaveLength(REQUESTS_PER_ADDRESS.perSecond);
    expect(gate.counters()["bridge.requests.limited.total"]).toBe(11);
  });

  test("are not bounded for this machine's own programs", async () => {
    const { ask } = guarded(OPEN);
    for (const peer of ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
      for (let i = 0; i < 300; i++) expect((await ask("/healthz", {}, peer)).status).toBe(200);
  });

  test("behind a proxy on this machine count for the address that the proxy saw, and what a client claims before it does not", async () => {
    const { ask, logIn, gate } = guarded({ proxies: ["fabric.example.com"] });
    const seen = (address: string) => ({ headers: { "x-forwarded-for": `10.9.9.9, ${address}` } });
    for (let i = 0; i < REQUESTS_PER_ADDRESS.burst; i++) await ask("/healthz", seen("10.0.0.1"));
    expect((await ask("/healthz", seen("10.0.0.1"))).status).toBe(429);
    expect((await ask("/healthz", seen("10.0.0.2"))).status).toBe(200);
    expect((await ask("/healthz", seen("not an address"))).status).toBe(200);
    expect((await ask("/healthz", seen("10.0.0.1"), "10.0.0.3")).status).toBe(200);
    for (let i = 0; i < 20; i++) await logIn(`a-wrong-token-number-${i}`, "127.0.0.1", seen("10.1.0.1").headers);
    expect((await logIn(TOKEN, "127.0.0.1", seen("10.1.0.1").headers)).status).toBe(429);
    expect((await logIn(TOKEN, "127.0.0.1", seen("10.1.0.2").headers)).status).toBe(303);
    expect(gate.counters()["bridge.logins.failed.total"]).toBe(10);
  });

  test("are not told apart by X-Forwarded-For where no proxy is named", async () => {
    const { ask } = guarded(OPEN);
    const headers = { "x-forwarded-for": "10.0.0.1" };
    for (let i = 0; i < 300; i++) expect((await ask("/healthz", { headers })).status).toBe(200);
  });

  test("are counted for a bounded number of addresses: the one unused for longest is forgotten", () => {
    const time = new ManualTime();
    const buckets = new TokenBuckets({ perSecond: 1, burst: 1, keys: 3 }, time);
    expect(["a", "b", "c", "a", "d", "b", "a"].map((key) => buckets.take(key))).toEqual([0, 0, 0, 1, 0, 0, 1]);
    expect(buckets.keys).toBe(3);
  });

  test("that rest for an hour have no more than their burst", () => {
    const time = new ManualTime();
    const buckets = new TokenBuckets({ perSecond: 5, burst: 3, keys: 10 }, time);
    buckets.take("x");
    time.advance(3_600_000);
    expect([1, 2, 3, 4].map(() => buckets.take("x"))).toEqual([0, 0, 0, 1]);
  });

  test("never pass faster than the bucket fills, whatever the times", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (gaps, burst) => {
        const time = new ManualTime();
        const buckets = new TokenBuckets({ perSecond: 4, burst, keys: 10 }, time);
        let passed = 0;
        let spent = 0;
        for (const gap of gaps) {
          time.advance(gap);
          spent += gap;
          const wait = buckets.take("x");
          if (wait === 0) passed++;
          else expect(wait).toBe(1);
          expect(passed).toBeLessThanOrEqual(burst + (spent / 1000) * 4 + 1e-6);
        }
      }),
    );
  });
});

describe("Event streams of one address", () => {
  test("are bounded: one more is answered 503, others still get theirs, and an ended one frees its place", async () => {
    const { ask, hub } = guarded({ ...OPEN, requestLimits: { perSecond: 1000, burst: 1000, keys: 10 } });
    const open = async (peer: string, end = new AbortController()) => {
      const { status } = await ask("/api/stream", { signal: end.signal }, peer);
      return { status, end };
    };
    const streams = [];
    for (let i = 0; i < HUB_LIMITS.clientsPerAddress; i++) streams.push(await open("10.0.0.1"));
    expect([...new Set(streams.map(({ status }) => status))]).toEqual([200]);
    expect((await open("10.0.0.1")).status).toBe(503);
    expect((await open("10.0.0.2")).status).toBe(200);
    for (let i = 0; i < HUB_LIMITS.clientsPerAddress + 1; i++) expect((await open("127.0.0.1")).status).toBe(200);
    streams[0]?.end.abort();
    expect((await open("10.0.0.1")).status).toBe(200);
    expect((await open("10.0.0.1")).status).toBe(503);
    expect(hub.counters()["bridge.clients.refused.total"]).toBe(2);
    void hub.close();
  });
});

describe("An address", () => {
  for (const [address, network] of [
    ["10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["2001:0DB8:0000:0000:0001::", "2001:db8:0:0"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["::1", "0:0:0:0"],
    ["1::", "1:0:0:0"],
  ] as const)
    test(`${address} counts as ${network}`, () => expect(networkOf(address)).toBe(network));

  test("is this machine's where it is loopback in any spelling, and else never", () => {
    for (const own of ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost"])
      expect(isLoopback(own)).toBe(true);
    for (const other of [
      "0.0.0.0",
      "::",
      "10.0.0.1",
      "127.0.0.1.evil.example",
      "1127.0.0.1",
      "localhost.evil",
      "",
      "::ffff:10.0.0.1",
    ])
      expect(isLoopback(other)).toBe(false);
  });
});

describe("A request that is more than the bridge takes", () => {
  test("is answered 414 for its URL, 431 for its headers, 413 for its body, and counted", async () => {
    const { ask, gate } = guarded(OPEN);
    const many = Object.fromEntries(Array.from({ length: MAX_HEADERS + 1 }, (_, i) => [`x-${i}`, "1"]));
    const asked: [string, RequestInit, number][] = [
      [`/${"a".repeat(MAX_URL_CHARS)}`, {}, 414],
      [`/healthz?${"a".repeat(MAX_URL_CHARS)}`, {}, 414],
      ["/healthz", { headers: many }, 431],
      ["/healthz", { headers: { x: "a".repeat(MAX_HEADER_CHARS) } }, 431],
      ["/healthz", { headers: { "content-length": "1" } }, 413],
      ["/healthz", { headers: { "transfer-encoding": "chunked" } }, 413],
      ["/healthz", { headers: { "content-length": "0" } }, 200],
    ];
    for (const [path, init, status] of asked) {
      const reply = await ask(path, init);
      expect(reply.status).toBe(status);
      if (status !== 200) expect(((await reply.json()) as { error: string }).error).toStartWith("Expected");
      expect(reply.headers.get("content-security-policy")).toContain("default-src 'none'");
    }
    expect(gate.counters()["bridge.requests.oversize.total"]).toBe(6);
  });
});
