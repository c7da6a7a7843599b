import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import { nodeName } from "../../src/core/symbol.ts";
import { advertise, liveNodes, readAdvertisement } from "../../src/role/lifecycle/advertisement.ts";
import { isAlive } from "../../src/role/lifecycle/alive-lock.ts";
import { dataFolder } from "../../src/role/lifecycle/data-folder.ts";
import { takeNameLock } from "../../src/role/lifecycle/name-lock.ts";
import { takePlace } from "../../src/role/lifecycle/node-place.ts";
import { sweepTemporaries } from "../../src/role/lifecycle/temporaries.ts";
import { listen } from "../e2e/support-wire.ts";
import { keepingLog } from "../store/support.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, type Running, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** What is deleted is back within a second; a busy machine gets more. */
const BACK_WITHIN_MS = 5000;

async function exchange(data: string): Promise<Running> {
  const node = start(["sim", "--port", "0", "--symbols", "BTCUSDT", "--data", data]);
  await node.says(/Listening on/);
  await eventually(() => readAdvertisement(`${data}/run`, platform.files, "sim")?.endpoints.length === 2);
  return node;
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

test("Invariant 10 (any node at any time): a deleted socket is bound anew, and who comes after hears the node", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  await using node = await exchange(data);
  const socket = `${data}/run/sim.ipc`;
  for (let times = 0; times < 3; times++) {
    rmSync(socket);
    await eventually(() => isSocket(socket), BACK_WITHIN_MS, "the socket to be bound anew");
  }
  const heard = await fabric(["tail", "telemetry.health.", "-c", "1", "--json", "--data", data]);
  expect(heard.code).toBe(0);
  expect(JSON.parse(heard.out)).toMatchObject({ node: "sim", state: "running" });
  expect(node.err()).toMatch(/warn: Made again what was gone: ipc:.*sim\.ipc/);
  expect(await node.stop()).toBe(0);
  expect(existsSync(socket)).toBe(false);
});

test("Invariant 10 (any node at any time): a deleted, damaged or foreign advertisement is written again", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  await using node = await exchange(data);
  const path = `${data}/run/sim.json`;
  const told = readFileSync(path, "utf8");
  const isBack = () =>
    eventually(() => existsSync(path) && readFileSync(path, "utf8") === told, BACK_WITHIN_MS, "it to be back");
  rmSync(path);
  await isBack();
  writeFileSync(path, told.slice(0, 20));
  await isBack();
  writeFileSync(path, told.replace(`${node.pid}`, "1"));
  await isBack();
  expect(await node.stop()).toBe(0);
  expect(existsSync(path)).toBe(false);
});

test("Invariants 6 and 10: a deleted run folder is made again with lock, socket and advertisement, and the name stays taken", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  const run = `${data}/run`;
  await using node = await exchange(data);
  for (let times = 0; times < 3; times++) {
    rmSync(run, { recursive: true });
    await eventually(
      () =>
        isSocket(`${run}/sim.ipc`) &&
        readAdvertisement(run, platform.files, "sim")?.pid === node.pid &&
        isAlive(run, "sim", platform.openSqlite),
      BACK_WITHIN_MS,
      "the run folder to be whole",
    );
    expect(statSync(run).mode & 0o777).toBe(0o700);
  }
  expect(liveNodes(run, platform.files, platform.openSqlite).map(({ pid }) => pid)).toEqual([node.pid]);
  const second = await fabric(["sim", "--port", "0", "--symbols", "BTCUSDT", "--data", data]);
  expect([second.code, second.err]).toEqual([77, expect.stringContaining(`process ${node.pid} runs under that name`)]);
  expect(await node.stop()).toBe(0);
  expect(readdirSync(run).sort()).toEqual(["sim.lock", "sim~alive.lock"]);
});

test("Invariant 10 (any node at any time): a socket folder outside a data folder whose path is too long is made again, for us alone", async () => {
  using folder = tempFolder();
  const data = folder.join("d".repeat(90));
  const sockets = folder.join("runtime");
  mkdirSync(sockets);
  const env = { XDG_RUNTIME_DIR: sockets };
  await using node = start(["sim", "--port", "0", "--symbols", "BTCUSDT", "--data", data], { env });
  await node.says(/Listening on/);
  const [own = ""] = readdirSync(sockets);
  rmSync(`${sockets}/${own}`, { recursive: true });
  await eventually(() => isSocket(`${sockets}/${own}/sim.ipc`), BACK_WITHIN_MS, "the socket to be bound anew");
  expect(statSync(`${sockets}/${own}`).mode & 0o777).toBe(0o700);
  const heard = await fabric(["tail", "telemetry.health.", "-c", "1", "--json", "--data", data], { env });
  expect(JSON.parse(heard.out)).toMatchObject({ node: "sim", state: "running" });
  expect(await node.stop()).toBe(0);
});

test("Invariant 10 (any node at any time): a run folder that vanishes in the middle of a node's start is made anew", async () => {
  using folder = tempFolder();
  const place = dataFolder(folder.join("data"));
  const log = keepingLog();
  let times = 0;
  /** Addresses are looked at right before the sockets are bound: just then somebody deletes the folder. */
  const publish = (most: number): readonly string[] =>
    Object.assign([], {
      [Symbol.iterator]() {
        if (times++ < most) rmSync(place.run, { recursive: true });
        return [][Symbol.iterator]();
      },
    });
  const found = takePlace({ name: nodeName("n"), folder: place, publish: publish(2) }, log);
  expect(found).not.toBeNull();
  expect(isSocket(`${place.run}/n.ipc`)).toBe(true);
  expect(found?.alive.keep()).toBe(true);
  expect(isAlive(place.run, "n", platform.openSqlite)).toBe(true);
  expect(log.lines.filter((line) => line.includes("vanished during the start")).length).toBe(2);
  found?.socket.close();
  found?.alive.release();
  found?.lock.release();
  times = 0;
  const never = () => takePlace({ name: nodeName("n"), folder: place, publish: publish(9) }, log);
  expect(never).toThrow(/Cannot bind/);
  platform.files.makeFolder(place.run);
  const free = takeNameLock(place.run, "n", platform.openSqlite);
  expect(free).not.toBeNull();
  free?.release();
});

test("What a dead predecessor advertised goes at the next start, also where the new one cannot advertise itself yet", () => {
  using folder = tempFolder();
  const place = dataFolder(folder.join("data"));
  platform.files.makeFolder(place.run);
  const dead = { role: "sim", pid: 7, version: "0", epoch: "e", startedAt: 1 } as const;
  advertise(place.run, platform.files, { ...dead, node: "n", endpoints: [] });
  const found = takePlace({ name: nodeName("n"), folder: place, publish: [] }, keepingLog());
  expect(readAdvertisement(place.run, platform.files, "n")).toBeNull();
  found?.socket.close();
  found?.lock.release();
});

test("Invariant 6 (one node per name): a node whose name was taken while the run folder was gone ends with 77 and leaves the other's files", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  const run = `${data}/run`;
  await using node = await exchange(data);
  process.kill(node.pid, "SIGSTOP");
  renameSync(run, `${run}.gone`);
  mkdirSync(run, { mode: 0o700 });
  await using other = await exchange(data);
  process.kill(node.pid, "SIGCONT");
  expect(await node.process.exited).toBe(77);
  expect(node.err()).toMatch(/Cannot go on as "sim": another process took the name/);
  expect(readAdvertisement(run, platform.files, "sim")?.pid).toBe(other.pid);
  expect(isSocket(`${run}/sim.ipc`)).toBe(true);
  expect(await other.stop()).toBe(0);
});

test("Invariant 1 (one writer): market-data, which holds the store, goes on where its name was taken from it", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  const run = `${data}/run`;
  const words = ["market-data", "--feed", "sim", "--symbols", "BTCUSDT", "--data", data];
  await using node = start(words);
  await node.says(/Store .* at row 0/);
  const lock = `${run}/market-data.lock`;
  renameSync(lock, `${lock}.gone`);
  const taken = await eventually(() => takeNameLock(run, "market-data", platform.openSqlite));
  await node.says(/Going on, though another process took the name "market-data"/);
  taken.release();
  const second = await fabric(words);
  expect([second.code, second.err]).toEqual([69, expect.stringContaining(`${node.pid}`)]);
  await eventually(
    () => isAlive(run, "market-data", platform.openSqlite),
    BACK_WITHIN_MS,
    "its name to be its own again",
  );
  expect(await node.stop()).toBe(0);
});

test("Invariant 10 (any node at any time): a node that was stopped (SIGSTOP) for seconds goes on, and so does who hears it", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  await using sim = start(["sim", "--port", "0", "--symbols", "BTCUSDT", "--speed", "240", "--data", data]);
  await using heard = await listen(`${data}/run/market-data.ipc`);
  await using node = start(["market-data", "--feed", "sim", "--symbols", "BTCUSDT", "--history", "0", "--data", data]);
  await eventually(() => heard.candles.length >= 4, 15_000, "candles");
  process.kill(node.pid, "SIGSTOP");
  await eventually(() => heard.silentMs > 3000, 10_000, "silence");
  const before = heard.candles.length;
  process.kill(node.pid, "SIGCONT");
  await eventually(() => heard.candles.length >= before + 14, 15_000, "what was missed, and more");
  const times = heard.candles.map((body) => body.openTime);
  expect(times).toEqual(times.map((_, at) => (times[0] ?? 0) + at * 60_000));
  expect([await node.stop(), await sim.stop()]).toEqual([0, 0]);
}, 30_000);

test("What a kill in the middle of a write left beside a file goes at the next start; other files stay", () => {
  using folder = tempFolder();
  for (const name of ["a.json", "a.json.12-3.tmp", "a.json.x.tmp", "ba.json.1-1.tmp", "a.json.1-1.tmp.keep"])
    writeFileSync(folder.join(name), "");
  sweepTemporaries(folder.path, "a.json", platform.files);
  expect(readdirSync(folder.path).sort()).toEqual(["a.json", "a.json.1-1.tmp.keep", "a.json.x.tmp", "ba.json.1-1.tmp"]);
});
