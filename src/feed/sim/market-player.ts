import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import type { SimMarket, SimMinute } from "./sim-market.ts";
import type { SimSymbol } from "./sim-symbol.ts";

/** A symbol on its way through the market. */
export interface MarketLane {
  readonly symbol: SimSymbol;
  /** The minute that was played last. */
  minute: SimMinute | null;
}

/** Room for the lane (5,000 symbols) and the trade's place in its minute (3,600 an hour) inside a sort key. */
const LANE_ROOM = 8192;
const PLACE_ROOM = 4096;

/** Plays a market's trades through time, merged by (time, symbol, id). */
export class MarketPlayer<Lane extends MarketLane> {
  readonly #market: SimMarket;
  readonly #lanes: readonly Lane[];
  #keys = new Float64Array(1024);

  /** `lanes` in the order of their names. */
  constructor(market: SimMarket, lanes: readonly Lane[]) {
    this.#market = market;
    this.#lanes = lanes;
  }

  /** Gives every trade after `afterMs` up to and including `throughMs` of the lanes that are heard, and returns their number. */
  play(
    afterMs: number,
    throughMs: number,
    heard: (lane: Lane) => boolean,
    publish: (lane: Lane, minute: SimMinute, place: number) => void,
  ): number {
    let played = 0;
    for (let from = afterMs; from < throughMs; ) {
      const openTime = minuteOf(from + 1);
      const to = Math.min(throughMs, openTime + MINUTE_MS - 1);
      const keys = this.#order(openTime, from - openTime, to - openTime, heard);
      played += keys.length;
      for (const key of keys) {
        const place = key % PLACE_ROOM;
        const lane = this.#lanes[((key - place) / PLACE_ROOM) % LANE_ROOM];
        if (lane?.minute) publish(lane, lane.minute, place);
      }
      from = to;
    }
    return played;
  }

  /** One minute's trades with an offset after `after` and up to `through`, as sort keys in order. */
  #order(openTime: number, after: number, through: number, heard: (lane: Lane) => boolean): Float64Array {
    let count = 0;
    for (let index = 0; index < this.#lanes.length; index++) {
      const lane = this.#lanes[index];
      if (!lane || !heard(lane)) continue;
      if (lane.minute?.openTime !== openTime) lane.minute = this.#market.minute(lane.symbol, openTime);
      count = this.#collect(lane.minute, index, after, through, count);
    }
    return this.#keys.subarray(0, count).sort();
  }

  /** Appends sort keys: offset, then lane (lanes are sorted by name), then place in the minute. */
  #collect(minute: SimMinute, index: number, after: number, through: number, count: number): number {
    let next = count;
    for (let place = countThrough(minute, after); place < minute.count; place++) {
      const offset = minute.offsets[place] ?? 0;
      if (offset > through) break;
      if (next === this.#keys.length) {
        const larger = new Float64Array(2 * next);
        larger.set(this.#keys);
        this.#keys = larger;
      }
      this.#keys[next++] = (offset * LANE_ROOM + index) * PLACE_ROOM + place;
    }
    return next;
  }
}

/** The trades of the minute with an offset up to `offset`: a binary search, as minutes are looked into every few ms. */
export function countThrough(minute: SimMinute, offset: number): number {
  let low = 0;
  let high = minute.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((minute.offsets[middle] ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
