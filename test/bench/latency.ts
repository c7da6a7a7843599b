import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { hearMetrics, ranks } from "./figures.ts";

// From the exchange's sending of the trade that closes a minute to the strategy's being called with that minute's candle, in
// another process: over a WebSocket into a real market-data (fold, close, durable commit), over ZeroMQ into a real runner. The
// frame is received a little after it is sent, so trade received → candle delivered is a little less than what is printed.
// All processes read the machine's one monotonic clock. `bun test/bench/latency.ts [MINUTES] [SYMBOLS]`

const MINUTES = Number(process.argv[2] ?? 300);
const SYMBOLS = Number(process.argv[3] ?? 3);
/** Minutes before the figures begin: the first is not whole, and the runner joins during the next ones. */
const WARM_UP = 20;

using folder = tempFolder();
const data = folder.join("data");
const calls = folder.join("calls");
const symbols = Array.from({ length: SYMBOLS }, (_, index) => `SYM${index}USDT`).join(",");
const strategy = folder.join("stamp.ts");
writeFileSync(calls, "");
writeFileSync(strategy, strategyText());

const minutes = `${MINUTES + WARM_UP}`;
const exchange = Bun.spawn([process.execPath, join(import.meta.dir, "latency-exchange.ts"), minutes, symbols], {
  stdout: "pipe",
  stderr: "inherit",
});
const sent = new Map<number, number>();
const port = Promise.withResolvers<string>();
const played = readLines(exchange.stdout, (line) => {
  const [openTime, sentNs] = line.split(" ");
  if (sentNs === undefined) port.resolve(line);
  else sent.set(Number(openTime), Number(sentNs));
});
const url = `ws://127.0.0.1:${await port.promise}`;
await using runner = start(["runner", "--strategy", strategy, "--data", data]);
await runner.says(/Strategy stamp/);
await using metrics = await hearMetrics(data, ["market-data", "stamp"]);
await using market = start([
  "market-data",
  "--feed",
  "binance",
  "--url",
  url,
  "--symbols",
  symbols,
  "--history",
  "0",
  "--data",
  data,
]);
await played;
await Bun.sleep(2000);

const from = Math.min(...sent.keys()) + WARM_UP * 60_000;
const latenciesMs: number[] = [];
for (const line of readFileSync(calls, "utf8").trim().split("\n")) {
  const [openTime, calledNs] = line.split(" ").map(Number);
  const sentNs = sent.get(openTime ?? 0);
  if (sentNs !== undefined && (openTime ?? 0) >= from) latenciesMs.push(((calledNs ?? 0) - sentNs) / 1e6);
}
const ofMarket = metrics.newest.get("market-data") ?? {};
const ofRunner = metrics.newest.get("stamp") ?? {};
const part = (values: Readonly<Record<string, number>>, name: string) =>
  `p50 ${values[`${name}.p50.ms`]}  p99 ${values[`${name}.p99.ms`]}  max ${values[`${name}.max.ms`]}`;
console.log(`${MINUTES} minutes × ${SYMBOLS} symbols, ${latenciesMs.length} candles delivered (ms):`);
console.log(`  trade sent → strategy called        ${ranks(latenciesMs)}`);
console.log(`  of it, minute closed → published    ${part(ofMarket, "close.to.publish")}`);
console.log(
  `  of it, published → decided          ${part(ofRunner, "publish.to.decided")} (wall clock in whole ms, journal included)`,
);
exchange.kill();
await runner.stop();
await market.stop();
if (latenciesMs.length < MINUTES * SYMBOLS) throw new Error(`Only ${latenciesMs.length} of ${MINUTES * SYMBOLS} came`);

function strategyText(): string {
  const clock = JSON.stringify(join(import.meta.dir, "machine-clock.ts"));
  return `
import { openSync, writeSync } from "node:fs";
import { defineStrategy, v } from "fabric";
import { nowNs } from ${clock};
const file = openSync(${JSON.stringify(calls)}, "a");
export default defineStrategy({
  name: "stamp", version: "1", params: v.object({}), warmup: () => 0, init: () => ({}),
  onCandle({ candle, warmingUp }) {
    const calledNs = nowNs();
    if (!warmingUp) writeSync(file, candle.openTime + " " + calledNs + "\\n");
  },
});
`;
}

async function readLines(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "end") return;
      take(line);
    }
  }
}
