import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { Net } from "./net.ts";

test("no pointer goes stale: every frame arrives intact while full collections run between sends and receives", async () => {
  await using net = new Net();
  const pub = net.pub(net.address("tcp"));
  const sub = await net.sub(pub.endpoints[0] ?? "", ["g"]);
  await net.warm(pub, sub, "g");
  const sent: string[] = [];
  let garbage: unknown[] = [];
  for (let n = 0; n < 2000; n++) {
    const frame = `g ${n} ${String.fromCharCode(97 + (n % 26)).repeat(n % 1500)}`;
    sent.push(frame);
    expect(pub.send(n % 2 === 0 ? frame : new TextEncoder().encode(frame))).toBe("sent");
    garbage.push(new Uint8Array(n % 900), { n, text: frame.slice(1) });
    if (n % 50 === 0) {
      Bun.gc(true);
      garbage = [];
    }
    if (n % 200 === 0) {
      sub.socket.subscribe(new TextEncoder().encode(`other.${n}`));
      await eventually(() => sub.frames.length === sent.length);
    }
  }
  await eventually(() => sub.frames.length === sent.length);
  expect(sub.frames).toEqual(sent);
}, 20_000);

test("frames that a consumer keeps stay as they were while later ones arrive and memory is collected", async () => {
  await using net = new Net();
  const pub = net.pub(net.address("tcp"));
  const sub = await net.sub(pub.endpoints[0] ?? "", ["k"]);
  await net.warm(pub, sub, "k");
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 100; n++) pub.send(`k ${round}-${n}`);
    await eventually(() => sub.frames.length === (round + 1) * 100);
    Bun.gc(true);
  }
  expect(sub.frames[0]).toBe("k 0-0");
  expect(sub.frames.at(-1)).toBe("k 19-99");
  expect(new Set(sub.frames).size).toBe(2000);
});
