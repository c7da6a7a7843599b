import { expect, test } from "bun:test";
import { WireProxy } from "../../src/role/chaos/proxy.ts";
import { freePort } from "../slow/support-up.ts";
import { eventually } from "../support/eventually.ts";
import { Net } from "./net.ts";

test("a subscriber whose connection is half open (the other machine is gone, nobody says so) gives it up and hears again", async () => {
  await using net = new Net();
  const pub = net.pub("tcp://127.0.0.1:0");
  const port = freePort();
  const proxy = await WireProxy.open(port, Number(pub.endpoints[0]?.split(":").at(-1)));
  try {
    const sub = await net.sub(`tcp://127.0.0.1:${port}`, ["x"]);
    await net.warm(pub, sub, "x");
    proxy.hurt("half-open", 60_000, 0);
    const before = sub.warmed;
    await eventually(
      () => {
        pub.send("x warm");
        return sub.warmed > before;
      },
      20_000,
      "the subscriber to hear again",
    );
    expect(sub.saw("disconnected")).toBe(true);
  } finally {
    await proxy.close();
  }
}, 30_000);
