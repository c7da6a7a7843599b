import { formatScaled, parseScaled } from "../decimal.ts";
import type { KlineRow } from "../exact-candle.ts";
import type { RestAnswer, SessionWire, SimProtocol, SimSession, SimTrade, SimView } from "./contract.ts";
import {
  type Fields,
  fieldsOf,
  isoMicros,
  jsonOf,
  microsOf,
  shortDecimal,
  textsOf,
  tradesOf,
  wholeOf,
} from "./contract.ts";

const HEARTBEAT_MS = 1000;
const UNSUBSCRIBED_MS = 60_000;
const NORMAL_CLOSE = 1000;
const SNAPSHOT_TRADES = 50;
const OHLC_MINUTES = 720;
const TRADES_PAGE = 1000;
const MAX_REQUEST_CHARS = 65_536;
const MAINTENANCE_NOTICE_MS = 5000;

/** Kraken's WebSocket v2 and public REST: docs.kraken.com. */
export const KRAKEN_SIM: SimProtocol = {
  id: "kraken",
  gatherMs: 1,
  // No document names a figure for market data; v1 has the wording.
  messageRate: { most: 50, withinMs: 1000 },
  holes: [],
  restRate: { most: 15, withinMs: 15_000 },
  stream: (url) => (url.pathname === "/v2" || url.pathname === "/v2/" ? [] : null),
  session: (wire, view) => new KrakenSession(wire, view),
  rest: krakenRest,
  tooMany: () => ({ status: 200, body: { error: ["EAPI:Rate limit exceeded"] } }),
  down: { status: 503, body: { error: ["EService:Unavailable"] } },
};

class KrakenSession implements SimSession {
  readonly symbols = new Set<string>();
  readonly #wire: SessionWire;
  readonly #view: SimView;
  #sentMs: number;
  #subscribedMs: number;

  constructor(wire: SessionWire, view: SimView) {
    this.#wire = wire;
    this.#view = view;
    this.#sentMs = wire.wallMs();
    this.#subscribedMs = wire.wallMs();
  }

  open(): void {
    this.#status("online");
  }

  message(text: string): void {
    const nowMs = this.#wire.nowMs() + this.#view.skewMs;
    const value = text.length > MAX_REQUEST_CHARS ? null : fieldsOf(jsonOf(text));
    const method = value?.method;
    if (!value || typeof method !== "string") {
      this.#answer(value, nowMs, { error: "Malformed request", success: false });
      return;
    }
    if (method === "ping") {
      this.#answer(value, nowMs, { method: "pong" });
      return;
    }
    if (method !== "subscribe" && method !== "unsubscribe") {
      this.#answer(value, nowMs, { error: "Unsupported event", method, success: false });
      return;
    }
    const params = fieldsOf(value.params);
    if (params?.channel !== "trade") {
      this.#answer(value, nowMs, { error: "Unsupported channel", method, success: false });
      return;
    }
    const symbols = textsOf(params.symbol);
    if (!symbols || symbols.length === 0) {
      this.#answer(value, nowMs, { error: "Currency pair(s) not specified", method, success: false });
      return;
    }
    for (const symbol of symbols) this.#one(value, method, symbol, params.snapshot !== false, nowMs);
  }

  frames(trades: readonly SimTrade[]): readonly string[] {
    this.#sentMs = this.#wire.wallMs();
    return [`{"channel":"trade","type":"update","data":[${trades.map(row).join(",")}]}`];
  }

  beat(): void {
    const wallMs = this.#wire.wallMs();
    if (this.symbols.size > 0) {
      this.#subscribedMs = wallMs;
      if (wallMs - this.#sentMs >= HEARTBEAT_MS) this.#send('{"channel":"heartbeat"}');
    } else if (wallMs - this.#subscribedMs >= UNSUBSCRIBED_MS) this.#wire.close(NORMAL_CLOSE, "no subscription");
  }

  announceClose(): number {
    this.#status("maintenance");
    return MAINTENANCE_NOTICE_MS;
  }

  /** One answer a symbol: whoever is refused keeps no other back. */
  #one(request: Fields, method: string, symbol: string, snapshot: boolean, nowMs: number): void {
    const refuse = (error: string) => this.#answer(request, nowMs, { error, method, success: false, symbol });
    if (!this.#view.tape.symbols.has(symbol)) {
      refuse(`Currency pair not supported ${symbol}`);
      return;
    }
    if (method === "unsubscribe") {
      if (!this.symbols.delete(symbol)) {
        refuse("Subscription Not Found");
        return;
      }
      this.#answer(request, nowMs, { method, result: { channel: "trade", symbol }, success: true });
      return;
    }
    if (this.symbols.has(symbol)) {
      refuse("Already subscribed");
      return;
    }
    this.symbols.add(symbol);
    this.#answer(request, nowMs, { method, result: { channel: "trade", snapshot, symbol }, success: true });
    const newest = snapshot ? tradesOf(this.#view, symbol, null, SNAPSHOT_TRADES, this.#wire.nowMs()) : [];
    if (newest.length > 0) this.#send(`{"channel":"trade","type":"snapshot","data":[${newest.map(row).join(",")}]}`);
  }

  #answer(request: Fields | null, nowMs: number, fields: Fields): void {
    const id = request?.req_id;
    const stamp = { time_in: isoMicros(nowMs, 1), time_out: isoMicros(nowMs, 2) };
    this.#send(JSON.stringify({ ...fields, ...(Number.isSafeInteger(id) ? { req_id: id } : {}), ...stamp }));
  }

  #status(system: string): void {
    const state = { version: "2.0.10", system, api_version: "v2", connection_id: 16_174_536_464_690 };
    this.#send(JSON.stringify({ channel: "status", type: "update", data: [state] }));
  }

  #send(text: string): void {
    this.#sentMs = this.#wire.wallMs();
    this.#wire.send(text);
  }
}

/** Prices and quantities are JSON numbers. */
function row({ symbol, id, timeMs, price, quantity, sold }: SimTrade): string {
  return (
    `{"symbol":"${symbol}","side":"${sold ? "sell" : "buy"}","price":${shortDecimal(price)},"qty":${shortDecimal(quantity)},` +
    `"ord_type":"${id % 3 === 0 ? "limit" : "market"}","trade_id":${id},"timestamp":"${isoMicros(timeMs, id)}"}`
  );
}

function krakenRest(url: URL, _headers: Headers, view: SimView, nowMs: number): RestAnswer | null {
  const name = /^\/0\/public\/(\w+)$/.exec(url.pathname)?.[1];
  const query = url.searchParams;
  switch (name) {
    case "Time": {
      const toldMs = nowMs + view.skewMs;
      return result({ unixtime: Math.floor(toldMs / 1000), rfc1123: new Date(toldMs).toUTCString() });
    }
    case "AssetPairs":
      return result(
        Object.fromEntries(
          [...view.tape.symbols.keys()].map((symbol) => [
            altName(symbol),
            { altname: altName(symbol), wsname: symbol.replace(/^BTC\//, "XBT/"), status: "online" },
          ]),
        ),
      );
    case "OHLC":
      return withPair(view, query, (symbol) => ohlc(symbol, query, view, nowMs));
    case "Trades":
      return withPair(view, query, (symbol) => trades(symbol, query, view, nowMs));
    default:
      return null;
  }
}

function ohlc(symbol: string, query: URLSearchParams, view: SimView, nowMs: number): RestAnswer {
  if ((query.get("interval") ?? "1") !== "1") return refusal("EGeneral:Invalid arguments");
  const since = wholeOf(query, "since", 0);
  if (since === null) return refusal("EGeneral:Invalid arguments");
  const rows = view.tape.klines(symbol, { startTime: null, endTime: null, limit: OHLC_MINUTES }, nowMs);
  const places = shortDecimal(view.tape.symbols.get(symbol)?.tickSize ?? "1").split(".")[1]?.length ?? 0;
  const told = rows.filter(([openTime]) => openTime / 1000 > since).map((row) => ohlcRow(row, places));
  const last = (rows.at(-2)?.[0] ?? 0) / 1000;
  return result({ [altName(symbol)]: told, last });
}

/** The average price is cut to the price's places, so that quote volume cannot be had exactly. */
function ohlcRow([openTime, open, high, low, close, volume, , quote, count]: KlineRow, places: number): unknown {
  const volumeCount = parseScaled(volume, 8) ?? 0n;
  const average = volumeCount === 0n ? 0n : (parseScaled(quote, 16) ?? 0n) / volumeCount;
  const cut = formatScaled(average / 10n ** BigInt(8 - places), places, 0);
  return [openTime / 1000, ...[open, high, low, close].map(shortDecimal), cut, shortDecimal(volume), count];
}

/** Those traded after `since` (ns), oldest first, else the newest. */
function trades(symbol: string, query: URLSearchParams, view: SimView, nowMs: number): RestAnswer {
  const since = query.get("since");
  const count = Math.min(TRADES_PAGE, Math.max(1, wholeOf(query, "count", TRADES_PAGE) ?? TRADES_PAGE));
  if (since !== null && !/^\d{1,19}$/.test(since)) return refusal("EGeneral:Invalid arguments");
  const sinceNs = since === null ? null : BigInt(since.length <= 10 ? `${since}000000000` : since);
  const rows =
    sinceNs === null ? tradesOf(view, symbol, null, count, nowMs) : tradesAfter(view, symbol, sinceNs, count, nowMs);
  const told = rows.map(({ price, quantity, id, timeMs, sold }) => [
    ...[price, quantity, Number(secondsOf(timeMs, id)), sold ? "s" : "b", id % 3 === 0 ? "l" : "m", "", id],
  ]);
  const last = rows.at(-1);
  return result({ [altName(symbol)]: told, last: String(last ? nanosOf(last.timeMs, last.id) : (sinceNs ?? 0n)) });
}

function tradesAfter(
  view: SimView,
  symbol: string,
  sinceNs: bigint,
  count: number,
  nowMs: number,
): readonly SimTrade[] {
  // The minute's first id is what klines do not tell; the trades of the minute before it lead there.
  const fromMs = Number(sinceNs / 1_000_000n);
  const first = tradesOf(view, symbol, null, 1, Math.min(nowMs, fromMs)).at(0);
  const found: SimTrade[] = [];
  for (let from = first?.id ?? 0; found.length < count; ) {
    const page = tradesOf(view, symbol, from, count, nowMs);
    found.push(...page.filter(({ timeMs, id }) => nanosOf(timeMs, id) > sinceNs));
    const last = page.at(-1);
    if (!last || page.length < count) break;
    from = last.id + 1;
  }
  return found.slice(0, count);
}

/** `1688669597.827736`: the same µs as on the WebSocket. */
function secondsOf(timeMs: number, id: number): string {
  return `${nanosOf(timeMs, id)}`.replace(/(\d{9})$/, ".$1");
}

function nanosOf(timeMs: number, id: number): bigint {
  return BigInt(timeMs) * 1_000_000n + BigInt(microsOf(id)) * 1000n;
}

function withPair(view: SimView, query: URLSearchParams, answer: (symbol: string) => RestAnswer): RestAnswer {
  const wanted = query.get("pair");
  const symbol = [...view.tape.symbols.keys()].find((name) => name === wanted || altName(name) === wanted);
  return symbol === undefined ? refusal("EQuery:Unknown asset pair") : answer(symbol);
}

/** REST's older names: XBTUSDT for BTC/USDT. */
function altName(symbol: string): string {
  return symbol
    .split("/")
    .map((asset) => (asset === "BTC" ? "XBT" : asset === "DOGE" ? "XDG" : asset))
    .join("");
}

function result(value: Fields): RestAnswer {
  return { status: 200, body: { error: [], result: value } };
}

function refusal(error: string): RestAnswer {
  return { status: 200, body: { error: [error] } };
}
