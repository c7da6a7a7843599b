import type { OrderStatus, Side } from "../core/decision.ts";
import type { SqlValue } from "../core/env.ts";

type Row = Readonly<Record<string, SqlValue>>;

/** A decision on its way: written before the broker sees it. */
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
  /** Exchange time when it was handed to the broker; null before. */
  readonly sentAt: number | null;
}

export interface FillRow {
  readonly fillId: string;
  readonly clientOrderId: string;
  readonly symbol: string;
  readonly side: Side;
  /** Decisions on minutes from this one on saw the fill in their position. */
  readonly candleOpenTime: number;
  readonly price: string;
  readonly quantity: string;
  readonly fee: string;
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

export function intentFrom(row: Row): IntentRow {
  return {
    clientOrderId: text(row.client_order_id),
    symbol: text(row.symbol),
    openTime: Number(row.open_time),
    ordinal: Number(row.ordinal),
    side: text(row.side) as Side,
    quantity: text(row.quantity),
    status: text(row.status) as OrderStatus,
    reason: row.reason === null ? null : text(row.reason),
    decidedAt: Number(row.decided_at),
    sentAt: row.sent_at === null ? null : Number(row.sent_at),
  };
}

export function fillFrom(row: Row): FillRow {
  return {
    fillId: text(row.fill_id),
    clientOrderId: text(row.client_order_id),
    symbol: text(row.symbol),
    side: text(row.side) as Side,
    candleOpenTime: Number(row.candle_open_time),
    price: text(row.price),
    quantity: text(row.quantity),
    fee: text(row.fee),
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

function text(value: SqlValue | undefined): string {
  return String(value);
}
