import type { FeedGap, Provenance, StoredCandle } from "../core/candle.ts";
import type { Cell } from "./duckdb.ts";

/** What a segment holds. */
export type SegmentKind = "candle" | "revision" | "gap";

export const SEGMENT_KINDS: readonly SegmentKind[] = ["candle", "revision", "gap"];

/** Where a kind's rows come from, and the column that numbers them 1, 2, 3 … without holes. */
export interface KindTable {
  readonly table: string;
  readonly seq: string;
  /** The column of the row's (first) minute. */
  readonly time: string;
}

export const KIND_TABLES: Readonly<Record<SegmentKind, KindTable>> = {
  candle: { table: "candle", seq: "commit_seq", time: "open_time" },
  revision: { table: "candle_revision", seq: "revision_seq", time: "open_time" },
  gap: { table: "feed_gap", seq: "gap_seq", time: "from_open_time" },
};

const CONTENT = `symbol VARCHAR NOT NULL, open_time TIMESTAMP NOT NULL, open DOUBLE NOT NULL, high DOUBLE NOT NULL,
  low DOUBLE NOT NULL, close DOUBLE NOT NULL, volume DOUBLE NOT NULL, quote_volume DOUBLE NOT NULL, trades BIGINT NOT NULL,
  taker_buy_volume DOUBLE NOT NULL, taker_buy_quote_volume DOUBLE NOT NULL, first_trade_id BIGINT, last_trade_id BIGINT,
  provenance VARCHAR NOT NULL`;

/** No primary keys: an index makes a close of 1,000 rows three times dearer, and the writer enforces uniqueness itself. */
export const CREATE_TABLES: readonly string[] = [
  `CREATE TABLE candle (${CONTENT}, commit_seq BIGINT NOT NULL, prev_open_time TIMESTAMP)`,
  `CREATE TABLE candle_revision (${CONTENT}, commit_seq BIGINT NOT NULL, revision INTEGER NOT NULL, revision_seq BIGINT NOT NULL)`,
  `CREATE TABLE feed_gap (symbol VARCHAR NOT NULL, from_open_time TIMESTAMP NOT NULL, to_open_time TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL, gap_seq BIGINT NOT NULL)`,
  `CREATE TABLE node_start (started_at TIMESTAMP NOT NULL, commit_seq BIGINT NOT NULL, after_clean_stop BOOLEAN NOT NULL)`,
  `CREATE TABLE meta (store_id VARCHAR NOT NULL, venue VARCHAR NOT NULL, environment VARCHAR, schema_version INTEGER NOT NULL,
    closed_through TIMESTAMP)`,
];

/** A stored candle's columns as `storedCandle` reads them. */
export const CANDLE_SELECT = `symbol, epoch_ms(open_time), open, high, low, close, volume, quote_volume, trades, taker_buy_volume,
  taker_buy_quote_volume, first_trade_id, last_trade_id, provenance, commit_seq, epoch_ms(prev_open_time)`;

/** SQL for isDelivered (core/delivery.ts). */
export const IS_DELIVERED = `provenance <> 'imported' AND (prev_open_time IS NULL OR open_time > prev_open_time)`;

export function storedCandle(row: readonly Cell[]): StoredCandle {
  return {
    symbol: String(row[0]),
    openTime: Number(row[1]),
    open: Number(row[2]),
    high: Number(row[3]),
    low: Number(row[4]),
    close: Number(row[5]),
    volume: Number(row[6]),
    quoteVolume: Number(row[7]),
    trades: Number(row[8]),
    takerBuyVolume: Number(row[9]),
    takerBuyQuoteVolume: Number(row[10]),
    firstTradeId: numberOrNull(row[11]),
    lastTradeId: numberOrNull(row[12]),
    provenance: String(row[13]) as Provenance,
    commitSeq: Number(row[14]),
    prevOpenTime: numberOrNull(row[15]),
  };
}

/** Candles as columns for the Appender, in the order of both candle tables. */
export function candleColumns(candles: readonly Omit<StoredCandle, "commitSeq" | "prevOpenTime">[]) {
  return [
    candles.map((row) => row.symbol),
    candles.map((row) => row.openTime),
    candles.map((row) => row.open),
    candles.map((row) => row.high),
    candles.map((row) => row.low),
    candles.map((row) => row.close),
    candles.map((row) => row.volume),
    candles.map((row) => row.quoteVolume),
    candles.map((row) => row.trades),
    candles.map((row) => row.takerBuyVolume),
    candles.map((row) => row.takerBuyQuoteVolume),
    candles.map((row) => row.firstTradeId),
    candles.map((row) => row.lastTradeId),
    candles.map((row) => row.provenance),
  ];
}

export const GAP_SELECT = "symbol, epoch_ms(from_open_time), epoch_ms(to_open_time), reason";

export function feedGap(row: readonly Cell[]): FeedGap {
  return {
    symbol: String(row[0]),
    fromOpenTime: Number(row[1]),
    toOpenTime: Number(row[2]),
    reason: String(row[3]),
  };
}

export function numberOrNull(cell: Cell | undefined): number | null {
  return cell === null || cell === undefined ? null : Number(cell);
}
