import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import { formatScaled, WIRE_DECIMALS, wireFormatter } from "./decimal.ts";
import type { KlineRow } from "./exact-candle.ts";
import { countThrough, type MarketLane, MarketPlayer } from "./market-player.ts";
import { SimMarket, type SimMinute } from "./sim-market.ts";
import type { SimSymbol } from "./sim-symbol.ts";
import type { Channel, Channels, KlineQuery, RestTrade, Tape, TapeSymbol } from "./tape.ts";
import { checkMarketOptions, marketCandle, type SimMarketOptions } from "./truth.ts";

/** A symbol on its way through the market, with the pieces of its frames that never change. */
interface Lane extends MarketLane {
  readonly stream: string;
  readonly beforeId: string;
  readonly formatPrice: (ticks: number) => string;
  readonly formatQuantity: (lots: number) => string;
  channel: Channel | undefined;
}

/** A seeded market as an exchange plays it: spot `@trade` frames in Binance's field order, merged by (time, symbol, id). */
export class MarketTape implements Tape {
  readonly environment: string;
  readonly symbols: ReadonlyMap<string, TapeSymbol>;
  readonly #market: SimMarket;
  readonly #player: MarketPlayer<Lane>;
  readonly #byName: ReadonlyMap<string, Lane>;

  /** Throws FabricError "usage" for options out of range. */
  constructor(options: SimMarketOptions) {
    checkMarketOptions(options);
    this.environment = simEnvironment(options.seed, options.startMs);
    this.#market = new SimMarket(options.seed, [...options.symbols].sort());
    const lanes = this.#market.symbols.map(laneOf);
    this.#player = new MarketPlayer(this.#market, lanes);
    this.#byName = new Map(lanes.map((lane) => [lane.symbol.name, lane]));
    this.symbols = new Map(this.#market.symbols.map((symbol) => [symbol.name, tapeSymbol(symbol)]));
  }

  play(afterMs: number, throughMs: number, channels: Channels): number {
    return this.#player.play(
      afterMs,
      throughMs,
      (lane) => {
        lane.channel = channels.get(lane.stream);
        return lane.channel !== undefined;
      },
      publishTrade,
    );
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

function publishTrade(lane: Lane, minute: SimMinute, place: number): void {
  lane.channel?.publish(tradeData(lane, minute, place));
}

function tradeData(lane: Lane, minute: SimMinute, place: number): string {
  const time = minute.openTime + (minute.offsets[place] ?? 0);
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
