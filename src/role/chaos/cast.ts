import type { Role } from "./wish.ts";

/** A node of the play: its name, its role, and the words that start it. */
export interface Part {
  readonly name: string;
  readonly role: Role;
  readonly words: readonly string[];
  /** What only the configuration may say, for a node that is not a child of a supervisor; null for one that is. */
  readonly configured: Readonly<Record<string, string>> | null;
}

export const SYMBOLS: readonly string[] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/** Exchange ms per wall ms: a minute closes twice a second, so that kills fall around closes and orders come often. */
export const SPEED = 120;
/** The runners on paper. The first folds its state anew at each restart, the second saves and restores it. */
export const PAPER_RUNNERS = ["busy", "saver"] as const;
/** The runner that trades live at the simulated exchange, over the exchange's wire. */
export const LIVE_RUNNER = "trader";
export const RUNNERS = [...PAPER_RUNNERS, LIVE_RUNNER] as const;
export type Runner = (typeof RUNNERS)[number];
/** Every node that consumes candles. */
export const CONSUMERS: readonly string[] = [...RUNNERS, "scanner"];
/** What the account at the simulated exchange begins with: nothing of what is traded. */
const OPENING = "USDT=1000000000";

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
  /** The file with the simulated account's keys. */
  readonly keys: string;
}

/** Who plays, in the order in which they are started. */
export function castOf({ data, seed, ports, strategies, keys }: Stage): readonly Part[] {
  const symbols = ["--symbols", SYMBOLS.join(",")];
  const folder = ["--data", data];
  const overProxy = ["--market", `tcp://127.0.0.1:${ports.zmq}`];
  const runner = (name: Runner, more: readonly string[]): Part => ({
    name,
    role: "runner",
    words: ["runner", "--strategy", strategies.get(name) ?? name, "--name", name, ...symbols, ...more, ...folder],
    configured: null,
  });
  // Decisions stay good for an hour of the exchange's, half a minute of ours: under load few would be young enough.
  const live = ["--broker", "binance", "--live", "--max-decision-age", "1h", ...NO_LIMITS];
  const marketData = ["--feed", "binance", "--url", `ws://127.0.0.1:${ports.exchange}`, ...symbols];
  const market = ["--seed", `${seed}`, "--speed", `${SPEED}`, "--venue-balances", OPENING, ...symbols];
  const sim = ["--port", `${ports.sim}`, ...market];
  return [
    { name: "sim", role: "sim", words: ["sim", ...sim, ...folder], configured: null },
    {
      name: "market-data",
      role: "market-data",
      words: ["market-data", ...marketData, "--publish", `tcp://127.0.0.1:${ports.market}`, ...folder],
      configured: null,
    },
    runner("busy", overProxy),
    runner("saver", []),
    {
      ...runner(LIVE_RUNNER, [...overProxy, ...live]),
      configured: {
        FABRIC_RUNNER__BROKER_URL: `http://127.0.0.1:${ports.exchange}`,
        FABRIC_RUNNER__KEY_FILE: keys,
      },
    },
    { name: "scanner", role: "scanner", words: ["scanner", ...overProxy, ...folder], configured: null },
    { name: "bridge", role: "bridge", words: ["bridge", "--port", `${ports.bridge}`, ...folder], configured: null },
  ];
}

const NO_LIMITS = ["--max-position", "--max-notional", "--max-orders-per-minute", "--max-daily-loss"].flatMap(
  (limit) => [limit, "none"],
);
NO_LIMITS.push("--price-collar", "none");

/**
 * A user's strategy that trades on most candles, up to twice, out of a state that only an exact fold brings back. The one that
 * saves keeps its average as it is: a restart goes on from the saved state.
 */
export function strategyText(runner: Runner): string {
  if (runner === LIVE_RUNNER) return TRADER;
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

/** Buys a little on most candles and sells a part once it holds some: an order a minute and symbol, in whole steps. */
const TRADER = `import { defineStrategy, v } from "fabric";
export default defineStrategy({
  name: "trader", version: "1", params: v.object({}), warmup: () => 0, init: () => ({}),
  onCandle: ({ position }) =>
    Number(position.quantity) < 0.05 ? [{ side: "buy", quantity: "0.02" }] : [{ side: "sell", quantity: "0.03" }],
});
`;
