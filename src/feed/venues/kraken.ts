import { isPlausible } from "../binance/frame.ts";
import { TextScanner } from "../text-scanner.ts";
import type { Venue, VenueFrame, VenueLimits, VenueReader, VenueRule, VenueTrade } from "./contract.ts";
import { badKlines, batched, isObject, isoMs, klinesOf, numberIn, parseJson, splitPair, wholeIn } from "./fields.ts";
import { currentName, krakenTrades, parseKraken, secondsMs } from "./kraken-json.ts";

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

/** REST knows the older names of two assets, without a separator. */
function restName(symbol: string): string {
  const old: Readonly<Record<string, string>> = { BTC: "XBT", DOGE: "XDG" };
  return symbol
    .split("/")
    .map((asset) => old[asset] ?? asset)
    .join("");
}

export const KRAKEN: Venue = {
  id: "kraken",
  title: "Kraken",
  streamUrl: "wss://ws.kraken.com/v2",
  tradeIds: "partly",
  limits: LIMITS,
  ping: { from: "client", everyMs: 30_000, text: '{"method":"ping"}' },
  closesAfterMs: null,
  repeatsLastTrade: false,
  emptyMinutes: "flat",
  rules: RULES,
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

/** Both of Kraken's protocols; trade frames in the documented order of fields are scanned. */
class KrakenReader implements VenueReader {
  readonly #scan = new TextScanner();

  read(text: string, from = 0): VenueFrame {
    const s = this.#scan;
    s.begin(text, from);
    const scanned = text.charCodeAt(from) === 0x5b ? this.#array() : this.#trades();
    return scanned ?? parseKraken(from === 0 ? text : text.slice(from));
  }

  #trades(): VenueFrame | null {
    const s = this.#scan;
    s.literal('{"channel":"trade","type":"update","data":[');
    const trades: VenueTrade[] = [];
    while (s.ok) {
      const trade = this.#row();
      if (!s.ok || !isPlausible(trade.timeMs)) return null;
      trades.push(trade);
      if (!s.optional(",")) break;
    }
    s.literal("]}");
    if (!s.ok || s.at !== s.text.length) return null;
    return krakenTrades("v2", trades, [], []);
  }

  #row(): VenueTrade {
    const s = this.#scan;
    s.literal('{"symbol":"');
    const symbol = s.pairSymbol();
    s.literal('","side":"');
    const buyerIsMaker = s.optional("sell");
    if (!buyerIsMaker) s.literal("buy");
    s.literal('","price":');
    const price = this.#jsonDecimal();
    s.literal(',"qty":');
    const quantity = this.#jsonDecimal();
    s.literal(',"ord_type":"');
    s.word();
    s.literal('","trade_id":');
    const id = s.number();
    s.literal(',"timestamp":"');
    const end = s.text.indexOf('"', s.at + 19);
    const timeMs = end < 0 || end > s.at + 40 ? Number.NaN : isoMs(s.text, s.at, end);
    s.at = end;
    s.literal('"}');
    return { symbol, id, price, quantity, timeMs, buyerIsMaker };
  }

  /** A number as JSON writes it, up to the comma: no needless zero before the point. */
  #jsonDecimal(): string {
    const s = this.#scan;
    const text = s.decimal(0x2c);
    if (text.charCodeAt(0) === 48 && text.charCodeAt(1) !== 46) s.ok = false;
    return text;
  }

  /** `[channel, [[price, volume, time, side, type, misc] …], "trade", pair]`. */
  #array(): VenueFrame | null {
    const s = this.#scan;
    s.literal("[");
    s.number();
    s.literal(",[");
    const rows: Omit<VenueTrade, "symbol">[] = [];
    while (s.ok) {
      s.literal('["');
      const price = s.decimal();
      s.literal('","');
      const quantity = s.decimal();
      s.literal('","');
      const from = s.at;
      s.decimal();
      const timeMs = secondsMs(s.text.slice(from, s.at));
      s.literal('","');
      const buyerIsMaker = s.optional("s");
      if (!buyerIsMaker) s.literal("b");
      s.literal('","');
      s.word();
      s.literal('","');
      s.word();
      s.literal('"]');
      if (!s.ok || timeMs === null) return null;
      rows.push({ id: null, price, quantity, timeMs, buyerIsMaker });
      if (!s.optional(",")) break;
    }
    s.literal('],"trade","');
    const base = s.symbol();
    s.literal("/");
    const quote = s.symbol();
    s.literal('"]');
    if (!s.ok || s.at !== s.text.length) return null;
    const symbol = `${currentName(base)}/${currentName(quote)}`;
    if (symbol.length > 40) return null;
    return krakenTrades(
      "v1",
      rows.map((row) => ({ symbol, ...row })),
      [],
      [],
    );
  }
}
