import { type Connection, literal } from "./duckdb.ts";
import type { StoreLayout } from "./layout.ts";
import type { Manifest } from "./manifest.ts";
import type { SegmentKind } from "./schema.ts";

const SQL_COLUMNS = `symbol, open_time, open, high, low, close, volume, quote_volume, trades, taker_buy_volume,
  taker_buy_quote_volume, first_trade_id, last_trade_id, provenance, revision, commit_seq`;

/** The columns of a store without any segment of the kind. */
const NO_ROWS: Readonly<Record<SegmentKind, string>> = {
  candle: emptyCandles("commit_seq BIGINT, prev_open_time TIMESTAMP"),
  revision: emptyCandles("commit_seq BIGINT, revision INTEGER, revision_seq BIGINT"),
  gap: empty("symbol VARCHAR, from_open_time TIMESTAMP, to_open_time TIMESTAMP, reason VARCHAR, gap_seq BIGINT"),
};

/**
 * Makes SQL's views of what a manifest lists: candle (each row as last corrected), candle_all (every revision) and feed_gap, over
 * candle_rows, revision_rows and gap_rows. Throws the driver's error where a file cannot be read.
 */
export async function createViews(connection: Connection, manifest: Manifest, layout: StoreLayout): Promise<void> {
  for (const kind of ["candle", "revision", "gap"] as const)
    await connection.run(`CREATE VIEW ${kind}_rows AS ${sourceOf(kind, manifest, layout)}`);
  await connection.run(`CREATE VIEW candle_all AS SELECT ${SQL_COLUMNS} FROM (SELECT *, 0 AS revision FROM candle_rows)
    UNION ALL SELECT ${SQL_COLUMNS} FROM revision_rows`);
  await connection.run(`CREATE VIEW candle AS ${latestOnly(manifest)}`);
  await connection.run(`CREATE VIEW feed_gap AS SELECT symbol, from_open_time, to_open_time, reason FROM gap_rows`);
}

function sourceOf(kind: SegmentKind, manifest: Manifest, layout: StoreLayout): string {
  const files = manifest.segments.filter((segment) => segment.kind === kind);
  if (files.length === 0) return NO_ROWS[kind];
  const list = files.map((segment) => literal(`${layout.segments}/${segment.file}`)).join(", ");
  return `SELECT * FROM read_parquet([${list}], union_by_name = true)`;
}

/** Without revisions, which is nearly always, the view is the rows themselves and filters reach the files. */
function latestOnly(manifest: Manifest): string {
  if (!manifest.segments.some((segment) => segment.kind === "revision"))
    return `SELECT ${SQL_COLUMNS} FROM (SELECT *, 0 AS revision FROM candle_rows)`;
  return `SELECT ${SQL_COLUMNS} FROM candle_all ANTI JOIN (SELECT commit_seq AS s, max(revision) AS newest FROM revision_rows GROUP BY 1)
    ON commit_seq = s AND revision < newest`;
}

function emptyCandles(rest: string): string {
  return empty(`symbol VARCHAR, open_time TIMESTAMP, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE,
    quote_volume DOUBLE, trades BIGINT, taker_buy_volume DOUBLE, taker_buy_quote_volume DOUBLE, first_trade_id BIGINT,
    last_trade_id BIGINT, provenance VARCHAR, ${rest}`);
}

function empty(columns: string): string {
  const casts = columns.split(",").map((column) => {
    const [name, type] = column.trim().split(/\s+/);
    return `NULL::${type} AS ${name}`;
  });
  return `SELECT ${casts.join(", ")} WHERE false`;
}
