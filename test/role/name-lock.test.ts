import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { platform } from "#platform";
import { advertise, liveNodes } from "../../src/role/lifecycle/advertisement.ts";
import { AliveLock, alivePath, isAlive } from "../../src/role/lifecycle/alive-lock.ts";
import { takeNameLock } from "../../src/role/lifecycle/name-lock.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";

const HOLDER = `
import { platform } from "#platform";
import { AliveLock } from "./src/role/lifecycle/alive-lock.ts";
import { takeNameLock } from "./src/role/lifecycle/name-lock.ts";
const folder = process.argv[1] ?? "";
const lock = takeNameLock(folder, "a", platform.openSqlite);
new AliveLock(folder, "a", platform.openSqlite).keep();
console.log(lock ? "held" : "refused");
Bun.gc(true);
setInterval(() => Bun.gc(true), 20);
`;

function spawnHolder(folder: string) {
  return Bun.spawn([process.execPath, "-e", HOLDER, folder], {
    stdout: "pipe",
    stderr: "inherit",
    cwd: `${import.meta.dir}/../..`,
  });
}

test("Invariant 6 (one node per name): a second process is refused until the first dies, however it dies", async () => {
  using folder = tempFolder();
  const first = spawnHolder(folder.path);
  const line = await first.stdout.getReader().read();
  expect(new TextDecoder().decode(line.value).trim()).toBe("held");
  expect(takeNameLock(folder.path, "a", platform.openSqlite)).toBeNull();
  expect(isAlive(folder.path, "a", platform.openSqlite)).toBe(true);
  first.kill("SIGKILL");
  await first.exited;
  const lock = takeNameLock(folder.path, "a", platform.openSqlite);
  expect(lock).not.toBeNull();
  lock?.release();
});

test("a lock outlives forced collections of the process that holds it", async () => {
  using folder = tempFolder();
  const holder = spawnHolder(folder.path);
  await holder.stdout.getReader().read();
  for (let look = 0; look < 20; look++) {
    expect(isAlive(folder.path, "a", platform.openSqlite)).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
  }
  holder.kill("SIGKILL");
  await holder.exited;
});

test("an advertisement counts only while its node's lock is held", async () => {
  using folder = tempFolder();
  const lock = new AliveLock(folder.path, "n", platform.openSqlite);
  expect(lock.keep()).toBe(true);
  const about = { role: "runner", pid: 1, version: "0", epoch: "e", startedAt: 1, endpoints: [] } as const;
  advertise(folder.path, platform.files, { ...about, node: "n", endpoints: ["ipc:///x"] });
  advertise(folder.path, platform.files, { ...about, node: "ghost", endpoints: [] });
  const names = () => liveNodes(folder.path, platform.files, platform.openSqlite).map((node) => node.node);
  expect(names()).toEqual(["n"]);
  lock.release();
  await eventually(() => names().length === 0);
});

test("Invariant 9 (the bridge cannot act): a looker that is frozen in the middle of a look holds up no start, and the node is seen once it goes on", () => {
  using folder = tempFolder();
  const alive = new AliveLock(folder.path, "n", platform.openSqlite);
  expect([alive.keep(), isAlive(folder.path, "n", platform.openSqlite)]).toEqual([true, true]);
  alive.release();
  const looker = platform.openSqlite(alivePath(folder.path, "n"), { readOnly: true });
  looker.exec("BEGIN");
  looker.prepare("SELECT count(*) FROM sqlite_master").get();
  const lock = takeNameLock(folder.path, "n", platform.openSqlite);
  expect(lock).not.toBeNull();
  expect([alive.keep(), isAlive(folder.path, "n", platform.openSqlite)]).toEqual([false, false]);
  looker.close();
  expect([alive.keep(), isAlive(folder.path, "n", platform.openSqlite)]).toEqual([true, true]);
  rmSync(alivePath(folder.path, "n"));
  expect(isAlive(folder.path, "n", platform.openSqlite)).toBe(false);
  expect([alive.keep(), isAlive(folder.path, "n", platform.openSqlite)]).toEqual([true, true]);
  alive.release();
  lock?.release();
});
