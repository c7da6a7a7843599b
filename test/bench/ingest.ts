import { eventually } from "../support/eventually.ts";
import { start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { cpuSeconds, hearMetrics, rank } from "./figures.ts";

// One real market-data node on 500 symbols × 200 trades a second each: a simulated market of 500 symbols at 200 times real speed, so
// that its minutes close every 300 ms, too. What counts is that the node keeps up on at most one core; the exchange needs one of its
// own, and where the machine has no more than two, what it could not send in time is told as well. `bun test/bench/ingest.ts [SECONDS] [SYMBOLS] [SPEED]`

const SECONDS = Number(process.argv[2] ?? 30);
const SYMBOLS = Number(process.argv[3] ?? 500);
const SPEED = Number(process.argv[4] ?? 200);
/** The node's start (its minutes so far come from the venue's klines) is over when its slowest symbol lags less than this. */
const CAUGHT_UP_MINUTES = 2;
const CATCH_UP_WITHIN_MS = 60_000;

using folder = tempFolder();
const data = folder.join("data");
const symbols = Array.from({ length: SYMBOLS }, (_, index) => `SYM${index}USDT`).join(",");
const common = ["--symbols", symbols, "--data", data];
await using sim = start(["sim", "--port", "0", "--speed", `${SPEED}`, ...common]);
await sim.says(/Listening on/);
await using node = start(["market-data", "--feed", "sim", "--history", "0", ...common]);
await node.says(/Store .* at row/);
await using metrics = await hearMetrics(data, ["sim", "market-data"]);

const of = (name: string) => metrics.newest.get(name) ?? {};
await eventually(
  () => (of("market-data")["store.rows"] ?? 0) > 5 * SYMBOLS && lagMinutes() < CAUGHT_UP_MINUTES,
  CATCH_UP_WITHIN_MS,
  "the node to have caught up with its start",
);
await Bun.sleep(2000);
const before = { node: of("market-data"), sim: of("sim"), atMs: performance.now() };
const cpuBefore = { node: cpuSeconds(node.pid), sim: cpuSeconds(sim.pid) };
const lagsMs: number[] = [];
const behindMs: number[] = [];
for (let second = 0; second < SECONDS; second++) {
  await Bun.sleep(1000);
  lagsMs.push((of("market-data")["ingest.lag.max.ms"] ?? Number.NaN) / SPEED);
  behindMs.push((of("sim")["behind.ms"] ?? Number.NaN) / SPEED);
}
const seconds = (performance.now() - before.atMs) / 1000;
const cpu = {
  node: (cpuSeconds(node.pid) - cpuBefore.node) / seconds,
  sim: (cpuSeconds(sim.pid) - cpuBefore.sim) / seconds,
};
const after = of("market-data");
const grew = (name: string) => (after[name] ?? Number.NaN) - (before.node[name] ?? 0);
const percent = (share: number) => `${(share * 100).toFixed(0)} % of a core`;
const both = (values: readonly number[]) =>
  `p50 ${rank(values, 0.5).toFixed(0)}  max ${rank(values, 1).toFixed(0)} ms of wall time`;
console.log(`${SYMBOLS} symbols at speed ${SPEED} for ${seconds.toFixed(1)} s`);
console.log(
  `  trades taken          ${Math.round(grew("ingest.trades.total") / seconds).toLocaleString("en")} a second`,
);
console.log(
  `  minutes closed        ${Math.round(grew("store.rows") / seconds).toLocaleString("en")} rows a second, ${grew("store.commits")} commits`,
);
console.log(
  `  the node's CPU        ${percent(cpu.node)}, resident ${Math.round((after["process.rss.bytes"] ?? 0) / 1e6)} MB`,
);
console.log(`  its event loop late   p50 ${after["loop.lag.p50.ms"]}  p99 ${after["loop.lag.p99.ms"]} ms`);
console.log(`  slowest symbol's lag  ${both(lagsMs)} (a minute is ${(60_000 / SPEED).toFixed(0)} ms)`);
console.log(
  `  close to publish      p50 ${after["close.to.publish.p50.ms"]}  p99 ${after["close.to.publish.p99.ms"]} ms`,
);
console.log(`  the exchange          ${percent(cpu.sim)}, behind its own clock ${both(behindMs)}`);
const LOSSES = [
  "feed.malformed.total",
  "feed.reconnects.total",
  "ingest.strays.total",
  "ingest.holes.total",
  "ingest.partial.total",
  "publish.dropped.total",
  "ingest.interruptions.total",
  "ingest.backfilled.total",
];
console.log(`  lost or repaired      ${LOSSES.map((name) => `${name} ${grew(name)}`).join(", ")}`);
await node.stop();
await sim.stop();

function lagMinutes(): number {
  return (of("market-data")["ingest.lag.max.ms"] ?? Number.POSITIVE_INFINITY) / 60_000;
}
