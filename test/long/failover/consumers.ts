import { join } from "node:path";
import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import { DualRailProvider } from "../../../src/provider/dual-rail-provider.ts";
import { ZmqMarket } from "../../../src/provider/zmq-market.ts";
import { nowNs } from "../../bench/machine-clock.ts";
import { openReader } from "../../store/support.ts";

// Consumers on the dual rail, one for each store of market.ts, in one process: consumers.ts FOLDER PORT… Prints `heard K` once a
// heartbeat came, `delivered K OPEN_TIME NS RAIL` for each candle.

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const [folder = "", ...ports] = process.argv.slice(2);

for (const [nth, port] of ports.entries()) {
  const endpoints = [`tcp://127.0.0.1:${port}`];
  const market = new ZmqMarket(
    { symbols: "all", endpoints },
    { backend: zmqBackend, clock: platform.clock, log: silent },
  );
  const provider = new DualRailProvider(
    { ...platform, reader: openReader(join(folder, `${nth}`)), market, log: silent },
    {
      symbols: "all",
      cursor: null,
      onDelivered: ({ candle, rail }) => console.log(`delivered ${nth} ${candle.openTime} ${called} ${rail}`),
    },
  );
  let called = 0;
  void provider.run(() => {
    called = nowNs();
  });
  const looking = setInterval(() => {
    const { "heartbeats.total": heard = 0, "polls.total": polls = 0 } = provider.counters();
    if (heard === 0 || polls === 0) return;
    clearInterval(looking);
    console.log(`heard ${nth}`);
  }, 20);
}
