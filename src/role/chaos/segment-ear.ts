import { platform } from "#platform";
import type { StoredCandle } from "../../core/candle.ts";
import { messageOf } from "../../core/errors.ts";
import type { StoreReader } from "../../store/contract.ts";
import { openStoreReader } from "../../store/reader.ts";
import type { SegmentReads } from "./evidence.ts";

const LOOK_MS = 300;
const PAGE_ROWS = 1000;

/** An own reader of the published segments: remembers every row at the moment it became visible there. */
export class SegmentEar {
  readonly rows: StoredCandle[] = [];
  readonly #reader: StoreReader;
  readonly #timer: { cancel(): void };
  #afterSeq = 0;
  #reading: Promise<void> | null = null;
  #reads = 0;
  /** Reads that failed: damaged files are part of the play. */
  #failures = 0;
  #fault: string | null = null;

  constructor(data: string) {
    this.#reader = openStoreReader({ folder: data }, platform);
    this.#timer = platform.timers.every(LOOK_MS, () => {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = null;
      });
    });
  }

  /** With everything stopped: reads what is left, so that every published row was read. */
  async readRest(): Promise<SegmentReads> {
    this.#timer.cancel();
    await this.#reading;
    let before: number;
    do {
      before = this.#afterSeq;
      await this.#read();
    } while (this.#afterSeq !== before);
    return { reads: this.#reads, failures: this.#failures, atLast: this.#fault };
  }

  async close(): Promise<void> {
    this.#timer.cancel();
    await this.#reading;
    await this.#reader.close();
  }

  async #read(): Promise<void> {
    this.#reads++;
    this.#fault = null;
    try {
      const page = await this.#reader.delivery(this.#afterSeq, PAGE_ROWS, "all");
      if (page === null) return;
      this.rows.push(...page.candles);
      this.#afterSeq = page.throughSeq;
    } catch (error) {
      this.#failures++;
      this.#fault = messageOf(error);
    }
  }
}
