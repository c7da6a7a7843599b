import assert from "node:assert/strict";
import { CORE_CASES, type CoreCase } from "../zmq/core-cases.ts";

/** A closing longer than this would be the abandoned case (1 s). */
const BOUNDED_MS = 900;

/** What the zmq room must do on Deno: the core, and closing, whose Bun tests look into Bun's threads. */
export const DENO_CASES: readonly CoreCase[] = [
  ...CORE_CASES,
  {
    title: "a subscriber closes in bounded time while connecting in vain, under a flood, and with batches never taken",
    async run(net) {
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
        assert.ok(performance.now() - startMs < BOUNDED_MS);
        assert.equal(sub.statuses.at(-1)?.type, "closed");
      }
    },
  },
];
