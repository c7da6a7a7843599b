import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { Net, type Transport } from "./net.ts";
import { Child } from "./processes.ts";

const KILLED: readonly Transport[] = ["tcp", "ipc"];

for (const transport of KILLED) {
  test(`a subscriber hears again after its publisher was killed with -9 and started anew over ${transport}`, async () => {
    await using net = new Net();
    await using first = new Child("publisher.ts", net.address(transport), "x");
    const address = await first.line();
    const sub = await net.sub(address, ["x"]);
    await eventually(() => sub.frames.length > 5);
    first.signal("SIGKILL");
    await eventually(() => sub.saw("disconnected") && sub.saw("retrying"));
    const before = sub.frames.length;
    await using _second = new Child("publisher.ts", address, "x");
    await eventually(() => sub.frames.length > before + 5);
    expect(sub.statuses.filter((status) => status.type === "connected").length).toBe(2);
  });
}

test("one of ten subscribers that never reads, and a frozen process, harm neither the others nor the publisher", async () => {
  await using net = new Net();
  const pub = net.pub(net.address("tcp"), { sendHighWaterMark: 1000 });
  const address = pub.endpoints[0] ?? "";
  const readers = await Promise.all(Array.from({ length: 9 }, () => net.sub(address, ["x"])));
  const never = await net.sub(address, ["x"], { bufferMessages: 500, bufferBytes: 256 * 1024 });
  await using frozen = new Child("subscriber.ts", address);
  for (const sub of [...readers, never]) await net.warm(pub, sub, "x");
  const firstLine = frozen.line();
  await eventually(() => {
    pub.send("x warm");
    return Bun.peek.status(firstLine) === "fulfilled";
  });
  frozen.signal("SIGSTOP");
  never.holding = true;
  const body = "y".repeat(1000);
  let n = 0;
  const sendSome = async (count: number) => {
    for (let sent = 0; sent < count; sent += 100) {
      for (let at = 0; at < 100; at++) expect(pub.send(`x ${n++} ${body}`)).toBe("sent");
      await eventually(() => readers.every((sub) => sub.frames.length >= n));
    }
  };
  await sendSome(3000);
  for (const sub of readers) sub.frames.length = 0;
  const total = n;
  n = 0;
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  await sendSome(3000);
  for (const sub of readers) {
    expect(sub.frames.length).toBe(3000);
    expect(sub.counters.dropped).toBe(0);
    sub.frames.length = 0;
  }
  n = 0;
  await sendSome(3000);
  for (const sub of readers) sub.frames.length = 0;
  Bun.gc(true);
  const grownBytes = process.memoryUsage.rss() - before;
  expect(grownBytes).toBeLessThan(48 * 1024 * 1024);
  expect(never.frames.length).toBeLessThanOrEqual(500);
  expect(never.counters.dropped).toBeGreaterThan(total);
  frozen.signal("SIGCONT");
}, 30_000);
