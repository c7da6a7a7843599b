import { publicAnswer } from "../rest.ts";
import { RestError } from "../rest-error.ts";
import { MAX_STREAMS, type RequestId, readStreamRequest, readStreamUrl } from "../stream-request.ts";
import type { Tape } from "../tape.ts";
import type { RestAnswer, SessionWire, SimProtocol, SimSession, SimTrade, SimView } from "./contract.ts";
import { padDecimal } from "./contract.ts";

const DAY_MS = 86_400_000;
const NORMAL_CLOSE = 1000;
/** A row of the insurance fund uses up one id after so many trades. */
const FUND_EVERY = 701;
const SHUTDOWN_NOTICE_MS = 10_000;

/** Binance's two markets: web-socket-streams.md and rest-api.md (spot), "WebSocket Market Streams" (USD-M futures). */
function binance(id: "binance-spot" | "binance-usdm"): SimProtocol {
  const spot = id === "binance-spot";
  return {
    id,
    gatherMs: 0,
    messageRate: { most: spot ? 5 : 10, withinMs: 1000 },
    holes: spot ? [] : [{ every: FUND_EVERY, skipped: 1 }],
    restRate: { most: spot ? 3000 : 1200, withinMs: 60_000 },
    stream: (url) => readStreamUrl(url.href)?.streams ?? null,
    session: (wire, view, subscribed, url) =>
      new BinanceSession(spot, wire, view, subscribed, readStreamUrl(url.href)?.combined === true),
    rest: (url, headers, view, nowMs) => restAnswer(spot, url, headers, view, nowMs),
    tooMany: (seconds) => ({
      status: 429,
      body: {
        code: -1003,
        msg: `Too many requests; current limit is ${spot ? 6000 : 2400} request weight per 1 MINUTE.`,
      },
      headers: { "retry-after": `${seconds}` },
    }),
    down: { status: 503, body: "<html><body>503 Service Temporarily Unavailable</body></html>" },
  };
}

export const BINANCE_SPOT = binance("binance-spot");
export const BINANCE_USDM = binance("binance-usdm");

class BinanceSession implements SimSession {
  readonly symbols = new Set<string>();
  readonly #spot: boolean;
  readonly #wire: SessionWire;
  readonly #view: SimView;
  readonly #streams = new Set<string>();
  readonly #combined: boolean;
  readonly #openedMs: number;

  constructor(spot: boolean, wire: SessionWire, view: SimView, subscribed: readonly string[], combined: boolean) {
    this.#spot = spot;
    this.#wire = wire;
    this.#view = view;
    this.#combined = combined;
    this.#openedMs = wire.wallMs();
    this.#subscribe(subscribed);
  }

  open(): void {}

  message(text: string): void {
    const request = readStreamRequest(text);
    switch (request.method) {
      case "LIST_SUBSCRIPTIONS":
        this.#answer([...this.#streams], request.id);
        return;
      case "UNSUBSCRIBE":
        for (const stream of request.streams) this.#streams.delete(stream);
        this.#symbolsOfStreams();
        this.#answer(null, request.id);
        return;
      case "SUBSCRIBE":
        if (new Set([...this.#streams, ...request.streams]).size > MAX_STREAMS) {
          this.#refuse(2, `Invalid request: at most ${MAX_STREAMS} streams a connection`, request.id);
          return;
        }
        this.#subscribe(request.streams);
        this.#answer(null, request.id);
        return;
      default:
        this.#refuse(request.code, request.reason, request.id);
        return;
    }
  }

  frames(trades: readonly SimTrade[]): readonly string[] {
    return trades.flatMap((trade) => {
      const own = this.#frame(
        trade,
        this.#spot ? spotData(trade, this.#view.skewMs) : usdmData(trade, this.#view.skewMs),
      );
      // The fund's row follows the trade before it, with the id that no trade has.
      const fund = !this.#spot && (trade.id + 2) % (FUND_EVERY + 1) === 0;
      return fund ? [own, this.#frame(trade, fundData(trade, this.#view.skewMs))] : [own];
    });
  }

  beat(): void {
    if (this.#wire.wallMs() - this.#openedMs >= DAY_MS) this.#wire.close(NORMAL_CLOSE, "24 hours are over");
  }

  announceClose(): number {
    if (!this.#spot) return 0;
    const event = `{"e":"serverShutdown","E":${this.#wire.nowMs() + this.#view.skewMs}}`;
    this.#wire.send(this.#combined ? `{"stream":"!serverShutdown","data":${event}}` : event);
    return SHUTDOWN_NOTICE_MS;
  }

  #frame(trade: SimTrade, data: string): string {
    return this.#combined ? `{"stream":"${trade.symbol.toLowerCase()}@trade","data":${data}}` : data;
  }

  #subscribe(streams: readonly string[]): void {
    for (const stream of streams) this.#streams.add(stream);
    this.#symbolsOfStreams();
  }

  /** Unknown streams are taken, as at Binance, and stay silent. */
  #symbolsOfStreams(): void {
    this.symbols.clear();
    for (const stream of this.#streams) {
      const name = stream.endsWith("@trade") ? stream.slice(0, -"@trade".length) : "";
      const symbol = name.toUpperCase();
      if (name === name.toLowerCase() && this.#view.tape.symbols.has(symbol)) this.symbols.add(symbol);
    }
  }

  #answer(result: readonly string[] | null, id: RequestId): void {
    this.#wire.send(JSON.stringify({ result, id }));
  }

  #refuse(code: number, msg: string, id: RequestId): void {
    this.#wire.send(JSON.stringify(this.#spot ? { code, msg, id } : { error: { code, msg }, id }));
  }
}

function spotData({ symbol, id, timeMs, price, quantity, sold }: SimTrade, skewMs: number): string {
  return `{"e":"trade","E":${timeMs + skewMs},"s":"${symbol}","t":${id},"p":"${padDecimal(price, 8)}","q":"${padDecimal(quantity, 8)}","T":${timeMs},"m":${sold},"M":true}`;
}

function usdmData({ symbol, id, timeMs, price, quantity, sold }: SimTrade, skewMs: number): string {
  return `{"e":"trade","E":${timeMs + skewMs},"T":${timeMs},"s":"${symbol}","t":${id},"p":"${price}","q":"${quantity}","X":"MARKET","m":${sold}}`;
}

function fundData({ symbol, id, timeMs, price, quantity, sold }: SimTrade, skewMs: number): string {
  return `{"e":"trade","E":${timeMs + skewMs},"T":${timeMs},"s":"${symbol}","t":${id + 1},"p":"${price}","q":"${quantity}","X":"INSURANCE_FUND","m":${sold}}`;
}

function restAnswer(spot: boolean, url: URL, headers: Headers, view: SimView, nowMs: number): RestAnswer | null {
  const prefix = spot ? "/api/v3/" : "/fapi/v1/";
  if (!url.pathname.startsWith(prefix)) return null;
  const name = url.pathname.slice(prefix.length);
  try {
    if (name === "time") return { status: 200, body: { serverTime: nowMs + view.skewMs } };
    // MARKET_DATA of the futures market needs a key.
    if (name === "historicalTrades" && !spot && headers.get("x-mbx-apikey") === null)
      throw new RestError(401, -2014, "API-key format invalid.");
    const body = publicAnswer(name, numberedTape(view), url.searchParams, nowMs);
    return body === undefined ? null : { status: 200, body };
  } catch (error) {
    if (!(error instanceof RestError)) throw error;
    return { status: error.status, body: { code: error.code, msg: error.message } };
  }
}

/** The tape with the venue's trade ids. */
function numberedTape({ tape, numbers }: SimView): Tape {
  return {
    environment: tape.environment,
    symbols: tape.symbols,
    play: () => 0,
    klines: (symbol, query, nowMs) => tape.klines(symbol, query, nowMs),
    trades: (symbol, fromId, limit, nowMs) =>
      tape
        .trades(symbol, fromId === null ? null : numbers.marketId(fromId), limit, nowMs)
        .map((row) => ({ ...row, id: numbers.venueId(row.id) })),
  };
}
