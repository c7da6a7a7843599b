import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { start } from "../support/fabric.ts";
import { cpuSeconds } from "./figures.ts";

/**
 * Starts a real runner on a store that grows by a minute each 50 ms: ms from the process's start to its first look back, and to its
 * first decision. What its strategy warms up with is 10,000 minutes of one symbol.
 */
export async function runnerStart(
  data: string,
  name: string,
): Promise<{ ms: number; cpuMs: number; sinceStartMs: number; warmMs: number }> {
  const feed = Bun.spawn([process.execPath, join(import.meta.dir, "growth-step.ts"), "feed", data], {
    stderr: "inherit",
  });
  const calls = join(data, `${name}.calls`);
  const strategy = join(data, "stamp.ts");
  writeFileSync(calls, "");
  writeFileSync(strategy, strategyText());
  try {
    await eventually(() => isFed(data), 20_000, "the feed publishes");
    const startedMs = performance.timeOrigin + performance.now();
    const words = [
      "runner",
      "--strategy",
      strategy,
      "--name",
      name,
      "--symbols",
      "SYM7USDT",
      "--params",
      `calls=${calls}`,
    ];
    await using runner = start([...words, "--data", data]);
    void runner.process.exited.then((code) => code > 0 && code < 128 && console.error(runner.err()));
    const lines = () => readFileSync(calls, "utf8").trim().split("\n");
    await eventually(() => lines().some((line) => line.startsWith("decided")), 30_000, "the runner decides");
    const at = (word: string) =>
      Number(
        lines()
          .find((line) => line.startsWith(word))
          ?.split(" ")[1],
      ) - startedMs;
    return { ms: Number.NaN, sinceStartMs: at("decided"), cpuMs: cpuSeconds(runner.pid) * 1000, warmMs: at("warm") };
  } finally {
    feed.kill("SIGTERM");
    await feed.exited;
  }
}

function isFed(data: string): boolean {
  return readFileSync(join(data, "published", "manifest.json"), "utf8").includes('"cleanStop":false');
}

function strategyText(): string {
  return `
import { appendFileSync } from "node:fs";
import { defineStrategy, v } from "fabric";
const now = () => performance.timeOrigin + performance.now();
let told = false;
export default defineStrategy({
  name: "stamp", version: "1", params: v.object({ calls: v.string() }), warmup: () => 10000, init: () => ({}),
  onCandle({ candle, warmingUp, params }) {
    if (!told && warmingUp) { told = true; appendFileSync(params.calls, "warm " + now() + "\\n"); }
    if (!warmingUp) appendFileSync(params.calls, "decided " + now() + "\\n");
  },
});
`;
}
