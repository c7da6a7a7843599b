import type { Candle, Provenance } from "../core/candle.ts";
import { MINUTE_MS } from "../core/time.ts";
import { bucketOf, type Timeframe, timeframeMs } from "../core/timeframe.ts";
import { ExactSum, type ExactSumState } from "./exact-sum.ts";

/** A bar in the making, as JSON. */
export interface RollUpState {
  readonly bar: Omit<Candle, SumField>;
  readonly minutes: number;
  readonly sums: Readonly<Record<SumField, ExactSumState>>;
}

type SumField = (typeof SUM_FIELDS)[number];
const SUM_FIELDS = ["volume", "quoteVolume", "takerBuyVolume", "takerBuyQuoteVolume"] as const;

/** From the best to the worst: a bar is as good as its worst minute, and partial where a minute is missing. */
const WORSENING: readonly Provenance[] = ["empty", "complete", "backfilled", "imported", "partial"];

/**
 * Rolls one symbol's minutes, in order, up to a timeframe (UTC, weeks from Monday). A bar is given out when its last minute
 * comes, or when a later minute passes it. Holds one bar at most.
 */
export class RollUp {
  readonly #timeframe: Timeframe;
  readonly #minutesPerBar: number;
  #bar: Omit<Candle, SumField> | null = null;
  #minutes = 0;
  #sums = freshSums();

  constructor(timeframe: Timeframe, saved: RollUpState | null = null) {
    this.#timeframe = timeframe;
    this.#minutesPerBar = timeframeMs(timeframe) / MINUTE_MS;
    if (saved === null) return;
    this.#bar = saved.bar;
    this.#minutes = saved.minutes;
    this.#sums = sumsFrom(saved.sums);
  }

  /** The bar that the minute opening at `openTime` passes by, which can no longer become whole; else null. */
  closeBefore(openTime: number): Candle | null {
    return this.#bar !== null && bucketOf(openTime, this.#timeframe) > this.#bar.openTime ? this.#take() : null;
  }

  /** Adds a minute of the present bar (after `closeBefore`); gives the bar where that was its last minute. */
  add(minute: Candle): Candle | null {
    const before = this.#bar;
    this.#bar = before === null ? firstOf(minute, this.#timeframe) : extended(before, minute);
    this.#minutes++;
    for (const field of SUM_FIELDS) this.#sums[field].add(minute[field]);
    const next = minute.openTime + MINUTE_MS;
    return bucketOf(next, this.#timeframe) === next ? this.#take() : null;
  }

  save(): RollUpState | null {
    if (this.#bar === null) return null;
    const { volume, quoteVolume, takerBuyVolume, takerBuyQuoteVolume } = this.#sums;
    return {
      bar: this.#bar,
      minutes: this.#minutes,
      sums: {
        volume: volume.save(),
        quoteVolume: quoteVolume.save(),
        takerBuyVolume: takerBuyVolume.save(),
        takerBuyQuoteVolume: takerBuyQuoteVolume.save(),
      },
    };
  }

  #take(): Candle | null {
    if (this.#bar === null) return null;
    const whole: Candle = {
      ...this.#bar,
      volume: this.#sums.volume.value(),
      quoteVolume: this.#sums.quoteVolume.value(),
      takerBuyVolume: this.#sums.takerBuyVolume.value(),
      takerBuyQuoteVolume: this.#sums.takerBuyQuoteVolume.value(),
    };
    const bar: Candle = this.#minutes < this.#minutesPerBar ? { ...whole, provenance: "partial" } : whole;
    this.#bar = null;
    this.#minutes = 0;
    this.#sums = freshSums();
    return bar;
  }
}

function firstOf(minute: Candle, timeframe: Timeframe): Omit<Candle, SumField> {
  return {
    symbol: minute.symbol,
    openTime: bucketOf(minute.openTime, timeframe),
    open: minute.open,
    high: minute.high,
    low: minute.low,
    close: minute.close,
    trades: minute.trades,
    firstTradeId: minute.firstTradeId,
    lastTradeId: minute.lastTradeId,
    provenance: minute.provenance,
  };
}

function extended(bar: Omit<Candle, SumField>, minute: Candle): Omit<Candle, SumField> {
  return {
    ...bar,
    high: Math.max(bar.high, minute.high),
    low: Math.min(bar.low, minute.low),
    close: minute.close,
    trades: bar.trades + minute.trades,
    firstTradeId: bar.trades === 0 ? minute.firstTradeId : bar.firstTradeId,
    lastTradeId: minute.trades === 0 ? bar.lastTradeId : minute.lastTradeId,
    provenance: worse(bar.provenance, minute.provenance),
  };
}

function worse(a: Provenance, b: Provenance): Provenance {
  return WORSENING.indexOf(a) > WORSENING.indexOf(b) ? a : b;
}

function freshSums(): Record<SumField, ExactSum> {
  return {
    volume: new ExactSum(),
    quoteVolume: new ExactSum(),
    takerBuyVolume: new ExactSum(),
    takerBuyQuoteVolume: new ExactSum(),
  };
}

function sumsFrom(saved: Readonly<Record<SumField, ExactSumState>>): Record<SumField, ExactSum> {
  return {
    volume: new ExactSum(saved.volume),
    quoteVolume: new ExactSum(saved.quoteVolume),
    takerBuyVolume: new ExactSum(saved.takerBuyVolume),
    takerBuyQuoteVolume: new ExactSum(saved.takerBuyQuoteVolume),
  };
}
