import type { BinanceMarket, Frame } from "../binance/frame.ts";
import { FrameReader } from "../binance/frame-reader.ts";
import { parseKline } from "../binance/kline.ts";
import { binanceRest } from "./binance-rest.ts";
import type {
  AssetPair,
  SubscribeRequest,
  TradesFrame,
  Venue,
  VenueFrame,
  VenueKline,
  VenueLimits,
  VenueReader,
  VenueRule,
} from "./contract.ts";
import { badKlines, batched, cutPair, other, parseJson, symbolIn } from "./fields.ts";

const SPOT_STREAMS = "binance-spot-api-docs, web-socket-streams.md";
const SPOT_REST = "binance-spot-api-docs, rest-api.md";
const USDM_STREAMS = "developers.binance.com, USDⓈ-M Futures, WebSocket Market Streams";
const USDM_REST = "developers.binance.com, USDⓈ-M Futures, Market Data Endpoints";
const RECORDED = "seen in recordings";

const SPOT_RULES: readonly VenueRule[] = [
  { rule: "symbol", value: "BTCUSDT: assets without a separator, streams in lower case", source: SPOT_STREAMS },
  { rule: "trades", value: "<symbol>@trade; @aggTrade is read, too, never both of one symbol", source: SPOT_STREAMS },
  { rule: "trade ids", value: "count on per symbol (t; f to l of an aggregate)", source: SPOT_STREAMS },
  { rule: "taker side", value: "m true: the buyer was the maker, the taker sold", source: SPOT_STREAMS },
  { rule: "left out", value: "zero price or quantity", source: RECORDED },
  { rule: "streams per connection", value: "1024", source: SPOT_STREAMS },
  { rule: "messages to the venue", value: "5 a second, else disconnected; repeated: banned", source: SPOT_STREAMS },
  { rule: "connections", value: "300 in 5 minutes per IP", source: SPOT_STREAMS },
  {
    rule: "sister exchanges",
    value: "Binance.US speaks the same: a recording of it cannot be told apart and counts as this venue",
    source: RECORDED,
  },
  { rule: "ping", value: "the venue's control frame every 20 s, pong within a minute", source: SPOT_STREAMS },
  { rule: "forced close", value: "after 24 h; serverShutdown is sent before some closes", source: SPOT_STREAMS },
  {
    rule: "refused subscription",
    value: "answered by request id; an unknown symbol is taken and stays silent",
    source: `${SPOT_STREAMS}; own observation`,
  },
  { rule: "quiet minute", value: "proven by LIST_SUBSCRIPTIONS, whose answer overtakes no trade", source: "assumed" },
  { rule: "klines", value: "/api/v3/klines, 1000 a page, the running minute is in the list", source: SPOT_REST },
  { rule: "empty minutes", value: "a flat row at the previous close", source: RECORDED },
  { rule: "rate limit", value: "6000 weight a minute; 429 with Retry-After, 418 is a ban", source: SPOT_REST },
];

const USDM_RULES: readonly VenueRule[] = [
  { rule: "symbol", value: "BTCUSDT (perpetual), BTCUSDT_250627 (dated)", source: USDM_STREAMS },
  {
    rule: "trades",
    value: "<symbol>@trade; @aggTrade is read, too, never both of one symbol",
    source: `${USDM_STREAMS} (aggTrade); @trade: ${RECORDED}`,
  },
  { rule: "trade ids", value: "count on per symbol, rows that are left out included", source: RECORDED },
  { rule: "taker side", value: "m true: the buyer was the maker, the taker sold", source: USDM_STREAMS },
  {
    rule: "left out",
    value: "X other than MARKET (insurance fund, ADL), zero price or quantity",
    source: `${USDM_STREAMS} (aggTrade leaves them out); ${RECORDED}`,
  },
  { rule: "volume", value: "base asset; contracts where a coin-margined symbol is replayed", source: USDM_STREAMS },
  { rule: "streams per connection", value: "1024", source: USDM_STREAMS },
  { rule: "messages to the venue", value: "10 a second", source: USDM_STREAMS },
  { rule: "ping", value: "the venue's control frame every 3 minutes, pong within 10", source: USDM_STREAMS },
  { rule: "forced close", value: "after 24 h", source: USDM_STREAMS },
  {
    rule: "refused subscription",
    value: "answered by request id; an unknown symbol is taken and stays silent",
    source: `${USDM_STREAMS}; own observation`,
  },
  { rule: "quiet minute", value: "proven by LIST_SUBSCRIPTIONS, whose answer overtakes no trade", source: "assumed" },
  {
    rule: "klines",
    value: "/fapi/v1/klines, 1000 a page (1500 allowed), the running minute is in the list",
    source: USDM_REST,
  },
  { rule: "empty minutes", value: "a flat row at the previous close", source: RECORDED },
  { rule: "rate limit", value: "2400 weight a minute; 429, 418 is a ban", source: USDM_REST },
];

/** Binance's two markets: one protocol, read by one reader that tells them apart. */
export function binanceVenue(market: BinanceMarket): Venue {
  const spot = market === "binance-spot";
  const limits: VenueLimits = {
    symbolsPerConnection: 1024,
    symbolsPerRequest: 200,
    requestCharacters: 16_000,
    messagesPerSecond: spot ? 5 : 10,
  };
  const rest = binanceRest(market);
  return {
    id: market,
    title: spot ? "Binance spot" : "Binance USD-M futures",
    streamUrl: spot ? "wss://stream.binance.com:9443/stream" : "wss://fstream.binance.com/stream",
    tradeIds: "count",
    limits,
    ping: { from: "venue", everyMs: spot ? 20_000 : 180_000, text: null },
    refuses: "request",
    probe: {
      text: (id) => JSON.stringify({ method: "LIST_SUBSCRIPTIONS", id }),
      answers: (frame, id) => frame.type === "ack" && frame.requestId === id,
      lists: true,
      gathersMs: 0,
    },
    closesAfterMs: 24 * 3_600_000,
    repeatsLastTrade: false,
    emptyMinutes: "flat",
    rules: [...(spot ? SPOT_RULES : USDM_RULES), ...rest.rules],
    rest,
    reader: () => new BinanceReader(),
    assetsOf: cutPair,
    symbolOf: ({ base, quote }: AssetPair) => base + quote,
    subscribe: (symbols): readonly SubscribeRequest[] =>
      batched(symbols, limits, true, (some, id) =>
        JSON.stringify({ method: "SUBSCRIBE", params: some.map((symbol) => `${symbol.toLowerCase()}@trade`), id }),
      ),
    klineUrl: (symbol, from, to) =>
      `${spot ? "https://api.binance.com/api/v3" : "https://fapi.binance.com/fapi/v1"}/klines?symbol=` +
      `${encodeURIComponent(symbol)}&interval=1m&startTime=${from}&endTime=${to + 59_999}&limit=1000`,
    klines: binanceKlines,
  };
}

function binanceKlines(symbol: string, body: string, venueTimeMs: number): readonly VenueKline[] {
  const rows = parseJson(body);
  if (!Array.isArray(rows)) throw badKlines(symbol, "none");
  const klines: VenueKline[] = [];
  for (const row of rows as unknown[]) {
    const candle = parseKline(symbol, row);
    if (typeof candle === "string") throw badKlines(symbol, candle);
    if (candle.openTime + 60_000 <= venueTimeMs) klines.push({ candle, untold: [] });
  }
  return klines;
}

const NONE: readonly never[] = [];

class BinanceReader implements VenueReader {
  readonly #reader = new FrameReader();

  read(text: string, from = 0): VenueFrame {
    const frame = this.#reader.read(text, from);
    return frame.type === "trades" ? frame : rareFrame(frame, text, from);
  }
}

function rareFrame(
  frame: Frame & { readonly type: Exclude<Frame["type"], "trades"> },
  text: string,
  from: number,
): VenueFrame {
  switch (frame.type) {
    case "omitted":
      return omittedFrame(frame);
    case "reply":
      return frame.error === null
        ? { type: "ack", symbols: listed(frame.result), requestId: frame.id }
        : { type: "rejected", symbols: NONE, requestId: frame.id, reason: frame.error };
    case "malformed":
      return frame;
    default: {
      const shuts = text.indexOf('"e":"serverShutdown"', from);
      if (shuts >= 0 && shuts < from + 60) return { type: "closing", reason: "serverShutdown" };
      return other("no trade", frame.eventTimeMs);
    }
  }
}

/** The symbols of the trade streams that LIST_SUBSCRIPTIONS gives. */
function listed(result: unknown): readonly string[] {
  if (!Array.isArray(result)) return NONE;
  return (result as unknown[])
    .map((name) => (typeof name === "string" ? symbolIn(/^(.+)@trade$/.exec(name)?.[1]) : null))
    .filter((symbol) => symbol !== null);
}

function omittedFrame(frame: Frame & { readonly type: "omitted" }): TradesFrame {
  const { symbol, firstId, lastId, timeMs } = frame;
  const reason = "no market trade, or without price or quantity";
  return {
    type: "trades",
    venue: frame.market,
    stream: frame.aggregate ? "aggTrade" : "trade",
    trades: NONE,
    history: NONE,
    omitted: [{ symbol, firstId, lastId, timeMs, reason }],
  };
}
