import { isPlausible } from "../binance/frame.ts";
import { DECIMAL, FieldCursor, maybe, SYMBOL, shape, WHOLE } from "../field-cursor.ts";
import type { OmittedRow, Venue, VenueFrame, VenueLimits, VenueReader, VenueRule, VenueTrade } from "./contract.ts";
import {
  badKlines,
  batched,
  decimalIn,
  isObject,
  isPongTo,
  isZero,
  type Json,
  klinesOf,
  malformed,
  numberIn,
  other,
  parseJson,
  plain,
  splitPair,
  symbolIn,
  timeIn,
  wholeIn,
} from "./fields.ts";
import { OKX_REST } from "./okx-rest.ts";

const STREAMS = "okx.com/docs-v5, WebSocket, Trades channel and All trades channel";
const OVERVIEW = "okx.com/docs-v5, Overview, WebSocket";
const REST = "okx.com/docs-v5, Get candlesticks history";
const RECORDED = "seen in recordings";

const RULES: readonly VenueRule[] = [
  { rule: "symbol", value: "BTC-USDT; BTC-USDT-SWAP and BTC-USD-250627 are contracts, no pairs", source: STREAMS },
  {
    rule: "trades",
    value: "trades-all, a trade each (business address); trades (several may be put together) is read, too",
    source: STREAMS,
  },
  {
    rule: "trade ids",
    value: "count on per instrument; of trades put together, tradeId is the last of count",
    source: `${RECORDED}; count: ${STREAMS}; that these count on is assumed`,
  },
  { rule: "taker side", value: "side is the taker's", source: STREAMS },
  { rule: "left out", value: "zero price or size", source: "own" },
  {
    rule: "first row",
    value: "a subscription's first row repeats the last trade before it, unmarked",
    source: RECORDED,
  },
  { rule: "volume", value: "base asset of spot pairs; contracts of any other instrument", source: STREAMS },
  { rule: "request", value: "arguments of 64 KB at most; 480 requests an hour per connection", source: OVERVIEW },
  { rule: "messages to the venue", value: "3 a second", source: "own: within 480 an hour a start sends few" },
  { rule: "connections", value: "3 a second per IP", source: OVERVIEW },
  {
    rule: "sister exchanges",
    value: "OKCoin speaks the same: a recording of it cannot be told apart and counts as this venue",
    source: RECORDED,
  },
  { rule: "ping", value: "the client's text ping, answered pong; closed after 30 s without data", source: OVERVIEW },
  { rule: "forced close", value: "notice 64008 comes 30 s before a service upgrade", source: OVERVIEW },
  {
    rule: "refused subscription",
    value: "event error 60018; its text names instId",
    source: `${OVERVIEW}; public recordings`,
  },
  { rule: "quiet minute", value: "proven by ping, whose pong overtakes no trade", source: "assumed" },
  {
    rule: "klines",
    value: "/api/v5/market/history-candles, 100 a page, newest first, confirm 1 once final; no count",
    source: REST,
  },
  { rule: "empty minutes", value: "a flat row at the previous close", source: "assumed" },
  { rule: "rate limit", value: "20 requests in 2 s per IP; 429 or code 50011", source: REST },
];

const LIMITS: VenueLimits = {
  symbolsPerConnection: null,
  symbolsPerRequest: 500,
  requestCharacters: 60_000,
  // 480 an hour: a start sends few, and no more than these.
  messagesPerSecond: 3,
};

export const OKX: Venue = {
  id: "okx",
  title: "OKX",
  streamUrl: "wss://ws.okx.com:8443/ws/v5/business",
  tradeIds: "count",
  limits: LIMITS,
  ping: { from: "client", everyMs: 20_000, text: "ping" },
  refuses: "symbol",
  probe: { text: () => "ping", answers: isPongTo, lists: false, gathersMs: 0 },
  closesAfterMs: null,
  repeatsLastTrade: true,
  emptyMinutes: "flat",
  rules: [...RULES, ...OKX_REST.rules],
  rest: OKX_REST,
  reader: () => new OkxReader(),
  assetsOf: (symbol) => splitPair(symbol, "-"),
  symbolOf: ({ base, quote }) => `${base}-${quote}`,
  subscribe: (symbols) =>
    batched(symbols, LIMITS, false, (some) =>
      JSON.stringify({ op: "subscribe", args: some.map((instId) => ({ channel: "trades-all", instId })) }),
    ),
  klineUrl: (symbol, from, to, venueTimeMs) =>
    `https://www.okx.com/api/v5/market/${isNewest(from, venueTimeMs) ? "candles" : "history-candles"}` +
    `?instId=${encodeURIComponent(symbol)}&bar=1m&before=${from - 1}&after=${to + 1}&limit=100`,
  klines: (symbol, body, venueTimeMs) => {
    const value = parseJson(body);
    if (!isObject(value) || value.code !== "0") throw badKlines(symbol, "no answer of code 0");
    return klinesOf(symbol, value.data, venueTimeMs, (row) => {
      const [time, open, high, low, close, volume, , quoteVolume, confirm] = row;
      if (confirm === "0") return null;
      return { openTime: timeIn(time), open, high, low, close, volume, quoteVolume: numberIn(quoteVolume) };
    });
  },
};

/** Well within the last 1440 minutes, which are at another address than the history (see the rules). */
function isNewest(openTime: number, venueTimeMs: number | undefined): boolean {
  return venueTimeMs !== undefined && openTime > venueTimeMs - 1400 * 60_000;
}

const NONE: readonly never[] = [];

const HEAD = shape`{"arg":{"channel":"trades${"(?:-all)?"}","instId":"${SYMBOL}"},"data":[`;
const ROW = shape`{"instId":"${SYMBOL}","tradeId":"${WHOLE}","px":"${DECIMAL}","sz":"${DECIMAL}","side":"${"(?:buy|sell)"}","ts":"${WHOLE}"${maybe(shape`,"count":"${WHOLE}"`)}${maybe(shape`,"source":"${WHOLE}"`)}${maybe(shape`,"seqId":${WHOLE}`)}}`;

/** OKX's public and business messages; rows of a trades channel in the venue's order of fields are walked. */
class OkxReader implements VenueReader {
  readonly #cursor = new FieldCursor();

  read(text: string, from = 0): VenueFrame {
    this.#cursor.begin(text, from);
    return this.#trades() ?? parseFrame(from === 0 ? text : text.slice(from));
  }

  #trades(): VenueFrame | null {
    const c = this.#cursor;
    if (!c.is(HEAD)) return null;
    c.over('{"arg":{"channel":"trades');
    const all = c.optional("-all");
    c.over('","instId":"');
    const named = c.upTo();
    c.over('"},"data":[');
    const trades: VenueTrade[] = [];
    do {
      const trade = this.#row(all);
      if (trade === null || trade.symbol !== named) return null;
      trades.push(trade);
    } while (c.optional(","));
    return c.optional("]}") && c.ended ? tradesFrame(all ? "trades-all" : "trades", trades, NONE) : null;
  }

  #row(all: boolean): VenueTrade | null {
    const c = this.#cursor;
    if (!c.is(ROW)) return null;
    c.over('{"instId":"');
    const symbol = c.upTo();
    c.over('","tradeId":"');
    const lastId = c.whole();
    c.over('","px":"');
    const price = c.upTo();
    c.over('","sz":"');
    const quantity = c.upTo();
    c.over('","side":"');
    const sold = c.wordOf("s");
    c.over('","ts":"');
    const timeMs = c.whole();
    c.over('"');
    const count = c.optional(',"count":"') ? c.whole() : 1;
    c.at = ROW.lastIndex;
    if (!isPlausible(timeMs) || count < 1 || count > lastId || (all && count !== 1)) return null;
    return tradeOf(symbol, lastId, count, price, quantity, timeMs, sold);
  }
}

function tradeOf(
  symbol: string,
  lastId: number,
  count: number,
  price: string,
  quantity: string,
  timeMs: number,
  buyerIsMaker: boolean,
): VenueTrade {
  const id = lastId - count + 1;
  const single = { symbol, id, price, quantity, timeMs, buyerIsMaker };
  return count === 1 ? single : { ...single, lastId };
}

function parseFrame(text: string): VenueFrame {
  if (text === "pong") return { type: "pong", requestId: null };
  const value = parseJson(text);
  if (value === undefined) return malformed("not JSON");
  if (!isObject(value)) return malformed("not an object");
  if (typeof value.event === "string") return event(value.event, value);
  if (isObject(value.arg)) return pushed(value.arg, value.data);
  // Recorders keep answers of REST, and the tables of API v3, among the frames.
  if ("code" in value && "data" in value) return other("REST answer");
  if (typeof value.table === "string") return other("API v3");
  return malformed("neither an event nor a channel");
}

function event(name: string, value: Json): VenueFrame {
  const arg = isObject(value.arg) ? value.arg : {};
  const symbol = symbolIn(arg.instId);
  switch (name) {
    case "subscribe": {
      const trades = arg.channel === "trades" || arg.channel === "trades-all";
      return { type: "ack", symbols: trades && symbol !== null ? [symbol] : [], requestId: null };
    }
    case "error": {
      const reason = plain(value.msg) ?? "no reason given";
      const named = symbolIn(/instId:([A-Za-z0-9._-]+)/.exec(reason)?.[1]);
      const text = `${reason} (code ${plain(value.code) ?? "unknown"})`;
      return { type: "rejected", symbols: named === null ? [] : [named], requestId: null, reason: text };
    }
    case "notice":
      return { type: "closing", reason: plain(value.msg) ?? "notice" };
    default:
      return other(name);
  }
}

function pushed(arg: Json, data: unknown): VenueFrame {
  const channel = plain(arg.channel);
  if (channel === null) return malformed("the channel has no name");
  const rows = Array.isArray(data) ? (data as unknown[]) : null;
  if (channel !== "trades" && channel !== "trades-all") return other(channel);
  const named = symbolIn(arg.instId);
  if (rows === null || rows.length === 0) return malformed("no trade on a trades channel", named);
  const trades: VenueTrade[] = [];
  const omitted: OmittedRow[] = [];
  for (const item of rows) {
    const row = isObject(item) ? rowOf(item, channel) : malformed("a trade is no object", named);
    if ("type" in row) return row;
    if (row.symbol !== named) return malformed("two names that differ");
    if ("reason" in row) omitted.push(row);
    else trades.push(row);
  }
  return tradesFrame(channel, trades, omitted);
}

function rowOf(row: Json, channel: string): VenueTrade | OmittedRow | (VenueFrame & { readonly type: "malformed" }) {
  const symbol = symbolIn(row.instId);
  if (symbol === null) return malformed("instId is not a symbol");
  const lastId = wholeIn(row.tradeId);
  const count = row.count === undefined ? 1 : wholeIn(row.count);
  const price = decimalIn(row.px);
  const quantity = decimalIn(row.sz);
  const timeMs = timeIn(row.ts);
  if (lastId === null) return malformed("tradeId is not a whole number", symbol);
  if (count === null || count < 1 || (count > 1 && (count > lastId || channel === "trades-all")))
    return malformed("count is not a count", symbol);
  if (price === null || quantity === null) return malformed("px or sz is not a decimal", symbol);
  if (timeMs === null) return malformed("ts is not a time", symbol);
  if (row.side !== "buy" && row.side !== "sell") return malformed("side is neither buy nor sell", symbol);
  if (isZero(price) || isZero(quantity))
    return { symbol, firstId: lastId - count + 1, lastId, timeMs, reason: "zero price or quantity" };
  return tradeOf(symbol, lastId, count, price, quantity, timeMs, row.side === "sell");
}

function tradesFrame(stream: string, trades: readonly VenueTrade[], omitted: readonly OmittedRow[]): VenueFrame {
  return { type: "trades", venue: "okx", stream, trades, history: NONE, omitted };
}
