import { isPlausible } from "../binance/frame.ts";
import { DECIMAL, FieldCursor, RFC3339, SYMBOL, shape, UUID, WHOLE, WORD } from "../field-cursor.ts";
import { COINBASE_REST } from "./coinbase-rest.ts";
import type { OmittedRow, Venue, VenueFrame, VenueLimits, VenueReader, VenueRule, VenueTrade } from "./contract.ts";
import {
  batched,
  decimalIn,
  IsoTimes,
  isObject,
  isoTimeIn,
  isZero,
  type Json,
  klinesOf,
  malformed,
  other,
  parseJson,
  plain,
  splitPair,
  symbolIn,
  wholeIn,
} from "./fields.ts";

const STREAMS = "docs.cdp.coinbase.com, Advanced Trade API, WebSocket (market_trades, heartbeats, rate limits)";
const EXCHANGE = "docs.cdp.coinbase.com, Exchange API, WebSocket channels (match)";
const REST = "docs.cdp.coinbase.com, Exchange API, Get product candles";
const RECORDED = "seen in recordings";

const RULES: readonly VenueRule[] = [
  { rule: "symbol", value: "BTC-USD: base, dash, quote", source: STREAMS },
  {
    rule: "trades",
    value: "Advanced Trade's market_trades, gathered over 250 ms, newest first; the older match is read, too",
    source: `${STREAMS}; ${EXCHANGE}`,
  },
  { rule: "trade ids", value: "count on per product", source: `${RECORDED} (match); market_trades: assumed the same` },
  {
    rule: "sequence",
    value: "sequence_num counts a connection's messages: at a jump trades may be lost",
    source: STREAMS,
  },
  {
    rule: "taker side",
    value: "side is the maker's: the taker is the other one",
    source: `${EXCHANGE}; market_trades: as in public clients`,
  },
  { rule: "left out", value: "zero price or size; last_match and snapshots are history", source: `own; ${RECORDED}` },
  { rule: "symbols per request", value: "100", source: "own" },
  { rule: "messages to the venue", value: "8 a second per IP, unauthenticated", source: STREAMS },
  { rule: "first message", value: "a subscription within 5 s, else disconnected", source: STREAMS },
  {
    rule: "ping",
    value: "subscribe to heartbeats: one a second; without updates a channel closes in 60 to 90 s",
    source: STREAMS,
  },
  { rule: "forced close", value: "none announced", source: STREAMS },
  {
    rule: "refused subscription",
    value: "type error; its reason names the product; the whole request is refused",
    source: `${EXCHANGE}; public bug reports`,
  },
  {
    rule: "quiet minute",
    value:
      "proven by subscribing heartbeats anew: the answer lists all, and trades trail it by the 250 ms of gathering",
    source: "assumed",
  },
  {
    rule: "klines",
    value: "/products/{id}/candles, granularity 60, 300 a page, newest first; no quote volume, no count",
    source: REST,
  },
  { rule: "empty minutes", value: "absent", source: REST },
  {
    rule: "rate limit",
    value: "10 requests a second per IP; 429",
    source: "docs.cdp.coinbase.com, Exchange API, rate limits",
  },
];

const HEARTBEATS = '{"type":"subscribe","channel":"heartbeats"}';

const LIMITS: VenueLimits = {
  symbolsPerConnection: null,
  symbolsPerRequest: 100,
  requestCharacters: 8000,
  messagesPerSecond: 8,
};

export const COINBASE: Venue = {
  id: "coinbase",
  title: "Coinbase",
  streamUrl: "wss://advanced-trade-ws.coinbase.com",
  tradeIds: "count",
  limits: LIMITS,
  ping: { from: "client", everyMs: 30_000, text: null },
  refuses: "request",
  probe: {
    text: () => HEARTBEATS,
    answers: (frame) => frame.type === "ack",
    lists: true,
    gathersMs: 250,
  },
  closesAfterMs: null,
  repeatsLastTrade: false,
  emptyMinutes: "absent",
  rules: [...RULES, ...COINBASE_REST.rules],
  rest: COINBASE_REST,
  reader: () => new CoinbaseReader(),
  assetsOf: (symbol) => splitPair(symbol, "-"),
  symbolOf: ({ base, quote }) => `${base}-${quote}`,
  subscribe: (symbols) => {
    const trades = batched(symbols, LIMITS, false, (some) =>
      JSON.stringify({ type: "subscribe", product_ids: some, channel: "market_trades" }),
    );
    return trades.length === 0 ? [] : [...trades, { text: HEARTBEATS, symbols: [], requestId: null }];
  },
  klineUrl: (symbol, from, to) =>
    `https://api.exchange.coinbase.com/products/${encodeURIComponent(symbol)}/candles?granularity=60` +
    `&start=${from / 1000}&end=${to / 1000}`,
  klines: (symbol, body, venueTimeMs) =>
    klinesOf(symbol, parseJson(body), venueTimeMs, ([time, low, high, open, close, volume]) => {
      const seconds = wholeIn(time);
      return { openTime: seconds === null ? null : seconds * 1000, open, high, low, close, volume };
    }),
};

const NONE: readonly never[] = [];

const MATCH = shape`{"type":"${"(?:last_)?match"}","trade_id":${WHOLE},"maker_order_id":"${UUID}","taker_order_id":"${UUID}","side":"${"(?:buy|sell)"}","size":"${DECIMAL}","price":"${DECIMAL}","product_id":"${SYMBOL}","sequence":${WHOLE},"time":"${RFC3339}"}`;
const UPDATE = shape`{"channel":"market_trades","client_id":"${WORD}","timestamp":"${RFC3339}","sequence_num":${WHOLE},"events":[{"type":"update","trades":[`;
const EVENTS = ',"events":[{"type":"update","trades":[';
const ROW = shape`{"product_id":"${SYMBOL}","trade_id":"${WHOLE}","price":"${DECIMAL}","size":"${DECIMAL}","time":"${RFC3339}","side":"${"(?:BUY|SELL)"}"}`;

/** Both of Coinbase's feeds; `match` and `market_trades` in the venue's order of fields are walked, all else goes through JSON.parse. */
class CoinbaseReader implements VenueReader {
  readonly #cursor = new FieldCursor();
  readonly #times = new IsoTimes();

  read(text: string, from = 0): VenueFrame {
    this.#cursor.begin(text, from);
    const walked = text.charCodeAt(from + 2) === 116 ? this.#match() : this.#marketTrades();
    return walked ?? parseFrame(from === 0 ? text : text.slice(from));
  }

  #match(): VenueFrame | null {
    const c = this.#cursor;
    if (!c.is(MATCH)) return null;
    c.over('{"type":"');
    const history = c.optional("last_");
    c.over('match","trade_id":');
    const id = c.whole();
    c.over(',"maker_order_id":"');
    c.toQuote();
    c.over('","taker_order_id":"');
    c.toQuote();
    c.over('","side":"');
    const buyerIsMaker = c.wordOf("b");
    c.over('","size":"');
    const quantity = c.upTo();
    c.over('","price":"');
    const price = c.upTo();
    c.over('","product_id":"');
    const symbol = c.upTo();
    c.over('","sequence":');
    c.whole();
    c.over(',"time":"');
    const timeMs = this.#time();
    c.over('"}');
    if (!c.ended || !isPlausible(timeMs)) return null;
    const trades = [{ symbol, id, price, quantity, timeMs, buyerIsMaker }];
    return history ? tradesFrame("match", NONE, trades, NONE) : tradesFrame("match", trades, NONE, NONE);
  }

  #marketTrades(): VenueFrame | null {
    const c = this.#cursor;
    if (!c.is(UPDATE)) return null;
    // The number that stands last in the shape's head.
    c.at = c.text.lastIndexOf(":", UPDATE.lastIndex - EVENTS.length - 1) + 1;
    const sequence = c.whole();
    c.at = UPDATE.lastIndex;
    const trades: VenueTrade[] = [];
    do {
      const trade = this.#row();
      if (trade === null) return null;
      trades.push(trade);
    } while (c.optional(","));
    return c.optional("]}]}") && c.ended ? marketTrades(oldestFirst(trades), NONE, NONE, sequence) : null;
  }

  #row(): VenueTrade | null {
    const c = this.#cursor;
    if (!c.is(ROW)) return null;
    c.over('{"product_id":"');
    const symbol = c.upTo();
    c.over('","trade_id":"');
    const id = c.whole();
    c.over('","price":"');
    const price = c.upTo();
    c.over('","size":"');
    const quantity = c.upTo();
    c.over('","time":"');
    const timeMs = this.#time();
    c.over('","side":"');
    const buyerIsMaker = c.wordOf("B");
    c.over('"}');
    return isPlausible(timeMs) ? { symbol, id, price, quantity, timeMs, buyerIsMaker } : null;
  }

  #time(): number {
    const c = this.#cursor;
    const from = c.at;
    c.toQuote();
    return this.#times.ms(c.text, from, c.at);
  }
}

function parseFrame(text: string): VenueFrame {
  const value = parseJson(text);
  if (value === undefined) return malformed("not JSON");
  if (!isObject(value)) return malformed("not an object");
  if (typeof value.channel === "string") return advanced(value.channel, value);
  if (typeof value.type === "string") return exchange(value.type, value);
  // Recorders keep order book snapshots, which are of REST, among the frames.
  if ("bids" in value && "asks" in value) return other("book");
  return malformed("neither a channel nor a type");
}

function exchange(type: string, value: Json): VenueFrame {
  switch (type) {
    case "match":
    case "last_match": {
      const row = rowOf(value, false);
      if ("type" in row) return row;
      if ("reason" in row) return tradesFrame("match", NONE, NONE, [row]);
      return type === "match" ? tradesFrame("match", [row], NONE, NONE) : tradesFrame("match", NONE, [row], NONE);
    }
    case "subscriptions":
      return { type: "ack", symbols: subscribed(value.channels), requestId: null };
    case "error":
      return refusal(value);
    case "heartbeat":
      return { type: "heartbeat", eventTimeMs: isoTimeIn(value.time) };
    case "ticker":
      // Its time is the last trade's, which may have been long ago.
      return other(type);
    default:
      return other(type, isoTimeIn(value.time));
  }
}

function advanced(channel: string, value: Json): VenueFrame {
  const eventTimeMs = isoTimeIn(value.timestamp);
  const sequence = wholeIn(value.sequence_num) ?? undefined;
  const numbered = sequence === undefined ? {} : { sequence };
  const events = Array.isArray(value.events) ? (value.events as unknown[]) : [];
  if (value.type === "error") return refusal(value);
  if (channel === "heartbeats") return { type: "heartbeat", eventTimeMs, ...numbered };
  if (channel === "subscriptions") {
    const told = isObject(events[0]) && isObject(events[0].subscriptions) ? events[0].subscriptions.market_trades : [];
    return { type: "ack", symbols: symbolsIn(told), requestId: null, ...numbered };
  }
  if (channel !== "market_trades") return { ...other(channel, eventTimeMs), ...numbered };
  const trades: VenueTrade[] = [];
  const history: VenueTrade[] = [];
  const omitted: OmittedRow[] = [];
  for (const event of events) {
    if (!isObject(event) || !Array.isArray(event.trades)) return malformed("an event without a list of trades");
    for (const item of event.trades as unknown[]) {
      const row = isObject(item) ? rowOf(item, true) : malformed("a trade is no object");
      if ("type" in row) return row;
      if ("reason" in row) omitted.push(row);
      else (event.type === "snapshot" ? history : trades).push(row);
    }
  }
  if (events.length === 0) return malformed("market_trades without events");
  return marketTrades(oldestFirst(trades), oldestFirst(history), omitted, sequence);
}

function rowOf(row: Json, upper: boolean): VenueTrade | OmittedRow | (VenueFrame & { readonly type: "malformed" }) {
  const symbol = symbolIn(row.product_id);
  if (symbol === null) return malformed("product_id is not a symbol");
  const id = upper ? wholeIn(row.trade_id) : typeof row.trade_id === "number" ? wholeIn(row.trade_id) : null;
  const price = decimalIn(row.price);
  const quantity = decimalIn(row.size);
  const timeMs = isoTimeIn(row.time);
  const side = row.side;
  if (id === null) return malformed("trade_id is not a whole number", symbol);
  if (price === null || quantity === null) return malformed("price or size is not a decimal", symbol);
  if (timeMs === null) return malformed("time is not a time", symbol);
  if (side !== (upper ? "BUY" : "buy") && side !== (upper ? "SELL" : "sell"))
    return malformed("side is neither", symbol);
  if (isZero(price) || isZero(quantity))
    return { symbol, firstId: id, lastId: id, timeMs, reason: "zero price or quantity" };
  return { symbol, id, price, quantity, timeMs, buyerIsMaker: side === "buy" || side === "BUY" };
}

function refusal(value: Json): VenueFrame {
  const message = plain(value.message) ?? "no reason given";
  const reason = plain(value.reason);
  const named = /^(\S+) is not a valid product/.exec(reason ?? "")?.[1];
  const symbol = symbolIn(named);
  return {
    type: "rejected",
    symbols: symbol === null ? [] : [symbol],
    requestId: null,
    reason: reason === null ? message : `${message}: ${reason}`,
  };
}

/** The products of `matches` in an answer of the older feed. */
function subscribed(channels: unknown): readonly string[] {
  if (!Array.isArray(channels)) return [];
  const matches = (channels as unknown[]).find((channel) => isObject(channel) && channel.name === "matches");
  return isObject(matches) ? symbolsIn(matches.product_ids) : [];
}

function symbolsIn(list: unknown): readonly string[] {
  return Array.isArray(list) ? (list as unknown[]).map(symbolIn).filter((symbol) => symbol !== null) : [];
}

/** The venue sends the newest first. */
function oldestFirst(trades: VenueTrade[]): readonly VenueTrade[] {
  const first = trades[0];
  const last = trades.at(-1);
  return first && last && (first.id ?? 0) > (last.id ?? 0) ? trades.reverse() : trades;
}

function marketTrades(
  trades: readonly VenueTrade[],
  history: readonly VenueTrade[],
  omitted: readonly OmittedRow[],
  sequence: number | undefined,
): VenueFrame {
  const frame = { type: "trades", venue: "coinbase", stream: "market_trades", trades, history, omitted } as const;
  return sequence === undefined ? frame : { ...frame, sequence };
}

function tradesFrame(
  stream: string,
  trades: readonly VenueTrade[],
  history: readonly VenueTrade[],
  omitted: readonly OmittedRow[],
): VenueFrame {
  return { type: "trades", venue: "coinbase", stream, trades, history, omitted };
}
