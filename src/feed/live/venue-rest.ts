import type { Clock, HttpGet, HttpReply, Timers } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import type { VenueCandle } from "../contract.ts";
import type { TradeRange, Venue, VenueClockReading, VenueKline, VenueTrade } from "../venues/contract.ts";
import { isObject, parseJson, plain } from "../venues/fields.ts";
import { withAbsent } from "./absent-minutes.ts";
import type { VenueBase } from "./endpoint.ts";
import { RequestGate } from "./request-gate.ts";

const TIMEOUT_MS = 5000;
/** A list of all symbols is some megabytes. */
const LIST_TIMEOUT_MS = 20_000;
/** Minutes of one call; a longer stretch comes short, and the caller asks for the rest. */
const MAX_MINUTES = 16_000;
/** Pages of trades of one call. */
const MAX_TRADE_PAGES = 20;
const LONGEST_WORDS = 120;

export interface VenueRestDeps {
  readonly httpGet: HttpGet;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** The venue's clock, and what it says of itself: a simulated venue names its speed and environment in two headers. */
export interface VenueTime extends VenueClockReading {
  /** Exchange ms per wall ms. */
  readonly speed: number;
  readonly environment: string;
}

/**
 * A venue's public REST interface. Requests are spaced as the venue's rules say, and none is sent while it wants silence. A
 * request takes at most 10 s of waiting and 5 s for its answer (20 s for the list of symbols). Every call rejects FabricError
 * "unavailable" where an answer stays away, refuses or has not the documented shape, and "usage" where the venue does not know the symbol.
 */
export class VenueRest {
  readonly #venue: Venue;
  readonly #base: VenueBase;
  readonly #deps: VenueRestDeps;
  readonly #gate: RequestGate;
  #requests = 0;
  #limited = 0;

  constructor(venue: Venue, base: VenueBase, deps: VenueRestDeps) {
    this.#venue = venue;
    this.#base = base;
    this.#deps = deps;
    this.#gate = new RequestGate(venue.rest.requestsPerSecond, deps);
  }

  /** Sent so far. */
  get requests(): number {
    return this.#requests;
  }

  /** Answers so far that refused us for asking too much. */
  get limited(): number {
    return this.#limited;
  }

  /** Goes before other requests that wait: what is heard counts from here on. */
  async time(): Promise<VenueTime> {
    const { rest } = this.#venue;
    const reply = await this.#ask(rest.timeUrl, TIMEOUT_MS, true);
    const told = this.#read(reply, rest.timeUrl, rest.time);
    const declared = Number(header(reply, "x-sim-speed") ?? "1");
    const speed = declared > 0 && declared < 1e6 ? declared : 1;
    // Where the venue itself adds up what we cost, its own word bounds us.
    if (rest.cost !== null) this.#gate.follow(speed);
    return {
      ...told,
      speed,
      environment: header(reply, "x-sim-environment") ?? this.#base.environment,
    };
  }

  /**
   * Those of `symbols` that the venue does not have; none where it refuses the subscription of an unknown one anyway. A venue
   * that should list its symbols and does not is asked for klines of each.
   */
  async unknownSymbols(symbols: readonly string[]): Promise<readonly string[]> {
    const { rest, klineUrl } = this.#venue;
    const url = rest.symbolsUrl;
    if (url === null) return [];
    const list = await this.#ask(url, LIST_TIMEOUT_MS);
    if (list.status === 200) {
      const known = new Set(this.#read(list, url, rest.symbols));
      return symbols.filter((symbol) => !known.has(symbol));
    }
    const unknown: string[] = [];
    for (const symbol of symbols) {
      const { status, body } = await this.#ask(klineUrl(symbol, 0, 0), TIMEOUT_MS);
      if (rest.isUnknownSymbol(status, body)) unknown.push(symbol);
    }
    return unknown;
  }

  /**
   * The final candles of these minutes (openTimes, both ends inclusive) that were over at `venueTimeMs`, in order, at most 16,000
   * minutes from the first; those that the venue does not have are missing.
   */
  async klines(symbol: string, from: number, through: number, venueTimeMs: number): Promise<readonly VenueCandle[]> {
    const over = Math.floor(venueTimeMs / MINUTE_MS) * MINUTE_MS - MINUTE_MS;
    const last = Math.min(through, over, from + (MAX_MINUTES - 1) * MINUTE_MS);
    const pageMs = this.#venue.rest.klineMinutes * MINUTE_MS;
    const candles: VenueCandle[] = [];
    for (let next = from; next <= last; ) {
      const page = this.#venue.emptyMinutes === "absent" ? this.#pageWithAbsent : this.#page;
      const told = await page.call(this, symbol, { next, last, pageMs, venueTimeMs }, candles.at(-1)?.close ?? null);
      candles.push(...told.candles);
      next = told.next;
    }
    return candles;
  }

  /**
   * The trades of these ids, in order, page by page (at most 20); ids that the venue gives no trade for, and what is beyond those
   * pages, are missing. None where it offers no trades by id.
   */
  async tradesById(symbol: string, range: TradeRange): Promise<readonly VenueTrade[]> {
    const { rest } = this.#venue;
    const found = new Map<number, VenueTrade>();
    let left: TradeRange | null = rest.tradesUrl === null ? null : range;
    for (let page = 0; page < MAX_TRADE_PAGES && left !== null && rest.tradesUrl !== null; page++) {
      const url = rest.tradesUrl(symbol, left);
      const trades = await this.#tradesAt(symbol, url);
      for (const trade of trades) {
        if (trade.id !== null && isWithin(trade.id, trade.lastId ?? trade.id, range)) found.set(trade.id, trade);
      }
      left = rest.tradesFrom === "first" ? behind(trades, left) : before(trades, left);
    }
    return [...found.values()].sort((one, more) => (one.id ?? 0) - (more.id ?? 0));
  }

  /** When the symbol's newest trade was, exchange ms; null where the venue tells none. */
  async newestTradeMs(symbol: string): Promise<number | null> {
    const trades = await this.#tradesAt(symbol, this.#venue.rest.newestTradesUrl(symbol));
    return trades.reduce<number | null>((newest, { timeMs }) => Math.max(newest ?? timeMs, timeMs), null);
  }

  async #page(symbol: string, { next, last, pageMs, venueTimeMs }: Page): Promise<PageOfKlines> {
    const end = Math.min(last, next + pageMs - MINUTE_MS);
    const rows = await this.#rows(symbol, next, end, venueTimeMs);
    const candles = rows.filter(({ openTime }) => openTime >= next && openTime <= last);
    // A venue that gives its newest whatever it is asked has told more than this page.
    return { candles, next: Math.max(end, candles.at(-1)?.openTime ?? end) + MINUTE_MS };
  }

  /**
   * Reaches back: what was traded before tells the close of a quiet minute. Half an answer is kept for that where it is not known;
   * and of a symbol quiet for longer than that its newest trade tells, where that was before.
   */
  async #pageWithAbsent(symbol: string, page: Page, closeBefore: number | null): Promise<PageOfKlines> {
    const { next, last, pageMs, venueTimeMs } = page;
    const newMs = closeBefore === null ? pageMs / 2 : pageMs;
    const end = Math.min(last, next + newMs - MINUTE_MS);
    const rows = await this.#rows(symbol, Math.max(0, end - pageMs + MINUTE_MS), end, venueTimeMs);
    const isUntold = closeBefore === null && (rows[0]?.openTime ?? end + MINUTE_MS) > next;
    const close = isUntold ? await this.#newestPriceBefore(symbol, next) : closeBefore;
    const candles = withAbsent(symbol, rows, { from: next, through: end, closeBefore: close, venueTimeMs });
    return { candles, next: end + MINUTE_MS };
  }

  /** The price of the symbol's newest trade, where that one was before `timeMs`; else null. */
  async #newestPriceBefore(symbol: string, timeMs: number): Promise<number | null> {
    const newest = (await this.#tradesAt(symbol, this.#venue.rest.newestTradesUrl(symbol))).at(-1);
    return newest === undefined || newest.timeMs >= timeMs ? null : Number(newest.price);
  }

  async #rows(symbol: string, from: number, through: number, venueTimeMs: number): Promise<readonly VenueCandle[]> {
    const url = this.#venue.klineUrl(symbol, from, through, venueTimeMs);
    const reply = await this.#ask(url, TIMEOUT_MS);
    this.#checkKnown(symbol, reply);
    const klines = this.#read(reply, url, (body) => this.#venue.klines(symbol, body, venueTimeMs));
    return klines.filter(({ candle }, at) => candle.openTime !== klines[at + 1]?.candle.openTime).map(candleOf);
  }

  async #tradesAt(symbol: string, url: string): Promise<readonly VenueTrade[]> {
    const reply = await this.#ask(url, TIMEOUT_MS);
    this.#checkKnown(symbol, reply);
    return this.#read(reply, url, (body) => this.#venue.rest.trades(symbol, body));
  }

  async #ask(url: string, timeoutMs: number, isUrgent = false): Promise<HttpReply> {
    const refusal = await this.#gate.enter(isUrgent);
    if (refusal !== null) throw this.#unavailable(url, refusal);
    this.#requests++;
    const { restOrigin } = this.#base;
    const reply = await this.#deps.httpGet(restOrigin === null ? url : restOrigin + pathOf(url), timeoutMs);
    const { cost, pauseMs } = this.#venue.rest;
    const seconds = Number(header(reply, "retry-after")?.trim() || Number.NaN);
    const pause = pauseMs(reply.status, reply.body, seconds >= 0 ? seconds : null);
    if (pause !== null) {
      this.#limited++;
      this.#gate.pause(pause);
      throw this.#unavailable(url, `it answered ${reply.status}, too many requests${said(reply.body)}`);
    }
    if (cost !== null && Number(header(reply, cost.header) ?? 0) > cost.atMost) {
      this.#gate.pause(MINUTE_MS - (this.#deps.clock.nowMs() % MINUTE_MS));
    }
    return reply;
  }

  #checkKnown(symbol: string, { status, body }: HttpReply): void {
    if (!this.#venue.rest.isUnknownSymbol(status, body)) return;
    const place = this.#base.restOrigin ?? originOf(this.#venue.rest.timeUrl);
    throw new FabricError("usage", `Unknown symbol ${symbol}: the venue at ${place} does not have it`);
  }

  #read<Told>(reply: HttpReply, url: string, read: (body: string) => Told): Told {
    if (reply.status !== 200) throw this.#unavailable(url, `it answered ${reply.status}${said(reply.body)}`);
    try {
      return read(reply.body);
    } catch (error) {
      throw this.#unavailable(url, messageOf(error));
    }
  }

  #unavailable(url: string, found: string): FabricError {
    const place = this.#base.restOrigin ?? originOf(url);
    const path = pathOf(url).replace(/\?.*/s, "");
    return new FabricError("unavailable", `No answer from the venue to ${path} at ${place}: ${found}`);
  }
}

interface Page {
  readonly next: number;
  readonly last: number;
  readonly pageMs: number;
  readonly venueTimeMs: number;
}

interface PageOfKlines {
  readonly candles: readonly VenueCandle[];
  readonly next: number;
}

function candleOf({ candle, untold }: VenueKline): VenueCandle {
  return untold.length === 0 ? candle : { ...candle, untold };
}

function isWithin(firstId: number, lastId: number, { fromId, throughId }: TradeRange): boolean {
  return firstId >= fromId && lastId <= throughId;
}

/**
 * What is left behind a page that begins at the range's first id, or (a venue that goes by time) some ids before it; null where
 * nothing is, or the venue has no more.
 */
function behind(trades: readonly VenueTrade[], left: TradeRange): TradeRange | null {
  const last = trades.at(-1);
  const highest = last === undefined ? null : (last.lastId ?? last.id);
  if (last === undefined || highest === null || highest >= left.throughId) return null;
  if (highest >= left.fromId) return { ...left, fromId: highest + 1, fromTimeMs: last.timeMs };
  return last.timeMs > left.fromTimeMs ? { ...left, fromTimeMs: last.timeMs } : null;
}

/** The same before a page that begins at its last id. */
function before(trades: readonly VenueTrade[], left: TradeRange): TradeRange | null {
  const lowest = trades[0]?.id ?? null;
  if (lowest === null || lowest > left.throughId || lowest <= left.fromId) return null;
  return { ...left, throughId: lowest - 1 };
}

/** The venue's own words in a refusal, in brackets. */
function said(body: string): string {
  const value = parseJson(body);
  if (!isObject(value)) return "";
  const { msg, message, retMsg, error } = value;
  const words = plain(msg ?? message ?? retMsg ?? (Array.isArray(error) ? error[0] : null));
  return words === null || words === "" ? "" : ` (${words.slice(0, LONGEST_WORDS)})`;
}

function originOf(url: string): string {
  return new URL(url).origin;
}

function pathOf(url: string): string {
  return url.slice(originOf(url).length);
}

function header(reply: HttpReply, name: string): string | undefined {
  return reply.headers[name] ?? Object.entries(reply.headers).find(([key]) => key.toLowerCase() === name)?.[1];
}
