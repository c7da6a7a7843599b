// zeromq.js on Node: zmq-node.mjs send|receive throughput|latency COUNT [ADDRESS].
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Publisher, Subscriber } from "zeromq";

const [, , how, what, countText, address] = process.argv;
const count = Number(countText);
const latency = what === "latency";
const timed = () => `t ${process.hrtime.bigint()} `.padEnd(128, "x");
const fixed = Buffer.from("t ".padEnd(128, "x"));

if (how === "send") {
  const pub = new Publisher({ sendHighWaterMark: 0 });
  await pub.bind("tcp://127.0.0.1:*");
  console.log(pub.lastEndpoint);
  await once(process.stdin, "data");
  for (let n = 0; n < count; n++) {
    await pub.send(latency ? timed() : fixed);
    if (latency) await sleep(1);
  }
  await once(process.stdin, "end");
} else {
  const sub = new Subscriber({ receiveHighWaterMark: 0 });
  sub.subscribe();
  sub.connect(address);
  console.log("ready");
  const taken = [];
  let start = 0n;
  let n = 0;
  for await (const [bytes] of sub) {
    if (n++ === 0) start = process.hrtime.bigint();
    if (latency) taken.push(Number(process.hrtime.bigint() - BigInt(bytes.toString().split(" ")[1])));
    if (n === count) break;
  }
  const steady = taken.slice(count >> 2).sort((a, b) => a - b);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const report = { p50: steady[steady.length >> 1] / 1e3, p99: steady[Math.floor(steady.length * 0.99)] / 1e3 };
  console.log(JSON.stringify(latency ? report : { perSecond: (count - 1) / seconds }));
}
process.exit(0);
