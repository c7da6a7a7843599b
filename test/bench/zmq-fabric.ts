import { dlopen, ptr } from "bun:ffi";
import { once } from "node:events";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqPublisher } from "../../src/bus/zmq-publisher.ts";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import type { Frame } from "../../src/core/topic.ts";

// Fabric's side of the bench, as its own code uses it: zmq-fabric.ts send|receive throughput|latency COUNT [ADDRESS].
const [, , how, what, countText, address = ""] = process.argv;
const count = Number(countText);
const latency = what === "latency";
const NO_BOUND = 0x7fffffff;
const CLOCK_MONOTONIC = 1;
const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };
const deps = { backend: zmqBackend, clock: platform.clock, log: quiet };

// Bun's process.hrtime starts at the process's own start, so the machine's clock is asked directly.
const time = new BigInt64Array(new ArrayBuffer(16));
const timeAddress = ptr(time);
const libc = dlopen("libc.so.6", { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } });
function nowNs(): number {
  libc.symbols.clock_gettime(CLOCK_MONOTONIC, timeAddress);
  return Number(time[0]) * 1e9 + Number(time[1]);
}

if (how === "send") await send();
else await receive();

async function send(): Promise<void> {
  const endpoints = { bind: ["tcp://127.0.0.1:0"] };
  const publisher = new ZmqPublisher({ endpoints, sendHighWaterMark: NO_BOUND }, deps);
  console.log(publisher.endpoints[0]);
  await once(process.stdin, "data");
  const body = "x".repeat(126);
  for (let n = 0; n < count; n++) {
    publisher.publish("t", latency ? `${nowNs()} `.padEnd(126, "x") : body);
    if (latency) await Bun.sleep(1);
  }
  await once(process.stdin, "end");
  publisher.close();
}

async function receive(): Promise<void> {
  const taken: number[] = [];
  const done = Promise.withResolvers<void>();
  let startNs = 0;
  let heard = 0;
  const onMessages = (messages: readonly Frame[]) => {
    if (heard === 0) startNs = nowNs();
    heard += messages.length;
    if (latency) for (const { body } of messages) taken.push(nowNs() - Number(body.slice(0, body.indexOf(" "))));
    if (heard >= count) done.resolve();
  };
  const subscriber = await ZmqSubscriber.open(
    {
      endpoints: { connect: [address] },
      filters: [{ prefix: "" }],
      receiveHighWaterMark: NO_BOUND,
      bufferMessages: count,
      bufferBytes: 256 * 1024 * 1024,
      onMessages,
    },
    deps,
  );
  console.log("ready");
  await done.promise;
  const perSecond = (heard - 1) / ((nowNs() - startNs) / 1e9);
  await subscriber.close();
  const steady = taken.slice(count >> 2).sort((a, b) => a - b);
  const at = (part: number) => (steady[Math.floor(steady.length * part)] ?? 0) / 1e3;
  console.log(JSON.stringify(latency ? { p50: at(0.5), p99: at(0.99) } : { perSecond }));
}
