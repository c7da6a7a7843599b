import {
  CANDLE_FIGURES,
  type Candle,
  candleFault,
  closeTimeOf,
  PROVENANCES,
  type Provenance,
  type StoredCandle,
} from "./candle.ts";
import type { LogLevel } from "./env.ts";
import { isSymbol } from "./symbol.ts";
import { isMarketTime, isMinuteStart } from "./time.ts";

/** The schema version of every body; a consumer counts and skips any other. */
export const WIRE_VERSION = 1;

/** What every body carries. `seq` counts a publisher's messages per topic from 1; `epoch` names that publisher's life. */
export interface Envelope {
  readonly v: number;
  readonly node: string;
  readonly epoch: string;
  readonly seq: number;
  /** Wall ms. */
  readonly sentAt: number;
}

export interface CandleBody extends Envelope, StoredCandle {
  readonly storeId: string;
  readonly closeTime: number;
}

export interface HeartbeatBody extends Envelope {
  readonly storeId: string;
  /** The newest commitSeq. */
  readonly commitSeq: number;
  /** Every symbol has its row or gap up to and including the minute that opens here; null before the first. */
  readonly closedThrough: number | null;
  /** Epoch ms on the venue's clock, null before the feed told a time. */
  readonly exchangeTime: number | null;
  /** Exchange ms per wall ms. */
  readonly speed: number;
}

export type NodeRole = "market-data" | "runner" | "scanner" | "bridge" | "sim";
export type NodeState = "starting" | "running" | "degraded" | "failed" | "halted" | "stopping";

export interface HealthBody extends Envelope {
  readonly role: NodeRole;
  readonly pid: number;
  readonly version: string;
  readonly uptimeMs: number;
  readonly state: NodeState;
  /** Why, where the state is not running. */
  readonly reason: string | null;
  /** Wall ms since this node last made progress on market data; null where it has none yet. */
  readonly dataAgeMs: number | null;
  /** live or paper, where the node trades. */
  readonly mode: "paper" | "live" | null;
  /** Role facts for people, flat: strategy, feed, symbols … */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

export type Rail = "FAST" | "FALLBACK" | "STALE";

export interface RailState {
  readonly symbol: string;
  readonly rail: Rail;
  readonly reason: string;
  /** Wall ms since the last progress. */
  readonly ageMs: number;
  readonly lastOpenTime: number | null;
  readonly delivered: number;
  readonly digest: string;
}

/** A whole snapshot. `values` are numbers by dotted name (counters end in .total); latencies in ms. */
export interface MetricsBody extends Envelope {
  readonly role: NodeRole;
  readonly values: Readonly<Record<string, number>>;
  readonly rails: readonly RailState[];
}

export interface PositionRow {
  readonly symbol: string;
  readonly quantity: string;
  readonly averagePrice: string;
  readonly realisedPnl: string;
  readonly unrealisedPnl: string;
  readonly lastPrice: number | null;
}

export interface OrderRow {
  readonly clientOrderId: string;
  readonly runner: string;
  readonly symbol: string;
  /** openTime of the candle the decision was made on. */
  readonly openTime: number;
  readonly side: "buy" | "sell";
  readonly quantity: string;
  /** Average fill price; null before a fill. */
  readonly price: string | null;
  readonly status: string;
}

export interface PositionsBody extends Envelope {
  readonly mode: "paper" | "live";
  readonly strategy: string;
  readonly positions: readonly PositionRow[];
  /** The newest orders, newest first, at most 50. */
  readonly orders: readonly OrderRow[];
  /** The newest fills and adjustments, newest first, at most 50. Absent in the telemetry of older versions, as what follows. */
  readonly fills?: readonly FillEntry[];
  /** The newest decisions with what became of them, newest first, at most 50. */
  readonly decisions?: readonly DecisionEntry[];
  readonly pnl?: ProfitAndLoss;
  /** Decimals by symbol: of traded ones first, at most 500. */
  readonly instruments?: readonly Instrument[];
}

/** An execution, or an adjustment by which the venue's word was adopted. Decimal strings. */
export interface FillEntry {
  /** Null for an adjustment. */
  readonly clientOrderId: string | null;
  readonly symbol: string;
  readonly side: "buy" | "sell";
  readonly quantity: string;
  readonly price: string;
  /** In the quote asset, whatever asset the venue took it in. */
  readonly fee: string;
  /** The quote asset's name; null where the symbol does not tell it. */
  readonly feeAsset: string | null;
  /** Decisions on minutes from this one on saw the fill. */
  readonly openTime: number;
  /** Exchange time of the fill, epoch ms; null where it is not known. */
  readonly at: number | null;
}

/** An intent as it was journaled, before the broker saw it. */
export interface DecisionEntry {
  readonly clientOrderId: string;
  readonly symbol: string;
  /** openTime of the bar it was decided on. */
  readonly openTime: number;
  /** Exchange time of the decision, epoch ms: the end of its bar. */
  readonly at: number;
  readonly side: "buy" | "sell";
  readonly quantity: string;
  /** The strategy's own; null where it gave none. */
  readonly reason: string | null;
  /** The order's status now: pending, open, filled, rejected, expired, unknown, lost. */
  readonly outcome: string;
  /** Why it was refused, expired or lost; null where it was not. */
  readonly outcomeReason: string | null;
  /** The limit or switch that kept it from the broker; null where none did. */
  readonly refusal: string | null;
}

/**
 * Realised and unrealised, fees paid, each symbol at its newest close decided on. Sums over several quote assets mean nothing: then
 * `today` and `total` are null, and `byQuote` tells.
 */
export interface ProfitAndLoss {
  /** Start of the UTC day of exchange time that `today` is of, epoch ms; null before the first candle. */
  readonly day: number | null;
  readonly today: string | null;
  readonly total: string | null;
  /** By the quote asset's name. */
  readonly byQuote: readonly QuoteProfit[];
}

export interface QuoteProfit {
  /** The asset; "quote of SYMBOL" where the symbol's name does not tell it. */
  readonly quote: string;
  /** Null where the day began before this runner did, and several quote assets share its journaled start. */
  readonly today: string | null;
  readonly total: string;
}

export interface Instrument {
  readonly symbol: string;
  /** Null where neither is known. */
  readonly priceDecimals: number | null;
  readonly quantityDecimals: number | null;
  /** venue: its own rules say so. observed: as many as the candles seen so far have. */
  readonly source: "venue" | "observed";
}

/** A strategy's indicators as it saw them. Published where something is new, and now and then for those who came late. */
export interface IndicatorsBody extends Envelope {
  readonly strategy: string;
  readonly timeframe: string;
  /** At most 64 symbols. */
  readonly symbols: readonly IndicatorTable[];
  /** Symbols that are not told, because there are more. */
  readonly omitted: number;
}

export interface IndicatorTable {
  readonly symbol: string;
  /** At most 8. */
  readonly names: readonly string[];
  /** openTime of a bar, then a value per name (null: not known on that bar). Oldest first, the newest 120 bars. */
  readonly rows: readonly (readonly (number | null)[])[];
}

export interface LogEntry {
  /** Wall ms. */
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
}

/** The newest entries of a bounded ring; `dropped` counts those that left it unsent. */
export interface LogsBody extends Envelope {
  readonly entries: readonly LogEntry[];
  readonly dropped: number;
}

export interface ScanRow {
  readonly rule: string;
  readonly symbol: string;
  readonly rank: number;
  readonly score: number;
  /** openTime of the candle it rests on. */
  readonly openTime: number;
  readonly note: string;
}

export interface ScanBody extends Envelope {
  readonly rows: readonly ScanRow[];
}

const CANDLE_NUMBERS = ["openTime", ...CANDLE_FIGURES] as const;

type Json = Readonly<Record<string, unknown>>;

/** Parses a body's JSON and envelope; a string says what is wrong. Unknown extra fields are fine. */
export function parseEnvelope(text: string): (Envelope & Json) | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "body is not JSON";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "body is not an object";
  const body = value as Json;
  // Not whatever it holds as text: lists nested some thousand deep parse as JSON and overflow the stack as text.
  if (body.v !== WIRE_VERSION)
    return `schema version ${typeof body.v === "number" ? body.v : typeof body.v}, expected ${WIRE_VERSION}`;
  if (!isName(body.node) || !isName(body.epoch)) return "node or epoch is not a name";
  if (!isCount(body.seq) || !Number.isFinite(body.sentAt)) return "seq or sentAt is not a number";
  return body as Envelope & Json;
}

/** Longest name of a node, an epoch or a store on the wire, in UTF-16 units. */
const MAX_NAME_UNITS = 64;

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_NAME_UNITS;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Parses a market.candle body in full; a string says what is wrong. */
export function parseCandleBody(text: string): CandleBody | string {
  const body = parseEnvelope(text);
  if (typeof body === "string") return body;
  if (!isName(body.storeId)) return "storeId is not a name";
  if (typeof body.symbol !== "string" || !isSymbol(body.symbol)) return "symbol is not a symbol";
  if (!PROVENANCES.includes(body.provenance as Provenance)) return "provenance is unknown";
  const wrong = CANDLE_NUMBERS.find((name) => typeof body[name] !== "number");
  if (wrong) return `${wrong} is not a number`;
  const fault = candleFault(body as unknown as Candle);
  if (fault) return fault;
  if (body.closeTime !== closeTimeOf(body.openTime as number)) return "closeTime does not fit openTime";
  if (!isCount(body.commitSeq) || body.commitSeq === 0) return "commitSeq is not a row number";
  const prev = body.prevOpenTime;
  if (prev !== null && !isMinuteStart(prev)) return "prevOpenTime is neither null nor the start of a minute";
  return body as unknown as CandleBody;
}

/** Exchange ms per wall ms; 0 where a replay has no pace. */
function isSpeed(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value < Infinity;
}

/** Parses a market.heartbeat body; a string says what is wrong. */
export function parseHeartbeatBody(text: string): HeartbeatBody | string {
  const body = parseEnvelope(text);
  if (typeof body === "string") return body;
  if (!isName(body.storeId)) return "storeId is not a name";
  if (!isCount(body.commitSeq)) return "commitSeq is not a count";
  if (!isSpeed(body.speed)) return "speed is not a speed";
  const { closedThrough, exchangeTime } = body;
  if (closedThrough !== null && !isMinuteStart(closedThrough))
    return "closedThrough is neither null nor the start of a minute";
  if (exchangeTime !== null && !isMarketTime(exchangeTime)) return "exchangeTime is neither null nor a time";
  return body as unknown as HeartbeatBody;
}
