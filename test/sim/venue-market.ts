import type { Life } from "./life.ts";
import type { World } from "./world.ts";

const MINUTE = 60_000;
/** The exchange's clock when a run begins. */
export const EXCHANGE_START = 1_760_000_040_000;
/** Exchange ms by which a trade's report may trail its time. */
export const USUAL_LAG_MS = 400;

export interface VenueTrade {
  readonly symbol: string;
  readonly id: number;
  /** In hundredths. */
  readonly ticks: number;
  /** In thousandths. */
  readonly lots: number;
  readonly timeMs: number;
  readonly buyerIsMaker: boolean;
  /** Exchange time at which the venue reports it. */
  readonly toldMs: number;
  /** A row that is no market trade: its id counts, its figures do not. */
  readonly omitted: boolean;
}

/** A minute as the venue knows it, by the venue's own arithmetic: whole ticks and lots, divided once. */
export interface VenueCandle {
  readonly symbol: string;
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly quoteVolume: number;
  readonly trades: number;
  readonly takerBuyVolume: number;
  readonly takerBuyQuoteVolume: number;
  readonly firstId: number | null;
  readonly lastId: number | null;
}

/** A trade that a feed handed on after its minute's end: to which life, in which of its runs, wall ms of the run. */
export interface LateWord {
  readonly life: Life;
  readonly feed: { readonly run: number };
  readonly run: number;
  readonly atMs: number;
}

/** What was traded, all of it known from the start: trades by symbol, told in the order of `toldMs`. */
export class VenueMarket {
  readonly symbols: readonly string[];
  readonly startMs: number;
  readonly endMs: number;
  /** Nothing more is told. */
  isSilent = false;
  /** By symbol and minute. */
  readonly lateWords = new Map<string, LateWord[]>();
  /** By symbol, when each run of a feed first connected it. */
  readonly beginnings = new Map<string, LateWord[]>();
  readonly #world: World;
  readonly #trades = new Map<string, readonly VenueTrade[]>();
  readonly #candles = new Map<string, VenueCandle | null>();
  readonly #minutes = new Map<string, VenueTrade[]>();

  constructor(world: World) {
    const { symbols, historyMinutes, hurtMs, quietMs, speed } = world.scenario;
    this.#world = world;
    this.symbols = symbols;
    this.startMs = EXCHANGE_START - (historyMinutes + 3) * MINUTE;
    this.endMs = EXCHANGE_START + (hurtMs + quietMs) * speed + MINUTE;
    for (const symbol of symbols) this.#trades.set(symbol, this.#trade(symbol));
  }

  /** The exchange's clock now. */
  get nowMs(): number {
    return EXCHANGE_START + this.#world.nowMs * this.#world.scenario.speed;
  }

  trades(symbol: string): readonly VenueTrade[] {
    return this.#trades.get(symbol) ?? [];
  }

  /** A minute that the venue has no kline of, and never will. */
  isGone(symbol: string, openTime: number): boolean {
    const { rates, hurtMs, speed } = this.#world.scenario;
    if (rates["feed.klines-gone"] === 0 || openTime > EXCHANGE_START + hurtMs * speed) return false;
    return this.#world.chance(`gone ${symbol} ${openTime}`).chance(rates["feed.klines-gone"] * 0.15);
  }

  tradedBetween(fromMs: number, toMs: number): boolean {
    return this.symbols.some((symbol) =>
      this.trades(symbol).some((trade) => !trade.omitted && trade.timeMs >= fromMs && trade.timeMs < toMs),
    );
  }

  /** The minute itself where it was traded, else the newest before it that was. */
  tradedMinute(symbol: string, openTime: number): number {
    let at = openTime;
    while (at > this.startMs && (this.candle(symbol, at)?.trades ?? 0) === 0) at -= MINUTE;
    return at;
  }

  /** Whether any trade of the minute is told later than `allowedMs` after its end. */
  isToldLate(symbol: string, openTime: number, allowedMs: number): boolean {
    const own = this.#minutes.get(`${symbol} ${openTime}`) ?? [];
    return own.some(({ omitted, toldMs }) => !omitted && toldMs > openTime + MINUTE + allowedMs);
  }

  /** Null before the symbol's first trade. */
  candle(symbol: string, openTime: number): VenueCandle | null {
    const key = `${symbol} ${openTime}`;
    let candle = this.#candles.get(key);
    if (candle === undefined) {
      candle = this.#add(symbol, openTime);
      this.#candles.set(key, candle);
    }
    return candle;
  }

  #add(symbol: string, openTime: number): VenueCandle | null {
    const own = (this.#minutes.get(`${symbol} ${openTime}`) ?? []).filter((trade) => !trade.omitted);
    const [first, last] = [own[0], own.at(-1)];
    if (!first || !last) {
      const before = openTime > this.startMs ? this.candle(symbol, openTime - MINUTE) : null;
      if (before === null) return null;
      const { close } = before;
      return {
        ...{ symbol, openTime, open: close, high: close, low: close, close, volume: 0, quoteVolume: 0, trades: 0 },
        ...{ takerBuyVolume: 0, takerBuyQuoteVolume: 0, firstId: null, lastId: null },
      };
    }
    let [high, low, lots, value, takerLots, takerValue] = [first.ticks, first.ticks, 0, 0, 0, 0];
    for (const trade of own) {
      high = Math.max(high, trade.ticks);
      low = Math.min(low, trade.ticks);
      lots += trade.lots;
      value += trade.lots * trade.ticks;
      if (trade.buyerIsMaker) continue;
      takerLots += trade.lots;
      takerValue += trade.lots * trade.ticks;
    }
    return {
      symbol,
      openTime,
      open: first.ticks / 100,
      high: high / 100,
      low: low / 100,
      close: last.ticks / 100,
      volume: lots / 1000,
      quoteVolume: value / 100_000,
      trades: own.length,
      takerBuyVolume: takerLots / 1000,
      takerBuyQuoteVolume: takerValue / 100_000,
      firstId: first.id,
      lastId: last.id,
    };
  }

  #trade(symbol: string): readonly VenueTrade[] {
    const { tradesPerMinute, quietChance, rates } = this.#world.scenario;
    const chance = this.#world.chance(`market ${symbol}`);
    const trades: VenueTrade[] = [];
    let id = 1000 + chance.below(1000);
    let ticks = 10_000 + chance.below(5000);
    let toldMs = 0;
    for (let openTime = this.startMs; openTime < this.endMs; openTime += MINUTE) {
      const isQuiet = openTime > this.startMs && chance.chance(quietChance);
      const count = isQuiet ? 0 : Math.floor(tradesPerMinute * 2 * chance.next() + (openTime === this.startMs ? 1 : 0));
      const times = Array.from({ length: count }, () => momentIn(openTime, chance.next(), chance.next()));
      const own: VenueTrade[] = [];
      for (const timeMs of times.sort((a, b) => a - b)) {
        ticks = Math.max(100, ticks + chance.below(41) - 20);
        // Near a minute's end a late report is one that its close has not waited for.
        const often = timeMs - openTime > 55_000 ? 0.3 : 0.03;
        const late = chance.chance(rates["feed.late"] * often) ? chance.next() * 8000 : 0;
        // A symbol's trades are told in their order.
        toldMs = Math.max(toldMs, timeMs + chance.next() * USUAL_LAG_MS + late);
        const omitted = trades.length > 0 && chance.chance(rates["feed.omitted"] * 0.05);
        const buyerIsMaker = chance.chance(0.5);
        own.push({ symbol, id: id++, ticks, lots: 1 + chance.below(5000), timeMs, buyerIsMaker, toldMs, omitted });
      }
      trades.push(...own);
      this.#minutes.set(`${symbol} ${openTime}`, own);
    }
    return trades;
  }
}

/** A time in the minute; the edges, where mistakes are, more often than chance would have it. */
function momentIn(openTime: number, where: number, edge: number): number {
  if (edge < 0.1) return openTime;
  if (edge < 0.2) return openTime + MINUTE - 1;
  return openTime + Math.floor(where * MINUTE);
}
