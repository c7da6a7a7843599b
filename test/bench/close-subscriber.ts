import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { ZmqSubscriber } from "../../src/bus/zmq-subscriber.ts";
import { parseCandleBody } from "../../src/core/wire.ts";

// The other process of close.ts: hears and parses every candle, and tells how many when asked (any line on stdin). close-subscriber.ts ADDRESS
let candles = 0;
let bad = 0;
await ZmqSubscriber.open(
  {
    endpoints: { connect: [process.argv[2] ?? ""] },
    filters: [{ prefix: "market.candle.1m." }],
    onMessage: ({ body }) => {
      if (typeof parseCandleBody(body) === "string") bad++;
      else candles++;
    },
  },
  {
    backend: zmqBackend,
    clock: platform.clock,
    log: { debug() {}, info() {}, warn: console.error, error: console.error },
  },
);
process.stdin.on("data", () => console.log(JSON.stringify({ candles, bad })));
process.stdin.on("end", () => process.exit(0));
