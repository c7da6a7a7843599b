import type { StoredCandle } from "../core/candle.ts";
import type { Timers } from "../core/env.ts";
import { FabricError } from "../core/errors.ts";
import type { CandleReader } from "./contract.ts";

/** Reads at once; one more is turned away ("try-again"). */
export const MAX_CONCURRENT_READS = 16;
const READ_DEADLINE_MS = 5000;

/**
 * Keeps browsers from piling reads on the store: the same question asked while it is being read shares one read, different
 * ones are bounded in number, and a read that takes too long is answered ("unavailable") though its place stays taken until it ends.
 */
export class CandleDesk {
  readonly #reader: CandleReader;
  readonly #timers: Timers;
  readonly #reading = new Map<string, Promise<readonly StoredCandle[]>>();

  constructor(reader: CandleReader, timers: Timers) {
    this.#reader = reader;
    this.#timers = timers;
  }

  /** Rejects with FabricError "try-again" or "unavailable", or what the reader rejects with. */
  latest(symbol: string, limit: number): Promise<readonly StoredCandle[]> {
    const key = `${symbol} ${limit}`;
    const shared = this.#reading.get(key);
    if (shared) return this.#withDeadline(shared);
    if (this.#reading.size >= MAX_CONCURRENT_READS) {
      const found = `${MAX_CONCURRENT_READS} reads are under way`;
      return Promise.reject(new FabricError("try-again", `Cannot read candles now: ${found}; ask again in a moment`));
    }
    const read = this.#reader.latest(symbol, limit).finally(() => this.#reading.delete(key));
    this.#reading.set(key, read);
    return this.#withDeadline(read);
  }

  #withDeadline<T>(read: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#timers.after(READ_DEADLINE_MS, () => {
        reject(new FabricError("unavailable", `The store did not answer within ${READ_DEADLINE_MS} ms`));
      });
      read.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}
