import type { BarPage, BarQuery, GapQuery, NumberedGap } from "../core/bars.ts";
import type { Timers } from "../core/env.ts";
import { FabricError } from "../core/errors.ts";
import type { CandleReader } from "./contract.ts";

/** Reads at once; one more is turned away ("try-again"). */
export const MAX_CONCURRENT_READS = 16;
const READ_DEADLINE_MS = 5000;

/**
 * Keeps browsers from piling reads on the store: the same question asked while it is being read shares one read, different
 * ones are bounded in number, and a read that takes too long is answered ("unavailable") though its place stays taken until it ends.
 * Every method rejects with FabricError "try-again" or "unavailable", or what the reader rejects with.
 */
export class CandleDesk {
  readonly #reader: CandleReader;
  readonly #timers: Timers;
  readonly #reading = new Map<string, Promise<unknown>>();

  constructor(reader: CandleReader, timers: Timers) {
    this.#reader = reader;
    this.#timers = timers;
  }

  bars(query: BarQuery): Promise<BarPage | null> {
    return this.#shared(`bars ${JSON.stringify(query)}`, () => this.#reader.bars(query));
  }

  gaps(query: GapQuery): Promise<readonly NumberedGap[] | null> {
    return this.#shared(`gaps ${JSON.stringify(query)}`, () => this.#reader.gaps(query));
  }

  /** A key stands for one kind of answer, so that what is shared is of the asked type. */
  #shared<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const shared = this.#reading.get(key) as Promise<T> | undefined;
    if (shared) return this.#withDeadline(shared);
    if (this.#reading.size >= MAX_CONCURRENT_READS) {
      const found = `${MAX_CONCURRENT_READS} reads are under way`;
      return Promise.reject(new FabricError("try-again", `Cannot read candles now: ${found}; ask again in a moment`));
    }
    const read = ask().finally(() => this.#reading.delete(key));
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
