import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import { HOSTILE } from "../bridge/hostile-requests.ts";
import { raw } from "../bridge/raw-http.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, type Running, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

const root = tempFolder();
const DATA = root.join("data");
const data = ["--data", DATA];
const SECRETS = { token: "tOkEn-0123456789-bridge", apiKey: "kEy-0123456789-venue", secret: "sEcReT-0123456789-venue" };
const headers = { authorization: `Bearer ${SECRETS.token}` };
const LIMITS =
  "--max-position 1 --max-notional none --max-orders-per-minute 50 --max-daily-loss none --price-collar none";
const nodes: Record<string, Running> = {};
let port = 0;
/** A logged-in browser's. */
let cookie = "";

/** A real fabric that trades live at the simulated exchange, with keys of its own, and a bridge with a token. */
beforeAll(async () => {
  mkdirSync(DATA);
  const keys = root.join("venue.keys");
  writeFileSync(keys, `${SECRETS.apiKey}\n${SECRETS.secret}\n`, { mode: 0o600 });
  writeFileSync(root.join("bridge.token"), `${SECRETS.token}\n`, { mode: 0o600 });
  const symbols = ["--symbols", "BTCUSDT,ETHUSDT"];
  nodes.sim = start(["sim", "--port", "0", "--speed", "60", "--venue-keys", keys, ...symbols, ...data]);
  const [, address] = await nodes.sim.says(/ws(:\/\/127\.0\.0\.1:\d+)/);
  nodes.market = start(["market-data", "--feed", "sim", ...symbols, ...data]);
  const live = ["--broker", "binance", "--live", ...LIMITS.split(" "), "--symbols", "BTCUSDT"];
  nodes.runner = start(["runner", "--strategy", "sma-cross", "--params", "fast=1,slow=2", ...live, ...data], {
    env: { FABRIC_RUNNER__BROKER_URL: `http${address}`, FABRIC_RUNNER__KEY_FILE: keys, FABRIC_LOG_LEVEL: "debug" },
  });
  nodes.bridge = start(["bridge", "--port", "0", "--token-file", root.join("bridge.token"), ...data], {
    env: { FABRIC_LOG_LEVEL: "debug" },
  });
  port = Number((await nodes.bridge.says(/Dashboard on http:\/\/127\.0\.0\.1:(\d+)\//))[1]);
  const traded = async () => {
    const orders = JSON.parse((await fabric(["orders", "--runner", "sma-cross", "--json", ...data])).out);
    return orders.some(({ status }: { status: string }) => status === "filled");
  };
  await eventually(traded, 40_000, "an order filled at the venue");
  const body = new URLSearchParams({ token: SECRETS.token });
  const login = await fetch(`http://127.0.0.1:${port}/login`, { method: "POST", body, redirect: "manual" });
  cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  expect(cookie).toMatch(/^fabric-session-0=[0-9a-f]{64}$/);
}, 60_000);

afterAll(async () => {
  for (const each of Object.values(nodes)) await each[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});

/** The names of the secrets that a text holds. */
function secretsIn(text: string): readonly string[] {
  const all = { ...SECRETS, session: cookie.split("=")[1] ?? "" };
  return Object.entries(all).flatMap(([name, secret]) => (text.includes(secret) ? [name] : []));
}

async function get(path: string, more: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { headers: { ...headers, ...more }, redirect: "manual" });
}

describe("The keys of a live runner, the bridge's token and a browser's session", () => {
  test("are in nothing that the bridge serves, to one who may read and to one who may not", async () => {
    const paths = [
      "/",
      "/assets/app.js",
      "/assets/style.css",
      "/healthz",
      "/readyz",
      "/metrics",
      "/api",
      "/grafana.json",
    ];
    paths.push("/login", "/logout", "/login.css", "/nowhere", "/api/telemetry/snapshot", "/api/snapshot", "/api/nodes");
    paths.push(
      "/api/positions",
      "/api/orders",
      "/api/fills",
      "/api/decisions",
      "/api/metrics",
      "/api/logs",
      "/api/rails",
    );
    paths.push("/api/scan", "/api/gaps?symbol=BTCUSDT", "/api/candles?symbol=BTCUSDT", "/api/indicators");
    for (const path of paths) {
      for (const shown of [headers, { cookie }, {}]) {
        const reply = await fetch(`http://127.0.0.1:${port}${path}`, { headers: shown, redirect: "manual" });
        expect([path, secretsIn(`${JSON.stringify([...reply.headers])}${await reply.text()}`)]).toEqual([path, []]);
      }
    }
    const wrong = await get("/readyz", { authorization: "Bearer s0me-0ther-t0ken-that-is-wrong" });
    expect(await wrong.text()).not.toContain("s0me-0ther");
  });

  test("are in no event of the stream, snapshot and what follows", async () => {
    const stream = await get("/api/telemetry/stream");
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (/event: positions[\s\S]*event: logs/.test(text) && text.split("event: health").length > 12) break;
    }
    expect(text).toContain('"mode":"live"');
    expect(secretsIn(text)).toEqual([]);
  }, 20_000);

  test("are in no message on any node's socket", async () => {
    const texts: string[] = [];
    const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
    const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const sockets = readdirSync(`${DATA}/run`).filter((name) => name.endsWith(".ipc"));
    const subscriber = await ZmqSubscriber.open(
      {
        endpoints: { connect: sockets.map((name) => `ipc://${DATA}/run/${name}`) },
        filters: [{ prefix: "" }],
        onMessage: ({ topic, body }) => texts.push(`${topic} ${body}`),
      },
      { backend: zmqBackend, clock, log: quiet },
    );
    const heard = (start: string) => texts.some((text) => text.startsWith(start));
    const starts = ["health.sma-cross", "health.bridge", "metrics", "positions", "logs.bridge"];
    await eventually(async () => {
      await get("/readyz", { authorization: "Bearer s0me-0ther-t0ken-that-is-wrong" });
      return starts.every((start) => heard(`telemetry.${start} `));
    }, 15_000);
    expect(texts.join("\n")).toContain("A wrong token was shown");
    await subscriber.close();
    expect(secretsIn(texts.join("\n"))).toEqual([]);
  }, 20_000);

  test("are in no log, no command line of a process, and no file of the data folder", async () => {
    for (const [name, node] of Object.entries(nodes)) {
      expect([name, secretsIn(node.err() + node.out())]).toEqual([name, []]);
      if (process.platform === "linux")
        expect([name, secretsIn(readFileSync(`/proc/${node.pid}/cmdline`, "latin1"))]).toEqual([name, []]);
    }
    let files = 0;
    for (const path of readdirSync(DATA, { recursive: true, encoding: "utf8" })) {
      if (!statSync(`${DATA}/${path}`).isFile()) continue;
      files++;
      expect([path, secretsIn(readFileSync(`${DATA}/${path}`, "latin1"))]).toEqual([path, []]);
    }
    expect(files).toBeGreaterThan(5);
    for (const words of [
      ["status", "--json"],
      ["doctor", "--json"],
      ["orders", "--json"],
      ["positions", "--json"],
    ]) {
      const { out, err } = await fabric([...words, ...data]);
      expect([words[0], secretsIn(out + err)]).toEqual([words[0], []]);
    }
  }, 30_000);
});

test("The real bridge outlives every hostile request, keeps serving, and the runner trades on as if nothing was", async () => {
  const orders = async () =>
    JSON.parse((await fabric(["orders", "--runner", "sma-cross", "--json", ...data])).out).length;
  const before = await orders();
  for (const [what, bytes, statuses] of HOSTILE) {
    const reply = await raw(port, bytes, 150);
    expect([what, statuses]).toEqual([what, expect.arrayContaining([reply.status])]);
  }
  const open = Array.from({ length: 2000 }, () =>
    raw(port, "GET /api/telemetry/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nX:", 3000),
  );
  for (let i = 0; i < 20; i++) expect((await get("/api/telemetry/snapshot")).status).toBe(200);
  await Promise.all(open);
  expect((await get("/healthz")).status).toBe(200);
  expect(nodes.bridge?.process.exitCode).toBeNull();
  expect(nodes.bridge?.err()).not.toMatch(/error:|Error:|\n\s+at /);
  await eventually(async () => (await orders()) > before, 20_000, "the runner's next order");
  expect(nodes.runner?.err()).not.toContain("error:");
}, 60_000);
