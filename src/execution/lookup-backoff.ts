/** First look-up of an order whose outcome is open comes after this, wall ms; each further one doubles it up to the longest. */
const FIRST_MS = 250;
const LONGEST_MS = 30_000;
/** Least wall ms between two look-ups that candles ask for. */
const GAP_MS = 1000;

/** When a symbol's orders are to be asked for: soon after something became unclear, then ever less often. Monotonic ms. */
export class LookupBackoff {
  #delayMs = FIRST_MS;
  #lastMs: number;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** Something became unclear: the waiting begins anew. */
  reset(nowMs: number): void {
    this.#delayMs = FIRST_MS;
    this.#lastMs = nowMs;
  }

  /** Until the next look-up; 0 where it is due. */
  untilDueMs(nowMs: number): number {
    return Math.max(0, this.#lastMs + this.#delayMs - nowMs);
  }

  /** Whether a candle may ask out of turn. */
  mayAsk(nowMs: number): boolean {
    return nowMs - this.#lastMs >= GAP_MS;
  }

  /** A look-up begins. */
  asked(nowMs: number): void {
    this.#delayMs = Math.min(this.#delayMs * 2, LONGEST_MS);
    this.#lastMs = nowMs;
  }
}
