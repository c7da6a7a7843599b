import { basename, resolve } from "node:path";
import { platform } from "#platform";
import { resumeSimState } from "../../feed/sim/sim-state.ts";
import { DEFAULT_START_MS } from "../../feed/sim/truth.ts";
import { tokenOf } from "../bridge/open-gate.ts";
import type { Exposure } from "../cli/exposure-flags.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { aborted, stopSignal } from "../lifecycle/stop-signal.ts";
import { Child } from "./child.ts";
import { type MarketMemory, type MarketWish, rememberMarket } from "./market-memory.ts";
import { otherUp, takeUpLock } from "./up-lock.ts";

export interface UpOptions extends MarketWish, Exposure {
  readonly data: string | undefined;
  readonly port: number;
  /** Built-in names or paths of .ts files; a runner each, named for its strategy. */
  readonly strategies: readonly string[];
  /** Wall ms after which it ends by itself; null for ever. */
  readonly forMs: number | null;
}

/** Everything is gone this long after the wish to stop, ms. */
const STOP_WITHIN_MS = 4500;

/**
 * Runs the simulated exchange, every role and the dashboard as child processes until stopped. Resolves to the exit code: 0 after an
 * orderly stop, a child's own where it cannot work (usage, refused, config).
 */
export async function runUp(options: UpOptions): Promise<number> {
  tokenOf(options);
  const folder = dataFolder(options.data);
  using lock = takeUpLock(folder);
  const port = await freePort(options.host, options.port);
  const market = rememberMarket(folder.path, platform.files, options);
  resumeSimState(folder.path, { ...market, startMs: DEFAULT_START_MS }, platform);
  using stop = stopSignal();
  const children = childrenOf({ ...options, port }, folder.path, market);
  const limit = options.forMs === null ? null : platform.timers.after(options.forMs, () => stop.stop("time is up"));
  let isLost = false;
  lock.keep(
    () => {
      isLost = true;
      stop.stop("another fabric up took the folder while its run folder was gone");
    },
    (line) => say("up", line),
  );
  say("up", `the market of seed ${market.seed} at ${market.speed} times real speed: ${market.symbols.join(", ")}`);
  say("up", `data in ${folder.path}, paper trading`);
  for (const child of children) child.start();
  say("up", `dashboard: http://${hostText(options.host)}:${port}/`);
  await aborted(stop.signal);
  limit?.cancel();
  say("up", `stopping (${String(stop.signal.reason)})`);
  await stopAll(children);
  if (isLost) throw otherUp(folder);
  return children.find((child) => child.finalExit !== null)?.finalExit ?? 0;
}

/** In the order in which they are stopped: who trades first, who shows last. */
function childrenOf(options: UpOptions, data: string, market: MarketMemory): Child[] {
  const symbols = ["--symbols", market.symbols.join(",")];
  const venue = ["--venue", market.venue];
  const roles: [string, string[]][] = [];
  for (const strategy of options.strategies) {
    const isFile = strategy.endsWith(".ts");
    const name = isFile ? basename(strategy, ".ts") : strategy;
    // Its market is simulated: a venue in the configuration is for runners that a person starts.
    const paper = ["--broker", "paper"];
    const words = ["runner", "--strategy", isFile ? resolve(strategy) : strategy, "--name", name];
    roles.push([name, [...words, ...paper, ...symbols]]);
  }
  roles.push(["scanner", ["scanner"]]);
  roles.push(["market-data", ["market-data", "--feed", "sim", ...venue, ...symbols]]);
  const seeded = ["--seed", `${market.seed}`, "--speed", `${market.speed}`];
  roles.push(["sim", ["sim", "--port", "0", ...seeded, ...venue, ...symbols]]);
  roles.push(["bridge", ["bridge", "--host", options.host, "--port", `${options.port}`, ...exposureWords(options)]]);
  const width = Math.max(...roles.map(([name]) => name.length));
  return roles.map(([name, words]) => {
    const command = [...platform.selfCommand(), ...words, "--data", data];
    return new Child(name, command, {
      clock: platform.clock,
      timers: platform.timers,
      say: (line) => say(name.padEnd(width), line),
    });
  });
}

/** The flags that give the bridge what `up` was given. */
function exposureWords({ tokenFile, insecure, allowHosts, cors }: Exposure): string[] {
  return [
    ...(tokenFile === null ? [] : ["--token-file", resolve(tokenFile)]),
    ...(insecure ? ["--insecure"] : []),
    ...allowHosts.flatMap((name) => ["--allow-host", name]),
    ...(cors === null ? [] : ["--cors", cors]),
  ];
}

/** One after the other, all within the bound; what is left then is killed. */
async function stopAll(children: readonly Child[]): Promise<void> {
  const limit = platform.timers.after(STOP_WITHIN_MS, () => {
    for (const child of children) child.kill();
  });
  for (const child of children) child.stayDown();
  for (const child of children) await child.stop();
  limit.cancel();
}

/**
 * The port, which nobody listens on: the bridge would say so again and again, better once, before anything starts. For 0 a free
 * one, chosen here so that a restarted bridge has the same. Throws FabricError "unavailable".
 */
async function freePort(host: string, port: number): Promise<number> {
  const server = platform.serve({ host, port, fetch: () => new Response(null, { status: 503 }) });
  await server.stop();
  return server.port;
}

function hostText(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function say(who: string, line: string): void {
  process.stderr.write(`${who} | ${line}\n`);
}
