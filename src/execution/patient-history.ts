import type { StoredCandle } from "../core/candle.ts";
import type { Log, Timer, Timers } from "../core/env.ts";
import { FabricError, isPassing, messageOf } from "../core/errors.ts";
import type { MarketHistory } from "./decision-maker.ts";

export interface PatientHistoryDeps {
  readonly market: MarketHistory;
  readonly timers: Timers;
  readonly log: Log;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2000;
/** Waiting between two warnings about the same read; its first failure is told at once. */
const WARNING_MS = 10_000;

/**
 * The store's reader, asked again while it cannot answer: a runner that has to look back waits for the store instead of halting.
 * What does not pass by itself ("refused", "config", a bug) rejects as it is.
 */
export class PatientHistory implements MarketHistory {
  readonly #deps: PatientHistoryDeps;
  readonly #pauses = new Set<{ readonly timer: Timer; readonly end: () => void }>();
  #closed = false;

  constructor(deps: PatientHistoryDeps) {
    this.#deps = deps;
  }

  view(): ReturnType<MarketHistory["view"]> {
    return this.#untilItWorks("the store's state", () => this.#deps.market.view());
  }

  history(symbol: string, fromOpenTime: number, toOpenTime: number): Promise<readonly StoredCandle[]> {
    return this.#untilItWorks(`the history of ${symbol}`, () =>
      this.#deps.market.history(symbol, fromOpenTime, toOpenTime),
    );
  }

  /** Ends any waiting at once: what waited rejects with FabricError "try-again". The reader stays open. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const { timer, end } of this.#pauses) {
      timer.cancel();
      end();
    }
    this.#pauses.clear();
  }

  async #untilItWorks<T>(what: string, read: () => Promise<T>): Promise<T> {
    let untoldMs = WARNING_MS;
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_RETRY_MS)) {
      if (this.#closed) throw new FabricError("try-again", `Stopped while waiting for ${what}`);
      try {
        return await read();
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (untoldMs >= WARNING_MS) {
          this.#deps.log.warn(`Waiting for ${what}, trying again: ${messageOf(error)}`);
          untoldMs = 0;
        }
      }
      if (!this.#closed) await this.#pause(delayMs);
      untoldMs += delayMs;
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.timers.after(delayMs, () => {
        this.#pauses.delete(pause);
        resolve();
      });
      const pause = { timer, end: resolve };
      this.#pauses.add(pause);
    });
  }
}
