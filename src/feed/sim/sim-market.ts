import { assert } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { Dice, hashWords, roughPowerOfTwo, smoothNoise } from "./chance.ts";
import { type SimSymbol, simSymbol } from "./sim-symbol.ts";

/** Trades in each hour of each symbol: a constant, so that the first id of an hour is a product. */
export const TRADES_PER_HOUR = 3600;

/** The trades of one symbol in one minute, in order of id, column by column. */
export interface SimMinute {
  readonly openTime: number;
  readonly count: number;
  /** The id of the first trade (of the next one to come where the minute has none); the rest follow by one. */
  readonly firstId: number;
  /** Milliseconds into the minute, 0 to 59,999, never falling. */
  readonly offsets: Uint16Array;
  readonly ticks: Int32Array;
  readonly lots: Int32Array;
  /** 1 where the taker sold. */
  readonly sells: Uint8Array;
}

/** Price noise: its period in seconds and its height as a part of the base price. Together below a half, so prices stay above 0. */
const OCTAVES: readonly (readonly [number, number])[] = [
  [20, 0.0002],
  [90, 0.0005],
  [420, 0.0012],
  [1800, 0.003],
  [7200, 0.006],
  [36_000, 0.015],
  [345_600, 0.05],
  [5_184_000, 0.18],
];

const MINUTES_PER_HOUR = 60;
const USUAL_WEIGHT = 400;
/** Hours whose split over their minutes is remembered; beyond it the oldest is dropped and computed again when asked for. */
const MAX_CACHED_HOURS = 16_384;
/** The middle price is computed every 10 s and is straight in between. */
const KNOT_MS = 10_000;
const KNOTS = MINUTE_MS / KNOT_MS;

/**
 * A market whose trades are a pure function of seed, symbol and exchange time. Any minute since 1970 costs the same, in any
 * order. The cache of hour splits is the only state, and cannot be seen from outside.
 */
export class SimMarket {
  readonly symbols: readonly SimSymbol[];
  readonly #hours = new Map<string, Int32Array>();

  /** `seed`: 0 to 2^53 - 1. Symbols keep the order given. */
  constructor(seed: number, symbols: readonly string[]) {
    this.symbols = symbols.map((name) => simSymbol(seed, name));
  }

  /** The id of the minute's first trade; of the next one to come where the minute has none. */
  firstIdOf(symbol: SimSymbol, openTime: number): number {
    const minute = minuteIndex(openTime);
    const hour = Math.floor(minute / MINUTES_PER_HOUR);
    const before = this.#split(symbol, hour)[minute % MINUTES_PER_HOUR] ?? 0;
    return hour * TRADES_PER_HOUR + before + idBase(symbol);
  }

  /** How many trades the minute has. */
  countOf(symbol: SimSymbol, openTime: number): number {
    const minute = minuteIndex(openTime);
    const split = this.#split(symbol, Math.floor(minute / MINUTES_PER_HOUR));
    const at = minute % MINUTES_PER_HOUR;
    return (split[at + 1] ?? 0) - (split[at] ?? 0);
  }

  /** The openTime of the minute that holds the trade with this id, null before the first trade of 1970. */
  minuteOfId(symbol: SimSymbol, id: number): number | null {
    const number = id - idBase(symbol);
    if (number < 0) return null;
    const hour = Math.floor(number / TRADES_PER_HOUR);
    const split = this.#split(symbol, hour);
    let at = 0;
    while ((split[at + 1] ?? Number.POSITIVE_INFINITY) <= number % TRADES_PER_HOUR) at++;
    return (hour * MINUTES_PER_HOUR + at) * MINUTE_MS;
  }

  /** Every trade of the minute. */
  minute(symbol: SimSymbol, openTime: number): SimMinute {
    const count = this.countOf(symbol, openTime);
    const dice = new Dice(symbol.seedA, symbol.seedB, minuteIndex(openTime), 0x7261);
    const offsets = drawOffsets(dice, count);
    const columns = drawTrades(dice, symbol, openTime, offsets);
    return { openTime, count, firstId: this.firstIdOf(symbol, openTime), offsets, ...columns };
  }

  /** The price in ticks of the last trade before `openTime`: an hour always has trades, so the search is short. */
  closeTicksBefore(symbol: SimSymbol, openTime: number): number {
    let minute = openTime - MINUTE_MS;
    while (minute > 0 && this.countOf(symbol, minute) === 0) minute -= MINUTE_MS;
    return minute < 0 ? symbol.baseTicks : (this.minute(symbol, minute).ticks.at(-1) ?? symbol.baseTicks);
  }

  /** Trades before each minute of the hour, and in the end all: 61 numbers. */
  #split(symbol: SimSymbol, hour: number): Int32Array {
    const key = `${symbol.name} ${hour}`;
    const known = this.#hours.get(key);
    if (known) return known;
    const split = splitHour(symbol, hour);
    if (this.#hours.size >= MAX_CACHED_HOURS) {
      const oldest = this.#hours.keys().next().value;
      if (oldest !== undefined) this.#hours.delete(oldest);
    }
    this.#hours.set(key, split);
    return split;
  }
}

function minuteIndex(openTime: number): number {
  assert(openTime >= 0 && openTime % MINUTE_MS === 0, `openTime ${openTime} is the start of a minute since 1970`);
  return openTime / MINUTE_MS;
}

/** Symbols do not share ids; the first of 1970 lies between 1 and 10^9. */
function idBase(symbol: SimSymbol): number {
  return 1 + (symbol.seedA % 1_000_000_000);
}

/** Shares the hour's trades out: about one minute in twenty-five is quiet, one in twenty a burst. */
function splitHour(symbol: SimSymbol, hour: number): Int32Array {
  const dice = new Dice(symbol.seedA, symbol.seedB, hour, 0x686f);
  const before = new Float64Array(MINUTES_PER_HOUR + 1);
  for (let at = 0; at < MINUTES_PER_HOUR; at++) {
    // The first minute always has trades: an hour without any could not be split, and a search for a last price must end.
    const weight = drawActivity(dice);
    before[at + 1] = (before[at] ?? 0) + (at === 0 ? weight + USUAL_WEIGHT : weight);
  }
  const total = before[MINUTES_PER_HOUR] ?? 0;
  return Int32Array.from(before, (sum) => Math.floor((sum * TRADES_PER_HOUR) / total));
}

/** A minute's weight, a whole number; 0 is quiet. */
function drawActivity(dice: Dice): number {
  const kind = dice.below(100);
  const weight = USUAL_WEIGHT + dice.below(2 * USUAL_WEIGHT);
  if (kind < 4) return 0;
  return kind < 9 ? weight * (4 + dice.below(5)) : weight;
}

/** Sorted times: about every fourth trade shares the millisecond of the one before it, as a sweep through a book does. */
function drawOffsets(dice: Dice, count: number): Uint16Array {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let at = 0; at < count; at++) {
    const kind = dice.below(16);
    const gap = 1 + dice.below(1 << 16);
    if (kind >= 4) sum += kind < 7 ? gap >> 8 : gap;
    sums[at] = sum;
  }
  const total = sum + 1 + dice.below(1 << 16);
  return Uint16Array.from(sums, (before) => Math.floor((before * MINUTE_MS) / total));
}

function drawTrades(dice: Dice, symbol: SimSymbol, openTime: number, offsets: Uint16Array) {
  const middle = middleTicks(symbol, openTime);
  const spread = symbol.baseTicks * 0.00002;
  const ticks = new Int32Array(offsets.length);
  const lots = new Int32Array(offsets.length);
  const sells = new Uint8Array(offsets.length);
  let depth = 0;
  let sell = 0;
  let noise = 0;
  for (let at = 0; at < offsets.length; at++) {
    const offset = offsets[at] ?? 0;
    if (at > 0 && offset === offsets[at - 1]) depth += dice.below(3) * spread * 0.5;
    else {
      depth = 0;
      sell = dice.word() & 1;
      noise = (dice.unit() + dice.unit() - 1) * spread * 3;
    }
    const away = spread * 0.5 + depth;
    const knot = Math.floor(offset / KNOT_MS);
    const from = middle[knot] ?? 0;
    const price = from + ((middle[knot + 1] ?? from) - from) * (offset / KNOT_MS - knot) + noise;
    ticks[at] = Math.max(1, Math.round(sell ? price - away : price + away));
    lots[at] = drawLots(dice, symbol);
    sells[at] = sell;
  }
  return { ticks, lots, sells };
}

/** Many small trades and a few a hundred times as large. */
function drawLots(dice: Dice, symbol: SimSymbol): number {
  const bell = dice.unit() + dice.unit() + dice.unit() + dice.unit() - 2;
  return Math.max(1, Math.round(symbol.usualLots * roughPowerOfTwo(bell * 3.3)));
}

/** The middle price at the minute's start and each 10 s after it, in ticks and parts of one. */
function middleTicks(symbol: SimSymbol, openTime: number): Float64Array {
  const phase = hashWords(symbol.seedA, symbol.seedB, 5, 6) % 5_184_000;
  const middle = new Float64Array(KNOTS + 1);
  for (let knot = 0; knot <= KNOTS; knot++) {
    const second = (openTime + knot * KNOT_MS) / 1000 + phase;
    let away = 0;
    for (let octave = 0; octave < OCTAVES.length; octave++) {
      const [period, height] = OCTAVES[octave] ?? [1, 0];
      away += height * smoothNoise(symbol.seedB, octave, second, period);
    }
    middle[knot] = symbol.baseTicks * (1 + away);
  }
  return middle;
}
