import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { REQUESTS_PER_ADDRESS } from "../../src/bridge/gate.ts";
import { fabric, type Running, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectRefusal } from "./support-refusal.ts";

const root = tempFolder();
const TOKEN = "a-token-for-this-test-alone";
const running: Running[] = [];
afterAll(async () => {
  for (const each of running.splice(0)) await each[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});

/** A file with that text and mode. */
function file(name: string, text: string, mode = 0o600): string {
  const path = root.join(name);
  writeFileSync(path, text, { mode });
  return path;
}

/** Starts a bridge in a folder of its own; the port that it got. */
async function bridge(...words: string[]): Promise<{ readonly node: Running; readonly port: number }> {
  const folder = root.join(`data-${running.length}`);
  mkdirSync(folder);
  const node = start(["bridge", "--port", "0", "--data", folder, ...words]);
  running.push(node);
  return { node, port: Number((await node.says(/Dashboard on http:\/\/\S+:(\d+)\//))[1]) };
}

describe("A bridge that other machines could reach", () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.7", "trading.example", "127.0.0.1.example", "0"]) {
    test(`on ${host} is refused with 64 unless --token, --token-file or --insecure says who may read`, async () => {
      using folder = tempFolder();
      const done = await fabric(["bridge", "--host", host], { cwd: folder.path });
      expectRefusal(done, 64, /--token TEXT or --token-file PATH .*, or --insecure/);
      expect(done.err).toContain(`Cannot listen on ${host}, which other machines may reach`);
      expect(readdirSync(folder.path)).toEqual([]);
    });
  }

  test("is refused as fabric up's dashboard, too, before anything starts", async () => {
    using folder = tempFolder();
    const done = await fabric(["up", "--host", "0.0.0.0"], { cwd: folder.path });
    expectRefusal(done, 64, /--token-file PATH .*, or --insecure/);
    expect(readdirSync(folder.path)).toEqual([]);
    const open = await fabric(["up", "--token-file", file("up-open", TOKEN, 0o644)], { cwd: folder.path });
    expectRefusal(open, 77, "has mode 0644");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("answers nobody without its token, anybody with it, and not too often", async () => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.internal === false && each.family === "IPv4")?.address;
    if (address === undefined) return console.error("SKIPPED: this machine has no address but loopback");
    const { port, node } = await bridge("--host", "0.0.0.0", "--token-file", file("token", `${TOKEN}\n`));
    const url = `http://${address}:${port}`;
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/api/telemetry/snapshot`)).status).toBe(401);
    expect((await fetch(`${url}/api/telemetry/snapshot`, { headers })).status).toBe(200);
    expect((await fetch(`${url}/healthz`, { headers: { host: "rebound.example" } })).status).toBe(403);
    const burst = await Promise.all(
      Array.from({ length: 2 * REQUESTS_PER_ADDRESS.burst }, () => fetch(`${url}/healthz`)),
    );
    const limited = burst.filter(({ status }) => status === 429);
    expect(limited.length).toBeGreaterThan(REQUESTS_PER_ADDRESS.burst / 2);
    expect(limited[0]?.headers.get("retry-after")).toBe("1");
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect(node.err()).not.toContain("warn:");
  }, 20_000);

  test("with --insecure answers everybody, and warns of it", async () => {
    const { node, port } = await bridge("--host", "0.0.0.0", "--insecure");
    await node.says(/warn: Everybody who reaches 0\.0\.0\.0 may read everything here/);
    expect((await fetch(`http://127.0.0.1:${port}/api/telemetry/snapshot`)).status).toBe(200);
  });
});

describe("A token", () => {
  test("is asked for on loopback, too, where one is given; typed on the command line it works and is warned of", async () => {
    const { node, port } = await bridge("--token", TOKEN);
    await node.says(/warn: The process list shows the token to the other users of this machine/);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(401);
    expect(
      (await fetch(`http://127.0.0.1:${port}/readyz`, { headers: { authorization: `Bearer ${TOKEN}` } })).status,
    ).toBe(503);
    expect(node.err()).not.toContain(TOKEN);
  });

  const BAD: readonly (readonly [string, () => readonly string[], number, string | RegExp])[] = [
    [
      "that is short",
      () => ["--token", "s3cret"],
      64,
      "Bad --token: expected 16 to 512 visible ASCII characters, found 6",
    ],
    ["with a space", () => ["--token", "s3cret s3cret s3cret"], 64, "Bad --token: expected 16 to 512 visible"],
    ["twice", () => ["--token", TOKEN, "--token-file", "s3cret"], 64, "Take --token or --token-file, not both"],
    ["and none", () => ["--token", TOKEN, "--insecure"], 64, "Take --token or --insecure, not both"],
    ["in no file", () => ["--token-file", root.join("none")], 66, "Cannot read the bridge's token: there is no file"],
    ["in a folder", () => ["--token-file", root.path], 78, "is not a file (token-file)"],
    ["in a file for all", () => ["--token-file", file("all", TOKEN, 0o644)], 77, /has mode 0644, .*; chmod 600 it/],
    ["in a file for a group", () => ["--token-file", file("group", TOKEN, 0o640)], 77, "has mode 0640"],
    ["in an empty file", () => ["--token-file", file("empty", "\n\n")], 78, "expected one line in"],
    ["among others", () => ["--token-file", file("two", `${TOKEN}\ns3cret\n`)], 78, "expected one line in"],
    [
      "that is short, in a file",
      () => ["--token-file", file("short", "s3cret\n")],
      64,
      /Bad token in .*short: expected 16/,
    ],
  ];
  for (const [what, words, code, message] of BAD) {
    test(`${what} is refused with ${code}, and never shown`, async () => {
      using folder = tempFolder();
      const done = await fabric(["bridge", ...words()], { cwd: folder.path });
      expectRefusal(done, code, message);
      expect(done.err).not.toMatch(new RegExp(`s3cret s|s3cret$|${TOKEN}`, "m"));
    });
  }

  test("in the configuration is taken from there, and config show says where it is and not what", async () => {
    using folder = tempFolder();
    writeFileSync(
      folder.join("fabric.toml"),
      `[bridge]\nhost = "0.0.0.0"\ntoken = "${TOKEN}"\nallow-host = ["a.example"]\n`,
    );
    const env = { HOME: folder.path, XDG_CONFIG_HOME: folder.join("xdg") };
    for (const more of [[], ["--json"]]) {
      const shown = await fabric(["config", "show", "--command", "bridge", ...more], { cwd: folder.path, env });
      expect([shown.code, shown.out]).toEqual([
        0,
        expect.stringMatching(/token.*\(not shown\).*fabric\.toml \[bridge\] token/),
      ]);
      expect(shown.out).not.toContain(TOKEN);
    }
    const typed = { ...env, FABRIC_BRIDGE__TOKEN: "s3cret" };
    expectRefusal(await fabric(["bridge"], { cwd: folder.path, env: typed }), 64, "Bad --token: expected 16");
    writeFileSync(folder.join("fabric.toml"), `[bridge]\ntoken = ["${TOKEN}"]\n`);
    const bad = await fabric(["bridge"], { cwd: folder.path, env });
    expectRefusal(bad, 78, "[bridge] token: expected a text or a number, found something else");
    expect(bad.err).not.toContain(TOKEN);
  });
});

describe("A name or origin that cannot be one is refused with 64:", () => {
  for (const words of [
    ["--cors", "*"],
    ["--cors", "null"],
    ["--cors", "https://grafana.example/"],
    ["--cors", "grafana.example"],
    ["--allow-host", "https://fabric.example"],
    ["--allow-host", "fabric.example:8080"],
    ["--allow-host", "*"],
  ]) {
    test(`bridge ${words.join(" ")}`, async () => {
      expectRefusal(await fabric(["bridge", ...words]), 64, `Bad ${words[0]} "${words[1]}": expected`);
    });
  }
});
