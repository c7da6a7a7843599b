import { chmodSync, writeFileSync } from "node:fs";
import { platform } from "#platform";
import { type Answer, KEY, SECRET, signed } from "../feed/sim/venue-client.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, type Running, start } from "../support/fabric.ts";

/** Buys a little on most candles and sells a part once it holds some: an order a minute, in whole steps. */
const TRADER = `
import { defineStrategy, v } from "fabric";
export default defineStrategy({
  name: "trader",
  version: "1",
  params: v.object({}),
  warmup: () => 0,
  init: () => ({}),
  onCandle: ({ position }) =>
    Number(position.quantity) < 0.05 ? [{ side: "buy", quantity: "0.02" }] : [{ side: "sell", quantity: "0.03" }],
});
`;

export const SPEED = 60;

/** A market, a venue and a runner as processes of their own over one data folder. */
export class LiveTrading {
  readonly data: string;
  readonly #port: number;
  readonly #faults: string;
  readonly #seed: number;
  readonly #env: Record<string, string>;
  readonly #strategy: string;
  readonly #running = new Map<string, Running>();

  constructor(
    folder: { readonly path: string; join(...parts: string[]): string },
    port: number,
    seed: number,
    faults: string,
  ) {
    this.data = folder.join("data");
    this.#port = port;
    this.#seed = seed;
    this.#faults = faults;
    this.#strategy = folder.join("trader.ts");
    writeFileSync(this.#strategy, TRADER);
    const keys = folder.join("keys");
    writeFileSync(keys, `${KEY}\n${SECRET}\n`);
    chmodSync(keys, 0o600);
    this.#env = { FABRIC_RUNNER__BROKER_URL: `http://127.0.0.1:${port}`, FABRIC_RUNNER__KEY_FILE: keys };
  }

  start(role: "sim" | "market-data" | "runner"): Running {
    const words = {
      sim: [
        "sim",
        "--port",
        `${this.#port}`,
        "--speed",
        `${SPEED}`,
        "--seed",
        `${this.#seed}`,
        "--venue-faults",
        this.#faults,
        "--symbols",
        "BTCUSDT",
      ],
      "market-data": ["market-data", "--feed", "sim", "--symbols", "BTCUSDT"],
      runner: [
        "runner",
        "--strategy",
        this.#strategy,
        "--symbols",
        "BTCUSDT",
        "--broker",
        "binance",
        "--live",
        "--max-decision-age",
        "1h",
        ...NO_LIMITS,
      ],
    };
    const running = start([...words[role], "--data", this.data], role === "runner" ? { env: this.#env } : {});
    this.#running.set(role, running);
    return running;
  }

  process(role: string): Running {
    const running = this.#running.get(role);
    if (!running) throw new Error(`${role} was not started`);
    return running;
  }

  /** Rows that a command prints as JSON. */
  async rows(...words: string[]): Promise<readonly Readonly<Record<string, string>>[]> {
    const { code, out, err } = await fabric([...words, "--json", "--data", this.data]);
    if (code !== 0) throw new Error(`${words[0]} exited with ${code}: ${err}`);
    return JSON.parse(out) as Readonly<Record<string, string>>[];
  }

  /** Asks the venue itself, until it answers. */
  ask(name: string, parameters: Readonly<Record<string, string>> = {}): Promise<Answer["body"]> {
    const url = `127.0.0.1:${this.#port}`;
    return eventually(async () => {
      const time = await platform.httpGet(`http://${url}/api/v3/time`, 2000);
      const { serverTime } = JSON.parse(time.body) as { serverTime: number };
      const exchange = { exchangeTimeMs: () => serverTime };
      const answer = await signed({ url, exchange }, "GET", name, { recvWindow: 60_000, ...parameters });
      return answer.status === 200 ? answer.body : null;
    }, 20_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.values()) await running[Symbol.asyncDispose]();
  }
}

const NO_LIMITS = ["position", "notional", "orders-per-minute", "daily-loss"].flatMap((limit) => [
  `--max-${limit}`,
  "none",
]);
NO_LIMITS.push("--price-collar", "none");
