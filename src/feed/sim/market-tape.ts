import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import { formatScaled, WIRE_DECIMALS, wireFormatter } from "./decimal.ts";
import type { KlineRow } from "./exact-candle.ts";
import { SimMarket, type SimMinute } from "./sim-market.ts";
import type { SimSymbol } from "./sim-symbol.ts";
import type { Channel, Channels, KlineQuery, RestTrade, Tape, TapeSymbol } from "./tape.ts";
import { checkMarketOptions, marketCandle, type SimMarketOptions } from "./truth.ts";

/** A symbol on its way through the market, with the pieces of its frames that never change. */
interface Lane {
  readonly symbol: SimSymbol;
  readonly stream: string;
  readonly beforeId: string;
  readonly formatPrice: (ticks: number) => string;
  readonly formatQuantity: (lots: number) => string;
  minute: SimMinute | null;
  channel: Channel | undefined;
}

/** Room for the lane (5,000 symbols) and the trade's place in its minute (3,600 an hour) inside a sort key. */
const LANE_ROOM = 8192;
const PLACE_ROOM = 4096;

/** A seeded market as an exchange plays it: spot `@trade` frames in Binance's field order, merged by (time, symbol, id). */
export class MarketTape implements Tape {
  readonly environment: string;
  readonly symbols: ReadonlyMap<string, TapeSymbol>;
  readonly #market: SimMarket;
  readonly #lanes: readonly Lane[];
  readonly #byName: ReadonlyMap<string, Lane>;
  #keys = new Float64Array(1024);

  /** Throws FabricError "usage" for options out of range. */
  constructor(options: SimMarketOptions) {
    checkMarketOptions(options);
    this.environment = simEnvironment(options.seed, options.startMs);
    this.#market = new SimMarket(options.seed, [...options.symbols].sort());
    this.#lanes = this.#market.symbols.map(laneOf);
    this.#byName = new Map(this.#lanes.map((lane) => [lane.symbol.name, lane]));
    this.symbols = new Map(this.#market.symbols.map((symbol) => [symbol.name, tapeSymbol(symbol)]));
  }

  play(afterMs: number, throughMs: number, channels: Channels): number {
    let played = 0;
    for (let from = afterMs; from < throughMs; ) {
      const openTime = minuteOf(from + 1);
      const to = Math.min(throughMs, openTime + MINUTE_MS - 1);
      played += this.#playWithin(openTime, from - openTime, to - openTime, channels);
      from = to;
    }
    return played;
  }

  klines(name: string, query: KlineQuery, nowMs: number): readonly KlineRow[] {
    const lane = this.#byName.get(name);
    if (!lane) return [];
    const last = minuteOf(Math.min(nowMs, query.endTime ?? nowMs));
    const first =
      query.startTime === null
        ? Math.max(0, last - (query.limit - 1) * MINUTE_MS)
        : Math.ceil(query.startTime / MINUTE_MS) * MINUTE_MS;
    const rows: KlineRow[] = [];
    for (let openTime = first; openTime <= last && rows.length < query.limit; openTime += MINUTE_MS)
      rows.push(marketCandle(this.#market, lane.symbol, openTime, nowMs).kline());
    return rows;
  }

  trades(name: string, fromId: number | null, limit: number, nowMs: number): readonly RestTrade[] {
    const lane = this.#byName.get(name);
    if (!lane) return [];
    const oldest = this.#market.firstIdOf(lane.symbol, 0);
    const nextId = this.#nextId(lane.symbol, nowMs);
    const first = Math.max(oldest, fromId ?? nextId - limit);
    const end = Math.min(nextId, first + limit);
    const rows: RestTrade[] = [];
    let minute: SimMinute | null = null;
    for (let id = first; id < end; id++) {
      if (!minute || id >= minute.firstId + minute.count)
        minute = this.#market.minute(lane.symbol, this.#market.minuteOfId(lane.symbol, id) ?? 0);
      rows.push(restTrade(lane, minute, id - minute.firstId));
    }
    return rows;
  }

  /** The id after the newest trade at or before `nowMs`. */
  #nextId(symbol: SimSymbol, nowMs: number): number {
    const minute = this.#market.minute(symbol, minuteOf(nowMs));
    return minute.firstId + countThrough(minute, nowMs - minute.openTime);
  }

  /** Publishes one minute's trades with an offset after `after` and up to `through`. */
  #playWithin(openTime: number, after: number, through: number, channels: Channels): number {
    let count = 0;
    for (let index = 0; index < this.#lanes.length; index++) {
      const lane = this.#lanes[index];
      if (!lane) continue;
      lane.channel = channels.get(lane.stream);
      if (!lane.channel) continue;
      if (lane.minute?.openTime !== openTime) lane.minute = this.#market.minute(lane.symbol, openTime);
      count = this.#collect(lane.minute, index, after, through, count);
    }
    const keys = this.#keys.subarray(0, count);
    keys.sort();
    for (const key of keys) this.#publish(key, openTime);
    return count;
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

  #publish(key: number, openTime: number): void {
    const place = key % PLACE_ROOM;
    const upper = (key - place) / PLACE_ROOM;
    const lane = this.#lanes[upper % LANE_ROOM];
    const minute = lane?.minute;
    if (lane && minute) lane.channel?.publish(tradeData(lane, minute, place, openTime));
  }
}

/** `sim:seed=1:start=2025-01-01T00:00Z`: what a store that holds this market is bound to. */
export function simEnvironment(seed: number, startMs: number): string {
  return `sim:seed=${seed}:start=${new Date(startMs).toISOString().slice(0, 16)}Z`;
}

function laneOf(symbol: SimSymbol): Lane {
  return {
    symbol,
    stream: `${symbol.name.toLowerCase()}@trade`,
    beforeId: `,"s":"${symbol.name}","t":`,
    formatPrice: wireFormatter(symbol.tickDecimals),
    formatQuantity: wireFormatter(symbol.lotDecimals),
    minute: null,
    channel: undefined,
  };
}

/** The trades of the minute with an offset up to `offset`: a binary search, as minutes are looked into every few ms. */
function countThrough(minute: SimMinute, offset: number): number {
  let low = 0;
  let high = minute.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((minute.offsets[middle] ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function tradeData(lane: Lane, minute: SimMinute, place: number, openTime: number): string {
  const time = openTime + (minute.offsets[place] ?? 0);
  const price = lane.formatPrice(minute.ticks[place] ?? 0);
  const quantity = lane.formatQuantity(minute.lots[place] ?? 0);
  const maker = minute.sells[place] === 1;
  return `{"e":"trade","E":${time}${lane.beforeId}${minute.firstId + place},"p":"${price}","q":"${quantity}","T":${time},"m":${maker},"M":true}`;
}

function restTrade(lane: Lane, minute: SimMinute, place: number): RestTrade {
  const { tickDecimals, lotDecimals } = lane.symbol;
  const ticks = minute.ticks[place] ?? 0;
  const lots = minute.lots[place] ?? 0;
  return {
    id: minute.firstId + place,
    price: lane.formatPrice(ticks),
    qty: lane.formatQuantity(lots),
    quoteQty: formatScaled(BigInt(ticks) * BigInt(lots), tickDecimals + lotDecimals),
    time: minute.openTime + (minute.offsets[place] ?? 0),
    isBuyerMaker: minute.sells[place] === 1,
    isBestMatch: true,
  };
}

function tapeSymbol(symbol: SimSymbol): TapeSymbol {
  return {
    name: symbol.name,
    tickSize: formatScaled(1n, symbol.tickDecimals, WIRE_DECIMALS),
    stepSize: formatScaled(1n, symbol.lotDecimals, WIRE_DECIMALS),
  };
}
