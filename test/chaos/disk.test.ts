import { expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { CHAOS_MARK } from "../../src/role/chaos/actor.ts";
import { Disk, possibleMounts } from "../../src/role/chaos/disk.ts";
import { DiskHand } from "../../src/role/chaos/disk-hand.ts";
import { copyTree } from "../../src/role/chaos/folder.ts";
import { Janitor } from "../../src/role/chaos/janitor.ts";
import { mountPointText, mountsOf, topmostDevice } from "../../src/role/chaos/mounts.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";

const USERS = `users-own-${process.pid}`;
const OURS = `fabric-chaos-test-${process.pid}`;

/** Whether this process may mount at all: root may. */
const mayMount = (() => {
  using folder = tempFolder();
  const mounted = Disk.mount(folder.path, OURS);
  if (typeof mounted === "string") return false;
  return mounted.close(false) === null;
})();

/** Takes off whatever a test left mounted, before its folder goes. */
function unmountAll(): void {
  for (const device of [USERS, OURS])
    for (const point of mountsOf(device)) spawnSync("umount", ["-l", point.replaceAll("\\040", " ")]);
}

function usersMount(path: string): Disposable {
  mkdirSync(path, { recursive: true });
  expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", USERS, path]).status).toBe(0);
  writeFileSync(`${path}/precious`, "yes");
  return { [Symbol.dispose]: unmountAll };
}

test.if(mayMount)("A mount of somebody else's at the data folder stays, and what is kept lies in it", () => {
  using folder = tempFolder();
  const data = folder.join("data of mine");
  using _users = usersMount(data);
  const disk = Disk.mount(data, OURS) as Disk;
  expect(topmostDevice(data)).toBe(OURS);
  for (const name of ["published", "journal"] as const) {
    mkdirSync(`${data}/${name}`);
    expect(disk.guard(name)).toBeNull();
  }
  expect(mountsOf(OURS)).toEqual([data, `${data}/published`, `${data}/journal`].map(mountPointText));
  expect(disk.close(true)).toBeNull();
  expect(disk.close(true)).toBeNull();
  expect([topmostDevice(data), mountsOf(OURS)]).toEqual([USERS, []]);
  expect(readdirSync(data).sort()).toEqual(["journal", "precious", "published"]);
});

for (const word of ["done\n", ""])
  test.if(mayMount)(`The janitor takes off chaos's own mounts and no other, after "${word.trim()}"`, async () => {
    using folder = tempFolder();
    const data = folder.join("data of mine");
    using _users = usersMount(data);
    const disk = Disk.mount(data, OURS) as Disk;
    mkdirSync(`${data}/journal`);
    expect(disk.guard("journal")).toBeNull();
    const [work, sockets] = [folder.join("work"), folder.join("sockets")];
    for (const path of [work, sockets]) mkdirSync(path);
    const janitor = new Janitor({ work, device: OURS, sockets, mounts: possibleMounts(data) });
    await janitor.dismiss(word);
    expect([topmostDevice(data), mountsOf(OURS)]).toEqual([USERS, []]);
    expect(readFileSync(`${data}/precious`, "utf8")).toBe("yes");
    expect([existsSync(work), existsSync(sockets)]).toEqual([word !== "", word !== ""]);
  });

test.if(mayMount)(
  "Where chaos was killed, its nodes end before the mounts go: nothing is written below them",
  async () => {
    using folder = tempFolder();
    const [data, work] = [folder.join("data"), folder.join("work")];
    using _users = usersMount(data);
    mkdirSync(work);
    expect(Disk.mount(data, OURS)).toBeInstanceOf(Disk);
    // Outlives the word by a little, and writes all the while, as a node does that ends in order.
    const script = `trap '' TERM; echo up; for n in 1 2 3 4 5 6; do sleep 0.1; : >>'${data}/node'; done`;
    const node = spawn("sh", ["-c", script], { env: { ...process.env, [CHAOS_MARK]: work } });
    await new Promise((resolve) => node.stdout.once("data", resolve));
    await new Janitor({ work, device: OURS, sockets: null, mounts: possibleMounts(data) }).dismiss("");
    expect([mountsOf(OURS), readdirSync(data)]).toEqual([[], ["precious"]]);
  },
);

test.if(mayMount)("The janitor leaves a mount that somebody put over chaos's", async () => {
  using folder = tempFolder();
  const data = folder.join("data");
  mkdirSync(data);
  expect(Disk.mount(data, OURS)).toBeInstanceOf(Disk);
  using _users = usersMount(data);
  await new Janitor({ work: folder.path, device: OURS, sockets: null, mounts: possibleMounts(data) }).dismiss();
  expect(readFileSync(`${data}/precious`, "utf8")).toBe("yes");
});

test.if(mayMount)("A read-only folder whose unmounting fails stays in mind, and goes at the next try", () => {
  using folder = tempFolder();
  const [data, bin] = [folder.join("data"), folder.join("bin")];
  for (const path of [data, bin]) mkdirSync(path);
  writeFileSync(`${bin}/umount`, "#!/bin/sh\nexit 32\n");
  chmodSync(`${bin}/umount`, 0o755);
  const disk = Disk.mount(data, OURS) as Disk;
  mkdirSync(`${data}/journal`);
  expect(disk.guard("journal")).toBeNull();
  const path = process.env.PATH;
  process.env.PATH = `${bin}:${path}`;
  disk.unguard();
  process.env.PATH = path;
  expect([disk.troubled, mountsOf(OURS).length]).toEqual([true, 2]);
  disk.unguard();
  expect([disk.troubled, mountsOf(OURS).length]).toEqual([false, 1]);
  expect(disk.close(false)).toBeNull();
});

test.if(mayMount)(
  "The disk's hand tries again until a read-only folder is writable, and is troubled until then",
  async () => {
    using folder = tempFolder();
    const [data, bin] = [folder.join("data"), folder.join("bin")];
    for (const path of [data, bin]) mkdirSync(path);
    writeFileSync(`${bin}/umount`, "#!/bin/sh\nexit 32\n");
    chmodSync(`${bin}/umount`, 0o755);
    const disk = Disk.mount(data, OURS) as Disk;
    mkdirSync(`${data}/journal`);
    const hand = new DiskHand(
      disk,
      () => undefined,
      () => undefined,
    );
    hand.hurt({ kind: "disk", fault: "read-only", folder: "journal", forMs: 60_000 });
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    hand.calm();
    process.env.PATH = path;
    expect(hand.troubled).toBe(true);
    await eventually(() => !hand.troubled);
    hand.close();
    expect([disk.close(false), mountsOf(OURS)]).toEqual([null, []]);
  },
);

test("A copy holds folders and plain files, skips a socket, and is not left half done", async () => {
  using folder = tempFolder();
  const [from, to] = [folder.join("from"), folder.join("to")];
  mkdirSync(`${from}/run`, { recursive: true });
  writeFileSync(`${from}/run/a.lock`, "a");
  const server = createServer().listen(`${from}/run/a.ipc`);
  await new Promise((resolve) => server.once("listening", resolve));
  expect(statSync(`${from}/run/a.ipc`).isSocket()).toBe(true);
  copyTree(from, to);
  server.close();
  expect(readdirSync(to, { recursive: true }).sort()).toEqual(["run", "run/a.lock"]);
  writeFileSync(folder.join("file"), "");
  expect(() => copyTree(from, folder.join("file/below"))).toThrow();
  expect(() => copyTree(folder.join("nothing"), to)).toThrow();
  expect(existsSync(to)).toBe(false);
});
