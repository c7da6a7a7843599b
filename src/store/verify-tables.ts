import type { Connection } from "./duckdb.ts";

/** One thing a store must be, and whether it is. `id` is stable; `detail` is for people. */
export interface StoreCheck {
  readonly id: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Faults shown of one check. */
const SHOWN = 3;

/** The checks of the truth's own tables, in the order in which they are told. Each reads and changes nothing. */
export const TABLE_CHECKS: readonly ((connection: Connection) => Promise<StoreCheck>)[] = [
  (connection) => numbered(connection, "numbers", "candle", "commit_seq"),
  (connection) => numbered(connection, "revision-numbers", "candle_revision", "revision_seq"),
  (connection) => numbered(connection, "gap-numbers", "feed_gap", "gap_seq"),
  (connection) =>
    nothing(
      connection,
      "keys",
      "every minute of a symbol is stored once",
      "SELECT symbol || ' ' || open_time || ' is stored ' || count(*) || ' times' FROM candle GROUP BY symbol, open_time HAVING count(*) > 1",
    ),
  (connection) => nothing(connection, "order", "every row is linked to its symbol's previous one", LINKS),
  (connection) => nothing(connection, "sanity", "prices, volumes, counts and ids are sane", SANITY),
  (connection) =>
    nothing(connection, "contiguity", "every missing minute is a recorded gap", UNRECORDED, "minutes are missing"),
  (connection) =>
    nothing(
      connection,
      "gaps",
      "gaps are minutes in order",
      "SELECT symbol || ' ' || from_open_time FROM feed_gap WHERE NOT (from_open_time <= to_open_time AND epoch_ms(from_open_time) % 60000 = 0 AND epoch_ms(to_open_time) % 60000 = 0)",
    ),
  (connection) =>
    nothing(
      connection,
      "revisions",
      "every revision corrects a stored row",
      "SELECT symbol || ' ' || open_time FROM candle_revision r WHERE NOT EXISTS (FROM candle c WHERE c.commit_seq = r.commit_seq AND c.symbol = r.symbol AND c.open_time = r.open_time)",
    ),
];

/** A row's link is the newest minute that its symbol had delivered before it. */
const LINKS = `SELECT symbol || ' ' || open_time || ' is linked to ' || coalesce(prev_open_time::VARCHAR, 'nothing') || ', not to ' || coalesce(expected::VARCHAR, 'nothing')
  FROM (SELECT *, max(CASE WHEN provenance <> 'imported' THEN open_time END) OVER (PARTITION BY symbol ORDER BY commit_seq
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS expected FROM candle) WHERE prev_open_time IS DISTINCT FROM expected
  UNION ALL SELECT symbol || ' ' || open_time || ' is not above the minute before it' FROM candle
    WHERE provenance <> 'imported' AND open_time <= prev_open_time`;

const SANITY = `SELECT symbol || ' ' || open_time FROM candle WHERE NOT (epoch_ms(open_time) % 60000 = 0 AND low > 0 AND isfinite(high)
  AND high >= greatest(open, close, low) AND low <= least(open, close) AND volume >= 0 AND quote_volume >= 0 AND taker_buy_volume >= 0
  AND taker_buy_quote_volume >= 0 AND isfinite(volume) AND isfinite(quote_volume) AND isfinite(taker_buy_volume)
  AND isfinite(taker_buy_quote_volume) AND trades >= 0
  AND provenance IN ('complete', 'empty', 'backfilled', 'imported', 'partial')
  AND (provenance <> 'empty' OR (trades = 0 AND volume = 0 AND open = close AND high = low)))`;

/**
 * Minutes from a symbol's first row of market-data's own on that neither a row nor a gap accounts for, by stretch. What imports brought
 * of the time before is as full of holes as their files were.
 */
const UNRECORDED = `SELECT symbol || ' ' || missing || ' after ' || previous FROM (
  SELECT s.symbol, s.previous, (epoch_ms(s.open_time) - epoch_ms(s.previous)) // 60000 - 1
    - (SELECT coalesce(count(DISTINCT m.minute), 0) FROM (SELECT unnest(range(greatest(g.from_open_time, s.previous + INTERVAL 1 MINUTE),
        least(g.to_open_time, s.open_time - INTERVAL 1 MINUTE) + INTERVAL 1 MINUTE, INTERVAL 1 MINUTE)) AS minute
        FROM feed_gap g WHERE g.symbol = s.symbol AND g.from_open_time < s.open_time AND g.to_open_time > s.previous) m) AS missing
  FROM (SELECT symbol, open_time, lag(open_time) OVER (PARTITION BY symbol ORDER BY open_time) AS previous FROM candle) s
  JOIN (SELECT symbol, min(open_time) AS began FROM candle WHERE provenance <> 'imported' GROUP BY symbol) f
    ON f.symbol = s.symbol AND s.previous >= f.began
  WHERE s.open_time > s.previous + INTERVAL 1 MINUTE) WHERE missing > 0`;

/** 1, 2, 3 … without holes. */
async function numbered(connection: Connection, id: string, table: string, column: string): Promise<StoreCheck> {
  const [row] = await connection.rows(
    `SELECT count(*), count(DISTINCT ${column}), coalesce(min(${column}), 1), coalesce(max(${column}), 0) FROM ${table}`,
  );
  const [rows, distinct, least, most] = (row ?? []).map(Number);
  const ok = rows === distinct && rows === most && least === 1;
  return {
    id,
    ok,
    detail: ok
      ? `${table} is numbered 1 to ${most} without holes`
      : `${table} has ${rows} rows with ${distinct} numbers from ${least} to ${most}`,
  };
}

/** Whether a query that lists faults finds none. */
async function nothing(
  connection: Connection,
  id: string,
  well: string,
  faults: string,
  what = "rows are at fault",
): Promise<StoreCheck> {
  const [row] = await connection.rows(
    `SELECT count(*), coalesce(string_agg(fault, '; ') FILTER (WHERE place <= ${SHOWN}), '')
      FROM (SELECT fault, row_number() OVER () AS place FROM (${faults}) AS found(fault))`,
  );
  const count = Number(row?.[0]);
  return count === 0
    ? { id, ok: true, detail: well }
    : { id, ok: false, detail: `${count} ${what}: ${String(row?.[1])}` };
}
