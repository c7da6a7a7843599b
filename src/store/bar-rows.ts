import type { Bar } from "../core/bars.ts";
import type { Provenance } from "../core/candle.ts";
import { MINUTE_MS } from "../core/time.ts";
import { bucketOf, type Timeframe, timeframeMs } from "../core/timeframe.ts";
import { type Cell, literal } from "./duckdb.ts";
import { numberOrNull } from "./schema.ts";

/** Bars of one symbol with openTime in [from, to), both the start of a bar of the timeframe. */
export interface BarRange {
  readonly symbol: string;
  readonly timeframe: Timeframe;
  readonly from: number;
  readonly to: number;
  /** The newest so many. */
  readonly limit: number;
}

/** A bar as the store's minutes tell it. */
export type BarRow = Omit<Bar, "missing" | "closed"> & { readonly lastMinute: number };

/** From the best to the worst: a bar is as good as its worst minute. */
const WORSENING: readonly Provenance[] = ["empty", "complete", "backfilled", "imported", "partial"];

/** Whole numbers of 1e-8 below this many are exact in a double. */
const UNITS = "1e8";
const EXACT_BELOW = "9007199254740992";

const RANK = `CASE provenance ${WORSENING.map((each, at) => `WHEN ${literal(each)} THEN ${at}`).join(" ")} END`;

/** The columns of a bar that is one minute. */
const MINUTE_COLUMNS = [
  ...["epoch_ms(open_time)", "open", "high", "low", "close", "volume", "quote_volume", "trades"],
  ...["taker_buy_volume", "taker_buy_quote_volume", "first_trade_id", "last_trade_id"],
  ...[RANK, "1", "commit_seq", "epoch_ms(open_time)"],
];

/** The same columns of a longer bar, over rows grouped by `bucket`. */
const COLUMNS = [
  "bucket",
  "arg_min(open, open_time)",
  "max(high)",
  "min(low)",
  "arg_max(close, open_time)",
  ...["volume", "quote_volume"].map(exactSum),
  "sum(trades)::BIGINT",
  ...["taker_buy_volume", "taker_buy_quote_volume"].map(exactSum),
  "arg_min_null(first_trade_id, open_time) FILTER (WHERE trades > 0)",
  "arg_max_null(last_trade_id, open_time) FILTER (WHERE trades > 0)",
  `max(${RANK})`,
  "count(*)",
  "max(commit_seq)",
  "epoch_ms(max(open_time))",
];

/** SQL for a range's bars out of segment files, newest first. */
export function barSql(paths: readonly string[], { symbol, timeframe, from, to, limit }: BarRange): string {
  const lengthMs = timeframeMs(timeframe);
  const source = `read_parquet([${paths.map(literal).join(", ")}], union_by_name = true)
      WHERE symbol = ${literal(symbol)} AND open_time >= make_timestamp_ms(${from}) AND open_time < make_timestamp_ms(${to})`;
  if (lengthMs === MINUTE_MS)
    return `SELECT ${MINUTE_COLUMNS.join(", ")} FROM ${source} ORDER BY open_time DESC LIMIT ${limit}`;
  // Weeks begin on Mondays, and the first one before the epoch.
  const origin = bucketOf(0, timeframe);
  return `SELECT ${COLUMNS.join(", ")} FROM (SELECT *, (epoch_ms(open_time) - (${origin})) // ${lengthMs} * ${lengthMs} + (${origin}) AS bucket
      FROM ${source})
    GROUP BY bucket ORDER BY bucket DESC LIMIT ${limit}`;
}

export function barRow(symbol: string, row: readonly Cell[]): BarRow {
  return {
    symbol,
    openTime: Number(row[0]),
    open: Number(row[1]),
    high: Number(row[2]),
    low: Number(row[3]),
    close: Number(row[4]),
    volume: Number(row[5]),
    quoteVolume: Number(row[6]),
    trades: Number(row[7]),
    takerBuyVolume: Number(row[8]),
    takerBuyQuoteVolume: Number(row[9]),
    firstTradeId: numberOrNull(row[10]),
    lastTradeId: numberOrNull(row[11]),
    provenance: WORSENING[Number(row[12])] ?? "partial",
    minutes: Number(row[13]),
    commitSeq: Number(row[14]),
    lastMinute: Number(row[15]),
  };
}

/**
 * As strategies' bars are summed: exact where every term is a whole number of 1e-8 and the sum stays below 2^53 of them; else
 * compensated (DuckDB's fsum is Kahan's).
 */
function exactSum(column: string): string {
  const units = `round(${column} * ${UNITS})`;
  const isWhole = `${column} * ${UNITS} < ${EXACT_BELOW} AND ${units} / ${UNITS} = ${column}`;
  // Of whole numbers above zero, whose sum and so every sum on the way to it is exact in a double below the bound.
  const sum = `sum(${units})`;
  return `CASE WHEN bool_and(${isWhole}) AND ${sum} < ${EXACT_BELOW} THEN ${sum} / ${UNITS} ELSE fsum(${column}) END`;
}
