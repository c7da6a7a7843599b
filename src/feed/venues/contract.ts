import type { Candle } from "../../core/candle.ts";
import type { Trade } from "../contract.ts";

/** What a store is bound to. */
export type VenueId = "binance-spot" | "binance-usdm" | "coinbase" | "kraken" | "bybit" | "okx";

/** A trade as the venue's frame tells it; `id` is null where the venue gives none that counts per symbol. */
export interface VenueTrade extends Omit<Trade, "id"> {
  readonly id: number | null;
}

/** A row of a trade stream that is no market trade, or has no price or quantity: no part of a candle. */
export interface OmittedRow {
  readonly symbol: string;
  /** Both ends inclusive; null where the venue gives no ids. */
  readonly firstId: number | null;
  readonly lastId: number | null;
  readonly timeMs: number;
  readonly reason: string;
}

export interface TradesFrame {
  readonly type: "trades";
  /** The venue whose trades these are; a reader may know a sister venue's, too (Binance's two markets). */
  readonly venue: VenueId;
  /** Streams of one symbol whose ids count apart: never both of them in one candle. */
  readonly stream: string;
  /** In the venue's order of trading, oldest first. */
  readonly trades: readonly VenueTrade[];
  /** The number of this message on its connection, where the venue numbers all of them: a jump is a loss. */
  readonly sequence?: number;
  /** Trades of the time before the subscription, sent along with it: what was between them and now is not here. */
  readonly history: readonly VenueTrade[];
  readonly omitted: readonly OmittedRow[];
}

/** What one text message of a venue is. Whatever comes is one of these; nothing throws. `sequence`: as in TradesFrame. */
export type VenueFrame =
  | TradesFrame
  /** A subscription was taken: of these symbols' trades, or of the request with this id. */
  | {
      readonly type: "ack";
      readonly symbols: readonly string[];
      readonly requestId: number | null;
      readonly sequence?: number;
    }
  /** A subscription was refused; see `refusedSymbols`. */
  | {
      readonly type: "rejected";
      readonly symbols: readonly string[];
      readonly requestId: number | null;
      readonly reason: string;
    }
  /** A sign of life that says nothing of trades: heartbeat, ping. */
  | { readonly type: "heartbeat"; readonly eventTimeMs: number | null; readonly sequence?: number }
  /** The answer to a ping of ours; `requestId` where the venue repeats it. */
  | { readonly type: "pong"; readonly requestId: number | null }
  /** The venue is about to close the connection. */
  | { readonly type: "closing"; readonly reason: string }
  /** Known data that is no trade; `kind` in the venue's word. */
  | {
      readonly type: "other";
      readonly kind: string;
      readonly eventTimeMs: number | null;
      readonly sequence?: number;
    }
  /** Perhaps a trade, of `symbol` where the message names it. */
  | { readonly type: "malformed"; readonly reason: string; readonly symbol: string | null };

/** Reads one connection's frames. Keeps no more than its place in the text. */
export interface VenueReader {
  /** Reads `text` from `from` on. Never throws. */
  read(text: string, from?: number): VenueFrame;
}

/** One message of ours that subscribes, and what it asks for. */
export interface SubscribeRequest {
  readonly text: string;
  readonly symbols: readonly string[];
  /** Null where the protocol has none. */
  readonly requestId: number | null;
}

export interface VenueLimits {
  /** Symbols on one connection; null where the venue names no bound. */
  readonly symbolsPerConnection: number | null;
  readonly symbolsPerRequest: number;
  /** Characters of one request. */
  readonly requestCharacters: number;
  /** Messages of ours a second. */
  readonly messagesPerSecond: number;
}

export interface VenuePing {
  /** Who begins: a venue's pings are WebSocket control frames, answered by the socket itself. */
  readonly from: "venue" | "client";
  readonly everyMs: number;
  /** What the client sends; null where the venue begins or a control frame serves. */
  readonly text: string | null;
}

/** One fact about a venue, and the document that says so. Where `source` says "own", it is our choice. */
export interface VenueRule {
  readonly rule: string;
  readonly value: string;
  readonly source: string;
}

/** The venue's candle of a minute that is over. */
export interface VenueKline {
  readonly candle: Candle;
  /** Fields that the venue does not tell; they hold zero. */
  readonly untold: readonly (keyof Candle)[];
}

/** The assets of a symbol, under names that are the same at every venue: BTC, not XBT. */
export interface AssetPair {
  readonly base: string;
  readonly quote: string;
}

/**
 * What proves on a connection that nothing is under way: a request whose answer overtakes no trade of the time before it. An
 * answer that lists our subscriptions (an "ack" with symbols) proves these, too.
 */
export interface VenueProbe {
  /** The message; `requestId` is the connection's next one. */
  text(requestId: number): string;
  /** Whether this frame answers the probe with this id. */
  answers(frame: VenueFrame, requestId: number): boolean;
  /** Whether the answer lists every symbol that is subscribed. */
  readonly lists: boolean;
  /** Ms for which the venue gathers trades before it sends them: the answer may overtake these. */
  readonly gathersMs: number;
}

/** Which trades are asked for: ids, both ends inclusive, and a time at or before that of the first. */
export interface TradeRange {
  readonly fromId: number;
  readonly throughId: number;
  readonly fromTimeMs: number;
}

/** The venue's clock as an answer told it: the real time lay from `timeMs` to `timeMs + precisionMs` when it answered. */
export interface VenueClockReading {
  readonly timeMs: number;
  readonly precisionMs: number;
}

/**
 * A venue's public REST interface as far as candles need it, beside its klines. Addresses are the venue's own; whoever asks
 * may put another origin in their place. What reads an answer throws FabricError "bad-data" where it has not the documented shape.
 */
export interface VenueRestRules {
  /** What the documents say of this interface; part of the venue's rules. */
  readonly rules: readonly VenueRule[];
  readonly timeUrl: string;
  time(body: string): VenueClockReading;
  /** The list of every symbol that trades; null where the subscription of an unknown one is refused anyway. */
  readonly symbolsUrl: string | null;
  symbols(body: string): readonly string[];
  /** Minutes of klines in one answer. */
  readonly klineMinutes: number;
  /** The newest trades of a symbol. */
  newestTradesUrl(symbol: string): string;
  /** Trades by id: one page of them; null where the venue offers none without a key. */
  readonly tradesUrl: ((symbol: string, range: TradeRange) => string) | null;
  /** The end of the range at which a page begins: what lies between it and the page's other end is then all told. */
  readonly tradesFrom: "first" | "last";
  /** The trades of either answer, oldest first; rows that are no market trades are left out. */
  trades(symbol: string, body: string): readonly VenueTrade[];
  /** Requests a second that we make at most, below the venue's limit. */
  readonly requestsPerSecond: number;
  /** A header that adds up what this minute's requests cost, and from which figure on we wait for the next minute. */
  readonly cost: { readonly header: string; readonly atMost: number } | null;
  /** Ms for which the venue wants to hear nothing more of us; null where this answer is no refusal for asking too much. */
  pauseMs(status: number, body: string, retryAfterSeconds: number | null): number | null;
  /** Whether the answer says that the venue does not know the symbol. */
  isUnknownSymbol(status: number, body: string): boolean;
}

/** One exchange's protocol, as far as candles need it. Pure: no socket, no clock. */
export interface Venue {
  readonly id: VenueId;
  readonly title: string;
  readonly streamUrl: string;
  /** Whether a symbol's trade ids count on without holes: on every stream, on some (see the rules), or on none. */
  readonly tradeIds: "count" | "partly" | "none";
  readonly limits: VenueLimits;
  readonly ping: VenuePing;
  /** What a refusal ends: only the symbols that it is about, or the whole request that names one of them. */
  readonly refuses: "symbol" | "request";
  readonly probe: VenueProbe;
  /** Ms after which the venue closes a connection whatever happens on it; null where it names none. */
  readonly closesAfterMs: number | null;
  /** Whether the venue sends a symbol's last trade anew when its subscription is taken, and does not say so. */
  readonly repeatsLastTrade: boolean;
  /** What REST klines say of a minute without trades. */
  readonly emptyMinutes: "flat" | "absent";
  readonly rules: readonly VenueRule[];
  readonly rest: VenueRestRules;
  reader(): VenueReader;
  /** The assets of the venue's own symbol; null where it is no plain pair or its parts cannot be told. */
  assetsOf(symbol: string): AssetPair | null;
  /** The venue's own symbol of a pair, upper case. */
  symbolOf(pair: AssetPair): string;
  /** What to send, in order, for these symbols' trades. */
  subscribe(symbols: readonly string[]): readonly SubscribeRequest[];
  /**
   * REST address of the klines from one minute through another (openTimes), as many as one answer holds. `venueTimeMs` is for a
   * venue that keeps its newest minutes at an address of their own.
   */
  klineUrl(symbol: string, fromOpenTime: number, toOpenTime: number, venueTimeMs?: number): string;
  /**
   * The candles of an answer whose minute was over at `venueTimeMs`, oldest first. Throws FabricError "bad-data" where it is
   * not the documented shape.
   */
  klines(symbol: string, body: string, venueTimeMs: number): readonly VenueKline[];
}

/** The symbols that a refusal is about: those it names, else those of the request it answers, else none. */
export function refusedSymbols(
  frame: VenueFrame & { readonly type: "rejected" },
  requests: readonly SubscribeRequest[],
): readonly string[] {
  if (frame.symbols.length > 0) return frame.symbols;
  if (frame.requestId === null) return [];
  return requests.find((request) => request.requestId === frame.requestId)?.symbols ?? [];
}
