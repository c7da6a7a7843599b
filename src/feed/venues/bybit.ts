import { isPlausible } from "../binance/frame.ts";
import { DECIMAL, FieldCursor, maybe, SYMBOL, shape, TRUTH, UUID, WHOLE, WORD } from "../field-cursor.ts";
import { BYBIT_REST } from "./bybit-rest.ts";
import type { OmittedRow, Venue, VenueFrame, VenueLimits, VenueReader, VenueRule, VenueTrade } from "./contract.ts";
import {
  badKlines,
  batched,
  cutPair,
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
  symbolIn,
  timeIn,
  wholeIn,
} from "./fields.ts";

const STREAMS = "bybit-exchange.github.io/docs/v5, websocket, public trade";
const CONNECT = "bybit-exchange.github.io/docs/v5, websocket, connect";
const REST = "bybit-exchange.github.io/docs/v5, market, kline";

const RULES: readonly VenueRule[] = [
  {
    rule: "symbol",
    value: "BTCUSDT; spot here: linear contracts have the same names and need a store of their own",
    source: STREAMS,
  },
  {
    rule: "trades",
    value: "publicTrade.{symbol}, up to 1024 a message; the topics of API v2 (until 2023) are no trades here",
    source: STREAMS,
  },
  {
    rule: "trade ids",
    value:
      "none that count: i is shared between symbols (spot) or a UUID, seq may repeat and jump; nothing proves a minute whole",
    source: `${STREAMS}; v3 spot document of the same ids`,
  },
  { rule: "taker side", value: "S is the taker's", source: STREAMS },
  {
    rule: "left out",
    value: "BT true (block trades, agreed outside the book), zero price or quantity",
    source: `${STREAMS}; that klines leave them out, too, is assumed`,
  },
  { rule: "volume", value: "base asset (spot, linear); an inverse contract's counts in dollars", source: STREAMS },
  { rule: "symbols per request", value: "10 (spot)", source: CONNECT },
  { rule: "request", value: "arguments of 21,000 characters at most", source: CONNECT },
  { rule: "messages to the venue", value: "5 a second", source: "own: the document names no figure" },
  { rule: "connections", value: "500 in 5 minutes per IP", source: CONNECT },
  { rule: "ping", value: 'the client\'s {"op":"ping"} every 20 s, answered pong', source: CONNECT },
  { rule: "forced close", value: "after 10 minutes without ping and data; none announced", source: CONNECT },
  {
    rule: "refused subscription",
    value: "success false; ret_msg names the topic; the request's other symbols are refused with it",
    source: "public recordings",
  },
  { rule: "quiet minute", value: "proven by ping, whose pong overtakes no trade", source: "assumed" },
  {
    rule: "klines",
    value: "/v5/market/kline, 1000 a page, newest first, the first still runs; open is the previous close; no count",
    source: REST,
  },
  { rule: "empty minutes", value: "a flat row at the previous close", source: "assumed" },
  {
    rule: "rate limit",
    value: "600 requests in 5 s per IP; 403, wait 10 minutes",
    source: "bybit-exchange.github.io/docs/v5, rate limit",
  },
];

const LIMITS: VenueLimits = {
  symbolsPerConnection: null,
  symbolsPerRequest: 10,
  requestCharacters: 21_000,
  messagesPerSecond: 5,
};

export const BYBIT: Venue = {
  id: "bybit",
  title: "Bybit",
  streamUrl: "wss://stream.bybit.com/v5/public/spot",
  tradeIds: "none",
  limits: LIMITS,
  ping: { from: "client", everyMs: 20_000, text: '{"op":"ping"}' },
  refuses: "request",
  probe: {
    text: (id) => JSON.stringify({ req_id: `${id}`, op: "ping" }),
    answers: isPongTo,
    lists: false,
    gathersMs: 0,
  },
  closesAfterMs: null,
  repeatsLastTrade: false,
  emptyMinutes: "flat",
  rules: [...RULES, ...BYBIT_REST.rules],
  rest: BYBIT_REST,
  reader: () => new BybitReader(),
  assetsOf: cutPair,
  symbolOf: ({ base, quote }) => base + quote,
  subscribe: (symbols) =>
    batched(symbols, LIMITS, true, (some, id) =>
      JSON.stringify({ req_id: `${id}`, op: "subscribe", args: some.map((symbol) => `publicTrade.${symbol}`) }),
    ),
  klineUrl: (symbol, from, to) =>
    `https://api.bybit.com/v5/market/kline?category=spot&symbol=${encodeURIComponent(symbol)}&interval=1` +
    `&start=${from}&end=${to}&limit=1000`,
  klines: (symbol, body, venueTimeMs) => {
    const value = parseJson(body);
    const result = isObject(value) && value.retCode === 0 && isObject(value.result) ? value.result : null;
    if (result === null) throw badKlines(symbol, "no answer of retCode 0");
    return klinesOf(symbol, result.list, venueTimeMs, ([time, open, high, low, close, volume, turnover]) => ({
      openTime: timeIn(time),
      open,
      high,
      low,
      close,
      volume,
      quoteVolume: numberIn(turnover),
    }));
  },
};

const NONE: readonly never[] = [];

const SIDE = "(?:Buy|Sell)";
const HEAD = shape`{"topic":"publicTrade.${SYMBOL}",${`(?:"type":"snapshot","ts":${WHOLE}|"ts":${WHOLE},"type":"snapshot")`},"data":[`;
const SPOT_ROW = shape`{"i":"${WORD}","T":${WHOLE},"p":"${DECIMAL}","v":"${DECIMAL}","S":"${SIDE}"${maybe(shape`,"seq":${WHOLE}`)},"s":"${SYMBOL}","BT":false${maybe(shape`,"RPI":${TRUTH}`)}}`;
const LINEAR_ROW = shape`{"T":${WHOLE},"s":"${SYMBOL}","S":"${SIDE}","v":"${DECIMAL}","p":"${DECIMAL}","L":"${WORD}","i":"${UUID}","BT":false${maybe(shape`,"RPI":${TRUTH}`)}${maybe(shape`,"seq":${WHOLE}`)}}`;

/** Bybit's v5 public messages; publicTrade in the orders of fields that spot and linear have is walked. */
class BybitReader implements VenueReader {
  readonly #cursor = new FieldCursor();

  read(text: string, from = 0): VenueFrame {
    this.#cursor.begin(text, from);
    return this.#trades() ?? parseFrame(from === 0 ? text : text.slice(from));
  }

  #trades(): VenueFrame | null {
    const c = this.#cursor;
    if (!c.is(HEAD)) return null;
    c.over('{"topic":"publicTrade.');
    const named = c.upTo();
    c.at = HEAD.lastIndex;
    const trades: VenueTrade[] = [];
    do {
      const trade = c.is(LINEAR_ROW) ? this.#linearRow() : c.is(SPOT_ROW) ? this.#spotRow() : null;
      if (trade === null || trade.symbol !== named || !isPlausible(trade.timeMs)) return null;
      trades.push(trade);
    } while (c.optional(","));
    return c.optional("]}") && c.ended ? tradesFrame(trades, NONE) : null;
  }

  #spotRow(): VenueTrade {
    const c = this.#cursor;
    c.over('{"i":"');
    c.toQuote();
    c.over('","T":');
    const timeMs = c.whole();
    c.over(',"p":"');
    const price = c.upTo();
    c.over('","v":"');
    const quantity = c.upTo();
    c.over('","S":"');
    const buyerIsMaker = c.wordOf("S");
    c.over('"');
    if (c.optional(',"seq":')) c.whole();
    c.over(',"s":"');
    const symbol = c.upTo();
    c.at = SPOT_ROW.lastIndex;
    return { symbol, id: null, price, quantity, timeMs, buyerIsMaker };
  }

  #linearRow(): VenueTrade {
    const c = this.#cursor;
    c.over('{"T":');
    const timeMs = c.whole();
    c.over(',"s":"');
    const symbol = c.upTo();
    c.over('","S":"');
    const buyerIsMaker = c.wordOf("S");
    c.over('","v":"');
    const quantity = c.upTo();
    c.over('","p":"');
    const price = c.upTo();
    c.at = LINEAR_ROW.lastIndex;
    return { symbol, id: null, price, quantity, timeMs, buyerIsMaker };
  }
}

function parseFrame(text: string): VenueFrame {
  const value = parseJson(text);
  if (value === undefined) return malformed("not JSON");
  if (!isObject(value)) return malformed("not an object");
  if (typeof value.topic === "string") return topic(value.topic, value);
  if (typeof value.success === "boolean") return answer(value.success, value);
  if (value.op === "pong") return { type: "pong", requestId: wholeIn(value.req_id) };
  if ("ret_code" in value || "retCode" in value) return other("REST answer");
  return malformed("neither a topic nor an answer");
}

function answer(success: boolean, value: Json): VenueFrame {
  const message = plain(value.ret_msg) ?? "";
  const request = isObject(value.request) ? value.request : {};
  const op = value.op ?? request.op;
  const requestId = wholeIn(value.req_id === "" ? undefined : value.req_id);
  if (op === "ping" || op === "pong" || message === "pong") return { type: "pong", requestId };
  const symbols = symbolsOf(
    success ? request.args : [...message.matchAll(/publicTrade\.[A-Za-z0-9._-]+/g)].map(String),
  );
  if (success) return { type: "ack", symbols, requestId };
  return { type: "rejected", symbols, requestId, reason: message === "" ? "no reason given" : message };
}

/** The symbols of publicTrade topics. */
function symbolsOf(topics: unknown): readonly string[] {
  if (!Array.isArray(topics)) return [];
  return (topics as unknown[])
    .map((name) => (typeof name === "string" ? symbolIn(/^publicTrade\.(.+)$/.exec(name)?.[1]) : null))
    .filter((symbol) => symbol !== null);
}

function topic(name: string, value: Json): VenueFrame {
  const [, of] = /^publicTrade\.(.+)$/.exec(name) ?? [];
  if (of === undefined) return other(name.replace(/\..*/s, ""), value.type === "delta" ? timeIn(value.ts) : null);
  const named = symbolIn(of);
  if (!Array.isArray(value.data) || value.data.length === 0) return malformed("no trade on a trade topic", named);
  const trades: VenueTrade[] = [];
  const omitted: OmittedRow[] = [];
  for (const item of value.data as unknown[]) {
    const row = isObject(item) ? rowOf(item) : malformed("a trade is no object", named);
    if ("type" in row) return row;
    // An option's topic names its base coin; any other's rows are of the symbol that it names.
    if (row.symbol !== named) return malformed("two names that differ");
    if ("reason" in row) omitted.push(row);
    else trades.push(row);
  }
  return tradesFrame(trades, omitted);
}

function rowOf(row: Json): VenueTrade | OmittedRow | (VenueFrame & { readonly type: "malformed" }) {
  const symbol = symbolIn(row.s);
  if (symbol === null) return malformed("s is not a symbol");
  const price = decimalIn(row.p);
  const quantity = decimalIn(row.v);
  const timeMs = typeof row.T === "number" ? timeIn(row.T) : null;
  if (price === null || quantity === null) return malformed("p or v is not a decimal", symbol);
  if (timeMs === null) return malformed("T is not a time", symbol);
  if (row.S !== "Buy" && row.S !== "Sell") return malformed("S is neither Buy nor Sell", symbol);
  const left = { symbol, firstId: null, lastId: null, timeMs };
  if (row.BT === true) return { ...left, reason: "block trade" };
  if (isZero(price) || isZero(quantity)) return { ...left, reason: "zero price or quantity" };
  return { symbol, id: null, price, quantity, timeMs, buyerIsMaker: row.S === "Sell" };
}

function tradesFrame(trades: readonly VenueTrade[], omitted: readonly OmittedRow[]): VenueFrame {
  return { type: "trades", venue: "bybit", stream: "publicTrade", trades, history: NONE, omitted };
}
