import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../../src/bus/zmq-subscriber.ts";

// A subscriber that is to be stopped for a long time: subscriber.ts ADDRESS. Says `ready` at its first candle, and when woken and told to
// (any line on stdin) what it heard and, from the messages' own numbers, what it missed: `heard N missed N`.

const newest = new Map<string, number>();
let heard = 0;
let missed = 0;
await ZmqSubscriber.open(
  {
    endpoints: { connect: [process.argv[2] ?? ""] },
    filters: [{ prefix: "market.candle.1m." }],
    onMessage: ({ topic, body }) => {
      const seq = Number(/"seq":(\d+)/.exec(body)?.[1]);
      const before = newest.get(topic);
      if (heard === 0) console.log("ready");
      heard++;
      if (before !== undefined) missed += seq - before - 1;
      newest.set(topic, seq);
    },
  },
  { backend: zmqBackend, clock: platform.clock, log: { debug() {}, info() {}, warn() {}, error() {} } },
);
process.stdin.on("data", () => console.log(`heard ${heard} missed ${missed}`));
process.stdin.on("end", () => process.exit(0));
