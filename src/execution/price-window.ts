import type { Candle } from "../core/candle.ts";
import { MINUTE_MS } from "../core/time.ts";

/** Minutes before a candle whose closes its own is held against. */
export const WINDOW_MINUTES = 30;

interface Close {
  readonly openTime: number;
  readonly close: number;
  readonly traded: boolean;
}

/** What the minutes before a candle say of its price. */
export interface PriceReference {
  /** The median close of the 30 minutes before it; null where there was none. */
  readonly median: number | null;
  /** Whether any of them, or the candle itself, had a trade. */
  readonly traded: boolean;
}

/**
 * The closes of each symbol's last 30 minutes, as delivered: a function of the candles alone. At most 30 closes a symbol;
 * older ones are dropped.
 */
export class PriceWindows {
  readonly #closes = new Map<string, Close[]>();

  /** Takes the next candle, in order of openTime. */
  note({ symbol, openTime, close, trades }: Candle): void {
    const closes = this.#closes.get(symbol) ?? [];
    closes.push({ openTime, close, traded: trades > 0 });
    if (closes.length > WINDOW_MINUTES) closes.shift();
    this.#closes.set(symbol, closes);
  }

  /** What is known before the candle, which itself was not noted yet. */
  before({ symbol, openTime, trades }: Candle): PriceReference {
    const from = openTime - WINDOW_MINUTES * MINUTE_MS;
    const within = (this.#closes.get(symbol) ?? []).filter((close) => close.openTime >= from);
    return {
      median: median(within.map(({ close }) => close)),
      traded: trades > 0 || within.some(({ traded }) => traded),
    };
  }
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? null : (upper + lower) / 2;
}
