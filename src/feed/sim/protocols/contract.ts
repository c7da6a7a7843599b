import type { VenueId } from "../../venues/contract.ts";
import type { RestTrade, Tape } from "../tape.ts";
import type { TradeNumbers } from "../trade-numbers.ts";

/** A trade as a venue tells it. */
export interface SimTrade {
  readonly symbol: string;
  /** The venue's, where it has ids. */
  readonly id: number;
  readonly timeMs: number;
  /** Plain decimals with the symbol's own places. */
  readonly price: string;
  readonly quantity: string;
  /** The taker sold. */
  readonly sold: boolean;
}

/** The exchange as a protocol sees it. Times are exchange time in ms. */
export interface SimView {
  readonly tape: Tape;
  readonly numbers: TradeNumbers;
  /** Ms by which the venue's clock is off in what it says of the time; trades keep theirs. */
  readonly skewMs: number;
}

/** What one connection's protocol may do. */
export interface SessionWire {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Exchange time as shown. */
  nowMs(): number;
  /** For what a venue times by its own watch: rates, heartbeats, idle closes. */
  wallMs(): number;
}

/** One connection, from the venue's side. Symbols are the venue's own. */
export interface SimSession {
  /** Whose trades are sent. */
  readonly symbols: ReadonlySet<string>;
  /** The connection is there. */
  open(): void;
  /** A text message of the client's. */
  message(text: string): void;
  /** The messages that tell these trades of one symbol, oldest first; as many messages as the venue's batches make of them. */
  frames(trades: readonly SimTrade[]): readonly string[];
  /** Called every few ms. */
  beat(): void;
  /** Announces that the connection will be closed, where the venue does that; ms until then. */
  announceClose(): number;
}

export interface RestAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How many requests a client may send before it is refused. */
export interface RequestRate {
  readonly most: number;
  readonly withinMs: number;
}

/** One venue's public protocol, written by its documents and not by the adapter, so that each checks the other. */
export interface SimProtocol {
  readonly id: VenueId;
  /** Whether the address is that of the stream; what it subscribes by itself. Null for any other. */
  stream(url: URL): readonly string[] | null;
  session(wire: SessionWire, view: SimView, subscribed: readonly string[], url: URL): SimSession;
  /** Trades of one symbol within so many ms are told together; 0 for each by itself. */
  readonly gatherMs: number;
  /** Messages of the client's on one connection, and what happens beyond. */
  readonly messageRate: RequestRate;
  /** The holes in this venue's trade ids. */
  readonly holes: readonly { readonly every: number; readonly skipped: number }[];
  /** Null where there is no such address. */
  rest(url: URL, headers: Headers, view: SimView, nowMs: number): RestAnswer | null;
  readonly restRate: RequestRate;
  /** The refusal of a client that asks too much. */
  tooMany(retryAfterSeconds: number): RestAnswer;
  /** What the venue answers where it is down. */
  readonly down: RestAnswer;
}

/** The newest `limit` trades up to `nowMs`, or those from a venue id on, oldest first. */
export function tradesOf(
  view: SimView,
  symbol: string,
  fromId: number | null,
  limit: number,
  nowMs: number,
): readonly SimTrade[] {
  const from = fromId === null ? null : view.numbers.marketId(fromId);
  return view.tape.trades(symbol, from, limit, nowMs).map((row) => simTrade(symbol, row, view.numbers));
}

function simTrade(symbol: string, row: RestTrade, numbers: TradeNumbers): SimTrade {
  return {
    symbol,
    id: numbers.venueId(row.id),
    timeMs: row.time,
    price: shortDecimal(row.price),
    quantity: shortDecimal(row.qty),
    sold: row.isBuyerMaker,
  };
}

/** `60000.10000000` as `60000.1`. */
export function shortDecimal(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** A decimal with at least so many places. */
export function padDecimal(text: string, places: number): string {
  const point = text.indexOf(".");
  return point < 0 ? `${text}.${"0".repeat(places)}` : text.padEnd(point + 1 + places, "0");
}

/** RFC 3339 with the microseconds that a trade's number stands for: clients have to cut, not round. */
export function isoMicros(timeMs: number, salt: number): string {
  return `${new Date(timeMs).toISOString().slice(0, -1)}${String(microsOf(salt)).padStart(3, "0")}Z`;
}

export function microsOf(salt: number): number {
  return (salt * 7919) % 1000;
}

/** The value of a client's JSON text; undefined where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** A list of texts; null where it is anything else. */
export function textsOf(value: unknown): readonly string[] | null {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? (value as string[]) : null;
}

/** A whole number of a query, `fallback` where it is absent, null where it is none. */
export function wholeOf(query: URLSearchParams, name: string, fallback: number): number | null {
  const text = query.get(name);
  if (text === null || text === "") return fallback;
  return /^\d{1,19}$/.test(text) ? Number(text) : null;
}
