import type { Candle } from "../../core/candle.ts";
import type { Clock, HttpGet, HttpReply } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import type { BinanceEndpoint } from "./endpoint.ts";
import { parseKline } from "./kline.ts";

const TIMEOUT_MS = 5000;
/** The whole exchangeInfo is some megabytes. */
const LIST_TIMEOUT_MS = 20_000;
const PAGE = 1000;
/** Pages of one call; a longer stretch comes short, and the caller asks for the rest. */
const MAX_PAGES = 16;
const MAX_PAUSE_MS = 600_000;
const DEFAULT_PAUSE_MS = 10_000;
/** Binance counts request weight per minute, 6,000 allowed; above this we wait for the next minute by ourselves. */
const WEIGHT_LIMIT = 5000;
const INVALID_SYMBOL = -1121;

export interface VenueTime {
  readonly timeMs: number;
  readonly speed: number;
  readonly environment: string;
}

/** Binance's REST side, as far as candles need it. Every call is bounded in time and rejects "unavailable" on failure. */
export class BinanceRest {
  readonly #endpoint: BinanceEndpoint;
  readonly #get: HttpGet;
  readonly #clock: Clock;
  #requests = 0;
  #limited = 0;
  /** Monotonic ms before which the venue does not want to hear from us. */
  #pausedUntil = 0;

  constructor(endpoint: BinanceEndpoint, get: HttpGet, clock: Clock) {
    this.#endpoint = endpoint;
    this.#get = get;
    this.#clock = clock;
  }

  get requests(): number {
    return this.#requests;
  }

  /** Answers 429 or 418 so far. */
  get limited(): number {
    return this.#limited;
  }

  /** The venue's clock, and what it says of itself: a simulated venue names its speed and environment in two headers. */
  async time(): Promise<VenueTime> {
    const reply = await this.#ask("/api/v3/time", TIMEOUT_MS);
    const { serverTime } = this.#json(reply, "/api/v3/time") as { serverTime?: unknown };
    if (typeof serverTime !== "number") throw this.#unavailable("/api/v3/time", "it told no serverTime");
    const speed = Number(header(reply, "x-sim-speed") ?? "1");
    return {
      timeMs: serverTime,
      speed: speed > 0 && speed < 1e6 ? speed : 1,
      environment: header(reply, "x-sim-environment") ?? this.#endpoint.environment,
    };
  }

  /**
   * Those of `symbols` that the venue does not have. Asks for the list of all; a venue without one is asked for each
   * symbol's newest kline.
   */
  async unknownSymbols(symbols: readonly string[]): Promise<readonly string[]> {
    const reply = await this.#ask("/api/v3/exchangeInfo", LIST_TIMEOUT_MS);
    const body = reply.status === 200 ? (this.#json(reply, "/api/v3/exchangeInfo") as { symbols?: unknown }) : {};
    if (Array.isArray(body.symbols)) {
      const known = new Set(body.symbols.map((row: { symbol?: unknown } | null) => row?.symbol));
      return symbols.filter((symbol) => !known.has(symbol));
    }
    const unknown: string[] = [];
    for (const symbol of symbols) {
      const path = `/api/v3/klines?symbol=${encodeURIComponent(symbol)}&interval=1m&limit=1`;
      if (errorCode(await this.#ask(path, TIMEOUT_MS)) === INVALID_SYMBOL) unknown.push(symbol);
    }
    return unknown;
  }

  /**
   * Klines whose minute was over before `venueTimeMs`, both ends inclusive, in order, at most 16,000. Rejects "usage"
   * where the venue does not know the symbol.
   */
  async klines(symbol: string, from: number, through: number, venueTimeMs: number): Promise<readonly Candle[]> {
    const last = Math.min(through, Math.floor(venueTimeMs / MINUTE_MS) * MINUTE_MS - MINUTE_MS);
    const candles: Candle[] = [];
    for (let page = 0, next = from; page < MAX_PAGES && next <= last; page++) {
      const path =
        `/api/v3/klines?symbol=${encodeURIComponent(symbol)}&interval=1m` +
        `&startTime=${next}&endTime=${last + MINUTE_MS - 1}&limit=${PAGE}`;
      const rows = await this.#klinePage(symbol, path);
      for (const row of rows) {
        const candle = parseKline(symbol, row);
        if (typeof candle === "string") throw this.#unavailable(path, candle);
        if (candle.openTime < next || candle.openTime > last) continue;
        candles.push(candle);
        next = candle.openTime + MINUTE_MS;
      }
      if (rows.length < PAGE) break;
    }
    return candles;
  }

  async #klinePage(symbol: string, path: string): Promise<readonly unknown[]> {
    const reply = await this.#ask(path, TIMEOUT_MS);
    if (errorCode(reply) === INVALID_SYMBOL) {
      throw new FabricError(
        "usage",
        `Unknown symbol ${symbol}: the venue at ${this.#endpoint.restUrl} does not have it`,
      );
    }
    const rows = this.#json(reply, path);
    if (!Array.isArray(rows)) throw this.#unavailable(path, "it gave no list");
    return rows;
  }

  async #ask(path: string, timeoutMs: number): Promise<HttpReply> {
    const now = this.#clock.monotonicMs();
    if (now < this.#pausedUntil) {
      const seconds = Math.ceil((this.#pausedUntil - now) / 1000);
      throw this.#unavailable(path, `we keep to its rate limit for ${seconds} s more`);
    }
    this.#requests++;
    const reply = await this.#get(this.#endpoint.restUrl + path, timeoutMs);
    if (reply.status === 429 || reply.status === 418) {
      this.#limited++;
      const seconds = Number(header(reply, "retry-after") ?? Number.NaN);
      this.#pause(seconds >= 0 ? seconds * 1000 : DEFAULT_PAUSE_MS);
      throw this.#unavailable(path, `it answered ${reply.status}, too many requests`);
    }
    if (Number(header(reply, "x-mbx-used-weight-1m") ?? 0) > WEIGHT_LIMIT) {
      this.#pause(MINUTE_MS - (this.#clock.nowMs() % MINUTE_MS));
    }
    return reply;
  }

  #pause(ms: number): void {
    this.#pausedUntil = this.#clock.monotonicMs() + Math.min(MAX_PAUSE_MS, ms);
  }

  #json(reply: HttpReply, path: string): unknown {
    if (reply.status !== 200) throw this.#unavailable(path, `it answered ${reply.status}`);
    try {
      return JSON.parse(reply.body);
    } catch {
      throw this.#unavailable(path, "its answer is not JSON");
    }
  }

  #unavailable(path: string, found: string): FabricError {
    const bare = path.replace(/\?.*/, "");
    return new FabricError("unavailable", `No answer from the venue to ${bare} at ${this.#endpoint.restUrl}: ${found}`);
  }
}

function header(reply: HttpReply, name: string): string | undefined {
  return reply.headers[name] ?? Object.entries(reply.headers).find(([key]) => key.toLowerCase() === name)?.[1];
}

function errorCode(reply: HttpReply): number | null {
  if (reply.status === 200) return null;
  try {
    const body: unknown = JSON.parse(reply.body);
    const code = typeof body === "object" && body !== null ? (body as { code?: unknown }).code : null;
    return typeof code === "number" ? code : null;
  } catch {
    return null;
  }
}
