import { isPlausible } from "../binance/frame.ts";
import { DECIMAL, FieldCursor, JSON_DECIMAL, RFC3339, SYMBOL, shape, WHOLE, WORD } from "../field-cursor.ts";
import type { Venue, VenueFrame, VenueLimits, VenueReader, VenueRule, VenueTrade } from "./contract.ts";
import {
  badKlines,
  batched,
  IsoTimes,
  isObject,
  isPongTo,
  klinesOf,
  numberIn,
  parseJson,
  splitPair,
  wholeIn,
} from "./fields.ts";
import { currentName, krakenTrades, parseKraken } from "./kraken-json.ts";
import { KRAKEN_REST, restName } from "./kraken-rest.ts";

const V2 = "docs.kraken.com, WebSocket v2 (trade, heartbeat, ping, status)";
const V1 = "docs.kraken.com, WebSocket v1 (trade)";
const GUIDES = "docs.kraken.com, guides, WebSocket connections";
const REST = "docs.kraken.com, REST, Get OHLC Data";

const RULES: readonly VenueRule[] = [
  { rule: "symbol", value: "BTC/USD; v1's XBT and XDG are read as BTC and DOGE", source: V2 },
  { rule: "trades", value: "v2 trade; arrays of v1 are read, too", source: `${V2}; ${V1}` },
  {
    rule: "trade ids",
    value: "v2: trade_id, a sequence per book; v1: none, so that nothing proves a minute whole",
    source: `${V2}; ${V1}`,
  },
  { rule: "numbers", value: "v2 sends price and qty as JSON numbers: their text is taken, not a double", source: V2 },
  { rule: "taker side", value: "side is the taker's", source: V2 },
  { rule: "left out", value: "zero price or quantity; snapshot rows are history", source: "own" },
  { rule: "symbols per request", value: "100", source: "own" },
  { rule: "messages to the venue", value: "1 a second", source: "own: the document names no figure for market data" },
  { rule: "connections", value: "about 150 in 10 minutes per IP", source: GUIDES },
  {
    rule: "ping",
    value: "a heartbeat a second where nothing else comes; the client may ping, answered pong",
    source: V2,
  },
  {
    rule: "forced close",
    value: "a minute without any subscription; maintenance is told by the status channel",
    source: GUIDES,
  },
  {
    rule: "refused subscription",
    value: "success false with error and symbol, one answer a symbol; the others go on",
    source: `${V2}; seen in recordings`,
  },
  { rule: "quiet minute", value: "proven by ping, whose pong overtakes no trade", source: "assumed" },
  {
    rule: "klines",
    value:
      "/0/public/OHLC: the newest 720 minutes whatever is asked, the last one still runs; vwap is cut, so quote volume is near",
    source: REST,
  },
  {
    rule: "empty minutes",
    value: "a flat row at the previous close; absent from the downloadable history",
    source: "seen in histories",
  },
  { rule: "rate limit", value: "about 1 public request a second per IP; EAPI:Rate limit exceeded", source: REST },
];

const LIMITS: VenueLimits = {
  symbolsPerConnection: null,
  symbolsPerRequest: 100,
  requestCharacters: 8000,
  messagesPerSecond: 1,
};

export const KRAKEN: Venue = {
  id: "kraken",
  title: "Kraken",
  streamUrl: "wss://ws.kraken.com/v2",
  tradeIds: "partly",
  limits: LIMITS,
  ping: { from: "client", everyMs: 30_000, text: '{"method":"ping"}' },
  refuses: "symbol",
  probe: {
    text: (id) => JSON.stringify({ method: "ping", req_id: id }),
    answers: isPongTo,
    lists: false,
    gathersMs: 0,
  },
  closesAfterMs: null,
  repeatsLastTrade: false,
  emptyMinutes: "flat",
  rules: [...RULES, ...KRAKEN_REST.rules],
  rest: KRAKEN_REST,
  reader: () => new KrakenReader(),
  assetsOf: (symbol) => {
    const pair = splitPair(symbol, "/");
    return pair === null ? null : { base: currentName(pair.base), quote: currentName(pair.quote) };
  },
  symbolOf: ({ base, quote }) => `${base}/${quote}`,
  subscribe: (symbols) =>
    batched(symbols, LIMITS, true, (symbol, id) =>
      JSON.stringify({ method: "subscribe", params: { channel: "trade", symbol, snapshot: false }, req_id: id }),
    ),
  klineUrl: (symbol, from) =>
    `https://api.kraken.com/0/public/OHLC?pair=${encodeURIComponent(restName(symbol))}&interval=1&since=${from / 1000 - 1}`,
  klines: (symbol, body, venueTimeMs) => {
    const value = parseJson(body);
    const result = isObject(value) && isObject(value.result) ? value.result : null;
    const rows = result === null ? null : Object.entries(result).find(([name]) => name !== "last")?.[1];
    if (rows === null) throw badKlines(symbol, "no result");
    return klinesOf(symbol, rows, venueTimeMs, ([time, open, high, low, close, vwap, volume, trades]) => {
      const seconds = wholeIn(time);
      const openTime = seconds === null ? null : seconds * 1000;
      const quoteVolume = numberIn(vwap) * numberIn(volume);
      return { openTime, open, high, low, close, volume, quoteVolume, trades: numberIn(trades) };
    });
  },
};

const NONE: readonly never[] = [];
const HEAD = '{"channel":"trade","type":"update","data":[';
const ROW = shape`{"symbol":"${SYMBOL}","side":"${"(?:buy|sell)"}","price":${JSON_DECIMAL},"qty":${JSON_DECIMAL},"ord_type":"${"[a-z-]{1,30}"}","trade_id":${WHOLE},"timestamp":"${RFC3339}"}`;
const ARRAY_HEAD = shape`[${WHOLE},[`;
const ARRAY_ROW = shape`["${DECIMAL}","${DECIMAL}","${DECIMAL}","${"[bs]"}","${WORD}","${WORD}"]`;
const ARRAY_TAIL = shape`],"trade","${"[A-Z0-9]{1,19}"}/${"[A-Z0-9]{1,19}"}"]`;

/** Both of Kraken's protocols; trade frames in the venue's order of fields are walked. */
class KrakenReader implements VenueReader {
  readonly #cursor = new FieldCursor();
  readonly #times = new IsoTimes();

  read(text: string, from = 0): VenueFrame {
    this.#cursor.begin(text, from);
    const walked = text.charCodeAt(from) === 0x5b ? this.#array() : this.#trades();
    return walked ?? parseKraken(from === 0 ? text : text.slice(from));
  }

  #trades(): VenueFrame | null {
    const c = this.#cursor;
    if (!c.optional(HEAD)) return null;
    const trades: VenueTrade[] = [];
    do {
      const trade = this.#row();
      if (trade === null) return null;
      trades.push(trade);
    } while (c.optional(","));
    return c.optional("]}") && c.ended ? krakenTrades("v2", trades, NONE, NONE) : null;
  }

  #row(): VenueTrade | null {
    const c = this.#cursor;
    if (!c.is(ROW)) return null;
    c.over('{"symbol":"');
    const symbol = c.upTo();
    c.over('","side":"');
    const buyerIsMaker = c.wordOf("s");
    c.over('","price":');
    const price = c.upTo(",");
    c.over(',"qty":');
    const quantity = c.upTo(",");
    c.over(',"ord_type":"');
    c.toQuote();
    c.over('","trade_id":');
    const id = c.whole();
    c.over(',"timestamp":"');
    const timeMs = this.#times.ms(c.text, c.at, ROW.lastIndex - 2);
    c.at = ROW.lastIndex;
    return isPlausible(timeMs) ? { symbol, id, price, quantity, timeMs, buyerIsMaker } : null;
  }

  /** `[channel, [[price, volume, time, side, type, misc] …], "trade", pair]`. */
  #array(): VenueFrame | null {
    const c = this.#cursor;
    if (!c.is(ARRAY_HEAD)) return null;
    c.at = ARRAY_HEAD.lastIndex;
    const rows: Omit<VenueTrade, "symbol" | "id">[] = [];
    do {
      if (!c.is(ARRAY_ROW)) return null;
      c.over('["');
      const price = c.upTo();
      c.over('","');
      const quantity = c.upTo();
      c.over('","');
      const timeMs = c.seconds();
      c.over('","');
      const buyerIsMaker = c.optional("s");
      c.at = ARRAY_ROW.lastIndex;
      if (!isPlausible(timeMs)) return null;
      rows.push({ price, quantity, timeMs, buyerIsMaker });
    } while (c.optional(","));
    if (!c.is(ARRAY_TAIL) || ARRAY_TAIL.lastIndex !== c.text.length) return null;
    c.over('],"trade","');
    const base = currentName(c.upTo("/"));
    c.over("/");
    const symbol = `${base}/${currentName(c.upTo())}`;
    const trades = rows.map(({ price, quantity, timeMs, buyerIsMaker }) => {
      return { symbol, id: null, price, quantity, timeMs, buyerIsMaker };
    });
    return krakenTrades("v1", trades, NONE, NONE);
  }
}
