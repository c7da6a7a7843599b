import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import fc from "fast-check";
import { platform } from "#platform";
import { Access } from "../../src/bridge/access.ts";
import { Gate, LOCAL_GATE } from "../../src/bridge/gate.ts";
import type { Server } from "../../src/core/env.ts";
import { eventually } from "../support/eventually.ts";
import { bridgeFixture, LogBook, listen } from "./bridge-fixture.ts";
import { HOSTILE } from "./hostile-requests.ts";
import { drip, raw, request } from "./raw-http.ts";
import { TOKEN } from "./security-support.ts";

const log = new LogBook();
let bridge: ReturnType<typeof bridgeFixture>;
let server: Server & { readonly url: string };

beforeAll(() => {
  const access = new Access(TOKEN, { ...platform, log });
  bridge = bridgeFixture({ gate: new Gate({ ...LOCAL_GATE, access }, platform) });
  server = listen(bridge.app);
});

afterAll(async () => {
  await bridge.hub.close();
  await server.stop();
});

/** Somebody else is served as ever. */
async function expectServed(): Promise<void> {
  const reply = await fetch(`${server.url}/healthz`, { signal: AbortSignal.timeout(2000) });
  expect(reply.status).toBe(200);
  expect(bridge.log.lines.filter((line) => line.startsWith("error"))).toEqual([]);
}

describe("Over a raw socket", () => {
  for (const [what, bytes, statuses] of HOSTILE) {
    test(`${what} is answered ${statuses.map((each) => each ?? "by silence").join(" or ")}, and others are served`, async () => {
      const reply = await raw(server.port, bytes, 300);
      expect(statuses).toContain(reply.status);
      expect(reply.text).not.toMatch(/root:|uptimeMs.*nodes|Error:|\/src\/|node_modules/);
      await expectServed();
    });
  }

  test("pipelined requests are answered in order; garbage behind them ends the connection", async () => {
    const one = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
    const all = `${one("/healthz")}${one("/readyz")}${one("/healthz")}`;
    const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    expect(statuses((await raw(server.port, all)).text)).toEqual(["200", "401", "200"]);
    const reply = await raw(server.port, `${all}\0\0\0\r\n\r\n`, 1000);
    expect([reply.closed, statuses(reply.text)[0]]).toEqual([true, "200"]);
    await expectServed();
  });

  test("a HEAD gets the head of the answer and no byte more, also of the stream, whose place it does not take", async () => {
    for (const [path, status] of [
      ["/healthz", 200],
      ["/api/telemetry/stream", 401],
      ["/login", 200],
    ] as const) {
      const reply = await raw(server.port, request(`HEAD ${path} HTTP/1.1`));
      expect([reply.status, reply.text.split("\r\n\r\n")[1]]).toEqual([status, ""]);
    }
    const shown = ["Host: 127.0.0.1", `Authorization: Bearer ${TOKEN}`];
    expect((await raw(server.port, request("HEAD /api/telemetry/stream HTTP/1.1", shown))).status).toBe(200);
    expect(bridge.hub.counters()["bridge.clients"]).toBe(0);
  });

  test("whatever bytes come, the bridge answers or drops them and goes on", async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "GET ",
        "POST ",
        "/login",
        "/api/telemetry/stream",
        " HTTP/1.1\r\n",
        "\r\n",
        "\r\n\r\n",
        "Host: 127.0.0.1\r\n",
      ),
      fc.constantFrom(
        "Content-Length: ",
        "Transfer-Encoding: chunked\r\n",
        "Cookie: fabric-session=",
        "Authorization: Bearer ",
        "Origin: ",
        ": ",
        "\0",
      ),
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.nat().map(String),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
        const reply = await raw(server.port, Buffer.from(pieces.join(""), "latin1"), 20);
        expect([200, 303, 400, 401, 403, 404, 405, 408, 411, 413, 414, 429, 431, 505, null]).toContain(reply.status);
      }),
      { numRuns: 150 },
    );
    await expectServed();
  }, 30_000);
});

describe("A slow client", () => {
  const DROP = { drop: "X: y\r\n", everyMs: 500 };
  const shown = `Authorization: Bearer ${TOKEN}\r\n`;

  test("whose head is not whole within ten seconds is dropped, though it goes on writing; so is a login's body, and one that says nothing", async () => {
    const head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    const length = "Content-Length: 1000\r\n\r\n";
    const replies = await Promise.all([
      drip(server.port, head, DROP, 20_000),
      drip(server.port, `${head}X: `, { drop: "y", everyMs: 500 }, 20_000),
      drip(server.port, "G", null, 20_000),
      drip(server.port, "", null, 20_000),
      drip(
        server.port,
        `POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${length}`,
        { drop: "y", everyMs: 500 },
        20_000,
      ),
    ]);
    for (const { closed, status, tookMs } of replies.slice(0, 4)) {
      expect([closed, status]).toEqual([true, null]);
      expect(tookMs).toBeGreaterThan(7000);
      expect(tookMs).toBeLessThan(15_000);
    }
    expect(replies[4]?.status).toBe(408);
    console.log(
      `slow clients: dropped after ${replies.map(({ tookMs }) => `${(tookMs / 1000).toFixed(1)} s`).join(", ")}`,
    );
    await expectServed();
  }, 30_000);

  test("or a thousand of them take nobody else's turn", async () => {
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => halfOpen("GET / HTTP/1.1\r\nHost: ")));
    const stream = await fetch(`${server.url}/api/telemetry/stream`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(stream.status).toBe(200);
    const took: number[] = [];
    for (let i = 0; i < 50; i++) {
      const startedAt = performance.now();
      await expectServed();
      took.push(performance.now() - startedAt);
    }
    await stream.body?.cancel();
    for (const socket of sockets) socket.destroy();
    took.sort((a, b) => a - b);
    console.log(
      `beside 1000 half-open requests: an answer takes ${took[25]?.toFixed(1)} ms at the median, ${took[49]?.toFixed(1)} ms at most`,
    );
    expect(took[25]).toBeLessThan(100);
  }, 30_000);

  test("that goes away in the middle of a login or a stream leaves nothing behind", async () => {
    for (let i = 0; i < 20; i++) {
      (await halfOpen("POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\ntoken=")).destroy();
      (await halfOpen(`GET /api/telemetry/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n${shown}\r\n`)).destroy();
    }
    await eventually(() => bridge.hub.counters()["bridge.clients"] === 0);
    await expectServed();
  });
});

function halfOpen(bytes: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port: server.port, host: "127.0.0.1" }, () => {
      socket.write(bytes, () => resolve(socket));
    });
    socket.on("error", reject);
  });
}
