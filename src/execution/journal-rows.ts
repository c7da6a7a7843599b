import type { OrderStatus, Side } from "../core/decision.ts";
import type { SqlValue } from "../core/env.ts";

type Row = Readonly<Record<string, SqlValue>>;

/** Why a decision never went to the broker: a risk limit, a bound, the kill switch, or its age. */
export type Refusal =
  | "halted"
  | "age"
  | "in-flight"
  | "queue"
  | "collar"
  | "notional"
  | "position"
  | "rate"
  | "daily-loss";

/** A decision on its way: written before the broker sees it. Times are epoch ms. */
export interface IntentRow {
  readonly clientOrderId: string;
  readonly symbol: string;
  /** openTime of the bar it was decided on. */
  readonly openTime: number;
  /** Its place among the bar's decisions, from 0. */
  readonly ordinal: number;
  readonly side: Side;
  readonly quantity: string;
  readonly status: OrderStatus;
  /** The strategy's reason, or why the order was refused, expired or lost. */
  readonly reason: string | null;
  /** Exchange time of the decision: the end of its bar. */
  readonly decidedAt: number;
  /** Exchange time when it was handed to the broker; null before, and where the broker certainly did not take it. */
  readonly sentAt: number | null;
  /** What kept it from the broker when it was decided; null where nothing did. */
  readonly refusal: Refusal | null;
  /** The strategy's own reason, whatever became of the order. */
  readonly wish: string | null;
  /** Wall time at which it was journaled; null where an older version did that. */
  readonly journaledAt: number | null;
  /** Wall time at which it was handed to the broker. */
  readonly sentWallAt: number | null;
  /** Exchange and wall time at which the broker's first word of it came. */
  readonly ackAt: number | null;
  readonly ackWallAt: number | null;
}

/** What the position is made of: a fill of an order, or an adjustment (no order) by which the venue's word was adopted. */
export interface FillRow {
  readonly fillId: string;
  /** Null for an adjustment. */
  readonly clientOrderId: string | null;
  readonly symbol: string;
  readonly side: Side;
  /** Decisions on minutes from this one on saw the fill in their position. */
  readonly candleOpenTime: number;
  readonly price: string;
  readonly quantity: string;
  readonly fee: string;
  /** The part of the fee taken in the base asset; null for none. */
  readonly baseFee: string | null;
  /** Exchange time of the fill, epoch ms; null where it is not known. */
  readonly filledAt: number | null;
  /** Wall time at which it was journaled; null where an older version did that. */
  readonly journaledAt: number | null;
  /** Why, for an adjustment. */
  readonly reason: string | null;
}

export interface CursorRow {
  readonly symbol: string;
  readonly lastOpenTime: number;
  readonly digest: string;
  readonly delivered: number;
  /** Of the last candle. */
  readonly commitSeq: number;
}

/** The first candle that was decided: where the fold of the state begins. */
export interface AnchorRow {
  readonly symbol: string;
  readonly openTime: number;
  readonly commitSeq: number;
}

export interface SavedRow {
  readonly symbol: string;
  /** The state is that after this minute. */
  readonly openTime: number;
  readonly digest: string;
  readonly delivered: number;
  readonly saved: string;
}

/** A UTC day of exchange time, as far as the daily loss goes. */
export interface DayRow {
  /** Epoch ms of its start. */
  readonly day: number;
  /** Profit and loss of all symbols, realised and not, before the day's first candle. Quote asset. */
  readonly equity: string;
  /** openTime of the candle at which the daily loss was reached; null while it was not. */
  readonly hitAt: number | null;
}

/** What the account held of a symbol's base asset before the runner's first order. */
export interface BaselineRow {
  readonly symbol: string;
  readonly quantity: string;
}

export function intentFrom(row: Row): IntentRow {
  return {
    clientOrderId: text(row.client_order_id),
    symbol: text(row.symbol),
    openTime: Number(row.open_time),
    ordinal: Number(row.ordinal),
    side: text(row.side) as Side,
    quantity: text(row.quantity),
    status: text(row.status) as OrderStatus,
    reason: textOrNull(row.reason),
    decidedAt: Number(row.decided_at),
    sentAt: numberOrNull(row.sent_at),
    refusal: textOrNull(row.refusal) as Refusal | null,
    wish: textOrNull(row.wish),
    journaledAt: numberOrNull(row.journaled_at),
    sentWallAt: numberOrNull(row.sent_wall_at),
    ackAt: numberOrNull(row.ack_at),
    ackWallAt: numberOrNull(row.ack_wall_at),
  };
}

export function fillFrom(row: Row): FillRow {
  return {
    fillId: text(row.fill_id),
    clientOrderId: textOrNull(row.client_order_id),
    symbol: text(row.symbol),
    side: text(row.side) as Side,
    candleOpenTime: Number(row.candle_open_time),
    price: text(row.price),
    quantity: text(row.quantity),
    fee: text(row.fee),
    baseFee: textOrNull(row.base_fee),
    filledAt: numberOrNull(row.filled_at),
    journaledAt: numberOrNull(row.journaled_at),
    reason: textOrNull(row.reason),
  };
}

export function cursorFrom(row: Row): CursorRow {
  return {
    symbol: text(row.symbol),
    lastOpenTime: Number(row.last_open_time),
    digest: text(row.digest),
    delivered: Number(row.delivered),
    commitSeq: Number(row.commit_seq),
  };
}

export function anchorFrom(row: Row): AnchorRow {
  return { symbol: text(row.symbol), openTime: Number(row.open_time), commitSeq: Number(row.commit_seq) };
}

export function savedFrom(row: Row): SavedRow {
  return {
    symbol: text(row.symbol),
    openTime: Number(row.open_time),
    digest: text(row.digest),
    delivered: Number(row.delivered),
    saved: text(row.saved),
  };
}

export function dayFrom(row: Row): DayRow {
  return { day: Number(row.day), equity: text(row.equity), hitAt: numberOrNull(row.hit_at) };
}

export function baselineFrom(row: Row): BaselineRow {
  return { symbol: text(row.symbol), quantity: text(row.quantity) };
}

function text(value: SqlValue | undefined): string {
  return String(value);
}

/** A column that an older version's journal lacks reads as null, too. */
function textOrNull(value: SqlValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

function numberOrNull(value: SqlValue | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
