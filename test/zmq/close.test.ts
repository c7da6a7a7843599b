import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { eventually } from "../support/eventually.ts";
import { Net } from "./net.ts";
import { Child } from "./processes.ts";

/** A closing longer than this would be the abandoned case (1 s). */
const BOUNDED_MS = 900;

for (const how of ["normal", "publisher-first", "publisher-open", "reopen"]) {
  test(`a process exits by itself after close (${how})`, async () => {
    await using child = new Child("ends-by-itself.ts", how);
    expect(await child.line()).toBe("closed");
    expect(await child.exited).toBe(0);
  });
}

test("process.exit works while a subscriber is open", async () => {
  await using child = new Child("ends-by-itself.ts", "exit");
  expect(await child.exited).toBe(0);
});

test("a subscriber closes in bounded time while connecting in vain, under a flood, and with batches never taken", async () => {
  await using net = new Net();
  const pub = net.pub(net.address("tcp"));
  const address = pub.endpoints[0] ?? "";
  const vain = await net.sub("tcp://127.0.0.1:9", ["x"]);
  const flooded = await net.sub(address, ["x"], { bufferMessages: 10 });
  const stuck = await net.sub(address, ["x"], { bufferMessages: 10 });
  const conflated = await net.sub(address, ["x"], { conflate: "socket" });
  for (const sub of [flooded, stuck, conflated]) await net.warm(pub, sub, "x");
  for (const sub of [stuck, conflated]) sub.holding = true;
  for (let n = 0; n < 20_000; n++) pub.send(`x ${n}`);
  for (const sub of [vain, flooded, stuck, conflated]) {
    const startMs = performance.now();
    await sub.close();
    expect(performance.now() - startMs).toBeLessThan(BOUNDED_MS);
    expect(sub.statuses.at(-1)).toEqual({ type: "closed" });
  }
});

test("opening and closing many times leaves no thread and no file behind", async () => {
  await using net = new Net();
  const address = net.address("ipc");
  const threads = () => Number(/Threads:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  const round = async () => {
    const pub = net.pub(address);
    const sub = await net.sub(address, ["x"]);
    await net.warm(pub, sub, "x");
    await sub.close();
    pub.close();
  };
  await round();
  await round();
  const before = await eventually(threads);
  for (let at = 0; at < 10; at++) await round();
  await eventually(() => threads() <= before + 2);
  expect(existsSync(address.slice("ipc://".length))).toBe(false);
}, 20_000);

test("an ipc socket file can be used by its owner alone", async () => {
  await using net = new Net();
  const pub = net.pub(net.address("ipc"));
  const path = (pub.endpoints[0] ?? "").slice("ipc://".length);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
