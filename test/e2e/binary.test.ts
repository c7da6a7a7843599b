import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Finished } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectRefusal } from "./support-refusal.ts";
import { makeStore } from "./support-store.ts";

const root = tempFolder();
const BINARY = root.join("bin/fabric");
const STORE = root.join("store");
const TOP = resolve(import.meta.dir, "../..");

beforeAll(async () => {
  await makeStore(STORE);
  mkdirSync(root.join("bin"));
  if (process.env.FABRIC) cpSync(resolve(process.env.FABRIC), BINARY);
  else {
    const build = spawnSync(process.execPath, ["build.ts", "--outfile", BINARY], { cwd: TOP, encoding: "utf8" });
    if (build.status !== 0) throw new Error(`The build failed: ${build.stderr}`);
  }
}, 240_000);
afterAll(() => root[Symbol.dispose]());

/** The binary with exactly this environment, its libraries in a cache of this test's. */
function run(words: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Finished {
  const env = options.env ?? { FABRIC_CACHE: root.join("cache") };
  const done = spawnSync(BINARY, words, { cwd: options.cwd ?? root.path, env, encoding: "utf8", timeout: 20_000 });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

const COUNT = ["query", "select count(*) n from candle", "--json", "--data", STORE];
const COUNTED: Finished = { code: 0, out: '[{"n":11}]\n', err: "" };

describe("The compiled binary in a hostile folder", () => {
  test("runs no bunfig.toml, reads no .env and no package.json, and loads no module of that folder", () => {
    const folder = root.join("hostile");
    mkdirSync(join(folder, "node_modules/@duckdb/node-api"), { recursive: true });
    const trap = `require("fs").writeFileSync(${JSON.stringify(join(folder, "pwned"))}, "x");`;
    for (const name of ["trap.js", "index.js", "node_modules/@duckdb/node-api/index.js"])
      writeFileSync(join(folder, name), trap);
    writeFileSync(
      join(folder, "bunfig.toml"),
      'preload = ["./trap.js"]\n[test]\npreload = ["./trap.js"]\n[run]\npreload = ["./trap.js"]\n',
    );
    for (const name of [".env", ".env.local", ".env.production"])
      writeFileSync(
        join(folder, name),
        `FABRIC_DATA=${join(folder, "elsewhere")}\nBUN_OPTIONS=--preload=./trap.js\nFABRIC_CACHE=${folder}\n`,
      );
    writeFileSync(
      join(folder, "package.json"),
      '{"name":"trap","main":"trap.js","imports":{"#platform":"./trap.js","#zmq-backend":"./trap.js"}}',
    );
    writeFileSync(join(folder, "tsconfig.json"), '{"compilerOptions":{"paths":{"*":["./trap.js"]}}}');
    const before = readdirSync(folder);
    expect(run(["--version"], { cwd: folder }).code).toBe(0);
    expect(run(COUNT, { cwd: folder })).toEqual<Finished>(COUNTED);
    expectRefusal(run(["query", "select 1"], { cwd: folder }), 66, `no market store in ${join(folder, "fabric-data")}`);
    expect(readdirSync(folder)).toEqual(before);
  });

  test("is fabric and nothing else, whatever flags of its runtime's it is given", () => {
    for (const words of [["-e", "console.log(1)"], ["--print", "1+1"], ["run", "x.js"], ["--bun"]])
      expectRefusal(run(words), 64, /Unknown (flag|command)/);
  });
});

describe("The compiled binary's libraries", () => {
  test("are unpacked where no HOME and no cache folder is given, and used again", () => {
    for (let round = 0; round < 2; round++) expect(run(COUNT, { env: {} })).toEqual<Finished>(COUNTED);
  });

  test("cannot be unpacked where FABRIC_CACHE may not be written: 74, in one line that says what to do", () => {
    writeFileSync(root.join("plain"), "keep");
    for (const cache of ["/proc/fabric-cache", root.join("plain"), root.join("plain/below")]) {
      const done = run(COUNT, { env: { FABRIC_CACHE: cache } });
      expectRefusal(done, 74, "Cannot unpack the embedded libraries: no cache folder is writable; set FABRIC_CACHE");
      expect(done.err).toContain(`Tried ${cache}/fabric-`);
      const node = run(["bridge", "--port", "0", "--data", root.join("unused")], { env: { FABRIC_CACHE: cache } });
      expectRefusal(node, 74, "Cannot unpack the embedded libraries");
    }
  });

  test("go to the system's temporary folder where home and cache may not be written, and 74 where that may not either", () => {
    mkdirSync(root.join("tmp"));
    const unwritable = { HOME: "/proc/nobody", XDG_CACHE_HOME: "/proc/nobody/cache" };
    expect(run(COUNT, { env: { ...unwritable, TMPDIR: root.join("tmp") } })).toEqual<Finished>(COUNTED);
    expect(readdirSync(root.join("tmp"))).toHaveLength(1);
    const nowhere = run(COUNT, { env: { ...unwritable, TMPDIR: "/proc/nobody/tmp" } });
    expectRefusal(nowhere, 74, /Tried \/proc\/nobody\/cache\/.*, \/proc\/nobody\/\.cache\/.*, \/proc\/nobody\/tmp\//);
  });

  test("are put right where a file in the cache is damaged, and not taken from a link to somebody's folder", () => {
    const cache = root.join("damaged");
    expect(run(COUNT, { env: { FABRIC_CACHE: cache } })).toEqual<Finished>(COUNTED);
    for (const folder of readdirSync(cache)) {
      for (const name of readdirSync(join(cache, folder))) {
        chmodSync(join(cache, folder, name), 0o700);
        writeFileSync(join(cache, folder, name), "not a library");
      }
    }
    expect(run(COUNT, { env: { FABRIC_CACHE: cache } })).toEqual<Finished>(COUNTED);
    const names = readdirSync(cache);
    rmSync(cache, { recursive: true });
    mkdirSync(cache);
    for (const name of names) symlinkSync(tmpdir(), join(cache, name));
    expectRefusal(run(COUNT, { env: { FABRIC_CACHE: cache } }), 74, "expected a folder of our own, found a link");
  });

  test("are unpacked once where four cold processes start at the same time", async () => {
    const env = { FABRIC_CACHE: root.join("race") };
    const racers = Array.from({ length: 4 }, () =>
      Bun.spawn([BINARY, ...COUNT], { env, stdout: "pipe", stderr: "pipe" }),
    );
    for (const racer of racers) {
      const [out, err, code] = await Promise.all([
        new Response(racer.stdout).text(),
        new Response(racer.stderr).text(),
        racer.exited,
      ]);
      expect({ code, out, err }).toEqual<Finished>(COUNTED);
    }
    for (const folder of readdirSync(env.FABRIC_CACHE))
      expect(readdirSync(join(env.FABRIC_CACHE, folder)).filter((name) => name.includes("tmp"))).toEqual([]);
  }, 30_000);
});
