import type { Role } from "./wish.ts";

/** A node of the play: its name, its role, and the words that start it. */
export interface Part {
  readonly name: string;
  readonly role: Role;
  readonly words: readonly string[];
}

export const SYMBOLS: readonly string[] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/** Exchange ms per wall ms: a minute closes twice a second, so that kills fall around closes and orders come often. */
export const SPEED = 120;
/** The runners' names. The first folds its state anew at each restart, the second saves and restores it. */
export const RUNNERS = ["busy", "saver"] as const;
/** Their strategies' versions: what is written into files for the nodes and loaded for the judge is one text. */
export type Runner = (typeof RUNNERS)[number];

export interface Ports {
  readonly sim: number;
  /** Where market-data finds the exchange: our proxy. */
  readonly exchange: number;
  /** Where market-data publishes besides its ipc socket. */
  readonly market: number;
  /** Where `busy` and the scanner hear it: our proxy. `saver` hears the ipc socket. */
  readonly zmq: number;
  readonly bridge: number;
}

export interface Stage {
  readonly data: string;
  /** This run's own folder outside the data, whose name marks its processes. */
  readonly work: string;
  readonly seed: number;
  readonly ports: Ports;
  /** The strategies' files by runner. */
  readonly strategies: ReadonlyMap<Runner, string>;
}

/** Who plays, in the order in which they are started. */
export function castOf({ data, seed, ports, strategies }: Stage): readonly Part[] {
  const symbols = ["--symbols", SYMBOLS.join(",")];
  const folder = ["--data", data];
  const overProxy = ["--market", `tcp://127.0.0.1:${ports.zmq}`];
  const runner = (name: Runner, more: readonly string[]): Part => ({
    name,
    role: "runner",
    words: ["runner", "--strategy", strategies.get(name) ?? name, "--name", name, ...symbols, ...more, ...folder],
  });
  const marketData = ["--feed", "binance", "--url", `ws://127.0.0.1:${ports.exchange}`, ...symbols];
  const sim = ["--port", `${ports.sim}`, "--seed", `${seed}`, "--speed", `${SPEED}`, ...symbols];
  return [
    { name: "sim", role: "sim", words: ["sim", ...sim, ...folder] },
    {
      name: "market-data",
      role: "market-data",
      words: ["market-data", ...marketData, "--publish", `tcp://127.0.0.1:${ports.market}`, ...folder],
    },
    runner("busy", overProxy),
    runner("saver", []),
    { name: "scanner", role: "scanner", words: ["scanner", ...overProxy, ...folder] },
    { name: "bridge", role: "bridge", words: ["bridge", "--port", `${ports.bridge}`, ...folder] },
  ];
}

/**
 * A user's strategy that trades on most candles, up to twice, out of a state that only an exact fold brings back. The one that
 * saves keeps its average as it is: a restart goes on from the saved state.
 */
export function strategyText(runner: Runner): string {
  const saves = `
  save: (state) => ({ average: state.average, seen: state.seen }),
  restore: (saved) => ({ average: saved.average, seen: saved.seen }),`;
  return `import { defineStrategy, v } from "fabric";
export default defineStrategy({
  name: "${runner}", version: "1", params: v.object({}), warmup: () => 30,
  init: () => ({ average: 0, seen: 0 }),${runner === "saver" ? saves : ""}
  onCandle({ candle, state, position, warmingUp }) {
    state.seen++;
    state.average = state.average === 0 ? candle.close : state.average * 0.9 + candle.close * 0.1;
    if (warmingUp) return;
    const up = candle.close > state.average;
    const decisions = [{ side: up ? "buy" : "sell", quantity: "0.01", reason: "seen " + state.seen + ", held " + position.quantity }];
    if (state.seen % 3 === 0) decisions.push({ side: up ? "sell" : "buy", quantity: "0.004" });
    return state.seen % 7 === 0 ? [] : decisions;
  },
});
`;
}
