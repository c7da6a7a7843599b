import type { Candle } from "../../core/candle.ts";
import type { Log, Timers } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import type { StoreWriter } from "../../store/contract.ts";

/** Corrections that may wait; beyond it the newest are dropped and counted. */
const MAX_WAITING = 10_000;
const RETRY_MS = 1000;
/** A correction of a row that is not in the store (it waits in the commit queue, or was given up) is tried this often. */
const ROWLESS_TRIES = 60;

export interface RevisionQueueDeps {
  readonly writer: Pick<StoreWriter, "revise" | "seal">;
  readonly timers: Timers;
  readonly log: Log;
}

interface Entry {
  readonly candles: readonly Candle[];
  tries: number;
}

export interface RevisionCounters {
  readonly waiting: number;
  readonly stored: number;
  readonly dropped: number;
}

/**
 * Corrections on their way into the store, oldest first. What cannot be stored now (the disk is full, its row is not committed
 * yet) is tried again: nobody would ask the venue for it a second time.
 */
export class RevisionQueue {
  readonly #deps: RevisionQueueDeps;
  readonly #waiting: Entry[] = [];
  #size = 0;
  #stored = 0;
  #dropped = 0;
  #isBusy = false;
  #closed = false;

  constructor(deps: RevisionQueueDeps) {
    this.#deps = deps;
  }

  /** Candles that wait, and those that were stored and dropped since the start. */
  counters(): RevisionCounters {
    return { waiting: this.#size, stored: this.#stored, dropped: this.#dropped };
  }

  /** Never throws. */
  offer(candles: readonly Candle[]): void {
    if (this.#size + candles.length > MAX_WAITING) {
      this.#drop(candles, `${this.#size} corrections wait already`);
      return;
    }
    this.#waiting.push({ candles, tries: 0 });
    this.#size += candles.length;
    if (!this.#isBusy) void this.#work();
  }

  /** Nothing is tried any more. Idempotent. */
  close(): void {
    this.#closed = true;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#waiting[0]; next && !this.#closed; next = this.#waiting[0]) {
      try {
        await this.#deps.writer.revise(next.candles);
      } catch (error) {
        if (++next.tries === 1) this.#deps.log.warn(`Cannot store corrections now, trying again: ${messageOf(error)}`);
        if (isRowless(error) && next.tries >= ROWLESS_TRIES) this.#drop(this.#taken(next), messageOf(error));
        else if (isRowless(error)) this.#waiting.push(...this.#waiting.splice(0, 1));
        await new Promise<void>((resolve) => this.#deps.timers.after(RETRY_MS, resolve));
        continue;
      }
      this.#stored += this.#taken(next).length;
      // The next seal publishes them, too, where this one fails.
      await this.#deps.writer.seal().catch((error: unknown) => {
        this.#deps.log.warn(`Cannot publish corrections now: ${messageOf(error)}`);
      });
    }
    this.#isBusy = false;
  }

  #taken(entry: Entry): readonly Candle[] {
    this.#waiting.splice(this.#waiting.indexOf(entry), 1);
    this.#size -= entry.candles.length;
    return entry.candles;
  }

  #drop(candles: readonly Candle[], reason: string): void {
    this.#dropped += candles.length;
    this.#deps.log.warn(`Dropped ${candles.length} corrections of ${candles[0]?.symbol}: ${reason}`);
  }
}

function isRowless(error: unknown): boolean {
  return error instanceof FabricError && error.code === "bad-data";
}
