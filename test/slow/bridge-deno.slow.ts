import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { HOSTILE } from "../bridge/hostile-requests.ts";
import { drip, raw } from "../bridge/raw-http.ts";
import { denoProgram } from "../deno/deno.ts";
import { deno, type Program } from "../deno/program.ts";
import { tempFolder } from "../support/temp-folder.ts";

const executable = await denoProgram();
const TOKEN = "a-token-for-this-test-alone";
const root = tempFolder();
const headers = { authorization: `Bearer ${TOKEN}` };
let bridge: Program;
let port = 0;

/** Where hyper, the server in Deno, is laxer than Bun: a request that Bun drops, or answers 400, reaches the gate. */
const BESIDES: Readonly<Record<string, readonly (number | null)[]>> = {
  "no Host": [401],
  "bare line feeds": [401],
  "an HTTP/2 preface": [null],
  "a header of 20 KB": [431],
  "a header of 15,500 characters": [200],
};

describe.skipIf(executable === null)("The bridge on Deno", () => {
  beforeAll(async () => {
    mkdirSync(root.join("data"));
    writeFileSync(root.join("token"), TOKEN, { mode: 0o600 });
    const words = ["bridge", "--port", "0", "--token-file", root.join("token"), "--data", root.join("data")];
    bridge = deno(executable ?? "").start("cmd/fabric.ts", words);
    port = Number((await bridge.says(/Dashboard on http:\/\/127\.0\.0\.1:(\d+)\//, 20_000))[1]);
  }, 30_000);

  afterAll(async () => {
    await bridge[Symbol.asyncDispose]();
    root[Symbol.dispose]();
  });

  const get = (path: string, shown: Record<string, string> = headers) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: shown, redirect: "manual" });

  test("asks for the token, logs a browser in and out, and knows its names", async () => {
    expect((await get("/healthz", {})).status).toBe(200);
    expect((await get("/readyz", {})).status).toBe(401);
    expect((await get("/readyz")).status).toBe(503);
    expect((await get("/healthz", { host: "evil.example" })).status).toBe(403);
    expect((await get("/healthz", { origin: "https://evil.example" })).status).toBe(403);
    const body = new URLSearchParams({ token: TOKEN });
    const login = await fetch(`http://127.0.0.1:${port}/login`, { method: "POST", body, redirect: "manual" });
    const cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    expect([login.status, cookie]).toEqual([303, expect.stringMatching(/^fabric-session-0=[0-9a-f]{64}$/)]);
    const stream = await get("/api/telemetry/stream", { cookie });
    expect(stream.status).toBe(200);
    const reader = stream.body?.getReader();
    await reader?.read();
    const out = await fetch(`http://127.0.0.1:${port}/logout`, {
      method: "POST",
      headers: { cookie },
      redirect: "manual",
    });
    expect(out.status).toBe(303);
    await expect(ended(reader)).resolves.toBe(true);
    expect((await get("/readyz", { cookie })).status).toBe(401);
  }, 20_000);

  test("answers or drops every hostile request and goes on", async () => {
    const unexpected: string[] = [];
    for (const [what, bytes, statuses] of HOSTILE) {
      const { status } = await raw(port, bytes, 200);
      if (![...statuses, ...(BESIDES[what] ?? [])].includes(status)) unexpected.push(`${what}: ${status}`);
      expect((await get("/healthz", {})).status).toBe(200);
    }
    expect(unexpected).toEqual([]);
  }, 60_000);

  test("gives up on a login whose body does not come within ten seconds", async () => {
    const head = "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n";
    const reply = await drip(port, head, { drop: "y", everyMs: 500 }, 15_000);
    expect(reply.status).toBe(408);
    expect((await get("/healthz", {})).status).toBe(200);
  }, 20_000);
});

/** Whether a stream ends or breaks off. */
async function ended(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<boolean> {
  try {
    while (reader && !(await reader.read()).done);
  } catch {
    // Broken off.
  }
  return true;
}
