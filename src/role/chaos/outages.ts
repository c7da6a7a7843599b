/** How long the exchange must be whole without a break before an outage counts as over: requests are retried within this. */
const WHOLE_AFTER_MS = 3000;
/** market-data waits this long for a minute that it missed, and gives it up (a gap) only after it. */
const PATIENCE_MS = 10_000;

export interface OutageFacts {
  /** The longest that market-data could not ask the exchange. */
  readonly longestMs: number;
  /** All outages added up that were longer than market-data's patience. */
  readonly beyondPatienceMs: number;
}

/** Adds up, look by look, how long market-data could not ask the exchange. Times are monotonic ms. */
export class Outages {
  #sinceMs: number | null = null;
  #awayMs = 0;
  #longestMs = 0;
  #endedMs = 0;

  look(isAway: boolean, nowMs: number): void {
    if (isAway) {
      this.#sinceMs ??= nowMs;
      this.#awayMs = nowMs;
    }
    if (this.#sinceMs === null) return;
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#sinceMs);
    if (nowMs - this.#awayMs >= WHOLE_AFTER_MS) this.#end(nowMs - this.#sinceMs);
  }

  facts(nowMs: number): OutageFacts {
    const openMs = this.#sinceMs === null ? 0 : nowMs - this.#sinceMs;
    return {
      longestMs: Math.round(this.#longestMs),
      beyondPatienceMs: Math.round(this.#endedMs + (openMs >= PATIENCE_MS ? openMs : 0)),
    };
  }

  #end(lastedMs: number): void {
    if (lastedMs >= PATIENCE_MS) this.#endedMs += lastedMs;
    this.#sinceMs = null;
  }
}
