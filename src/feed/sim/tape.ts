import type { KlineRow } from "./exact-candle.ts";

/** Who hears one stream. `publish` sends to all of them, oldest subscription first. */
export interface Channel {
  /** `data` is the event's JSON; `combined` its frame under the stream's name, made from `data` unless given. */
  publish(data: string, combined?: string): void;
}

/** The streams somebody hears, by name. */
export type Channels = ReadonlyMap<string, Channel>;

/** Binance's trade as REST gives it. */
export interface RestTrade {
  readonly id: number;
  readonly price: string;
  readonly qty: string;
  readonly quoteQty: string;
  readonly time: number;
  readonly isBuyerMaker: boolean;
  readonly isBestMatch: true;
}

export interface TapeSymbol {
  readonly name: string;
  readonly tickSize: string;
  readonly stepSize: string;
}

export interface KlineQuery {
  /** Bounds of the openTime, inclusive; without a start, the newest `limit` rows up to the end. */
  readonly startTime: number | null;
  readonly endTime: number | null;
  readonly limit: number;
}

/** What an exchange plays: a seeded market or a recording. Times are exchange time in ms. */
export interface Tape {
  /** What REST answers carry as x-sim-environment. */
  readonly environment: string;
  /** By name. */
  readonly symbols: ReadonlyMap<string, TapeSymbol>;
  /**
   * Publishes what happened after `afterMs` up to and including `throughMs` on the streams somebody hears, in order, and
   * returns how many events that were. Calls come with rising times.
   */
  play(afterMs: number, throughMs: number, channels: Channels): number;
  /** 1m rows by rising openTime, none that opens after `nowMs`; an unfinished minute holds its trades up to `nowMs`. */
  klines(symbol: string, query: KlineQuery, nowMs: number): readonly KlineRow[];
  /** Trades up to `nowMs` by rising id: from `fromId` on, or the newest. */
  trades(symbol: string, fromId: number | null, limit: number, nowMs: number): readonly RestTrade[];
}
