import { join } from "node:path";

// Every benchmark, each as a process of its own and one after the other: `npm run bench`, or `bun test/bench/run.ts NAME…` for some.

const BENCHES: readonly (readonly [name: string, about: string])[] = [
  ["zmq", "messages between two processes, beside other ZeroMQ stacks"],
  ["store", "commits, seals and polls of the store"],
  ["growth", "start and join against what is stored, a day to a year of 100 symbols"],
  ["provider", "deliveries through the dual rail"],
  ["close", "closing one minute for 1,000 symbols: commit, publish, seal"],
  ["failover", "a cut fast rail: in the store → delivered over the fallback rail, at speed 1"],
  ["latency", "trade sent → strategy called, over three processes"],
  ["venues", "trade frames of every venue: reader, JSON.parse and tardis-dev's mapper"],
  ["websocket", "trade frames over a WebSocket to candles, on one core"],
  ["reconnect", "a cut connection of each venue to a whole minute, at real speed"],
  ["sse", "event streams to up to 5,000 browsers, beside Hono's streamSSE"],
  ["ingest", "100,000 trades a second into one market-data node"],
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !BENCHES.some(([known]) => known === name));
if (unknown.length > 0) {
  console.error(`Unknown benchmark ${unknown.join(", ")}: expected ${BENCHES.map(([name]) => name).join(", ")}`);
  process.exit(64);
}
const failed: string[] = [];
for (const [name, about] of BENCHES) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n=== ${name}: ${about}`);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, `${name}.ts`)], {
    stdout: "inherit",
    stderr: "inherit",
  });
  if ((await child.exited) !== 0) failed.push(name);
}
if (failed.length > 0) console.error(`\nFailed: ${failed.join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);
