import { CANDLE_FIGURES, type Candle, type CandleFigure } from "../../core/candle.ts";
import { FabricError } from "../../core/errors.ts";
import { MINUTE_MS, toRfc3339 } from "../../core/time.ts";
import { type Cell, type Connection, literal } from "../../store/duckdb.ts";
import { snake } from "../data/candle-columns.ts";
import type { Pair } from "./judge.ts";

export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

/** How many minutes were looked at, and which of them are not plainly equal. */
export interface Pairing {
  readonly range: TimeRange;
  readonly minutes: number;
  /** Official minutes outside the range. */
  readonly outside: number;
  /** In order of their minutes, page by page. */
  pages(): AsyncGenerator<readonly Pair[]>;
}

const PAGE_ROWS = 20_000;
const COLUMNS = CANDLE_FIGURES.map((figure) => snake(figure));

/** Makes the table that takes official klines, empty. */
export async function clearOfficial(connection: Connection): Promise<void> {
  const columns = CANDLE_FIGURES.map((figure) => `${snake(figure)} ${figure === "trades" ? "BIGINT" : "DOUBLE"}`);
  await connection.run(`CREATE OR REPLACE TABLE told (t BIGINT, ${columns.join(", ")})`);
}

/** Adds official klines; figures that they do not tell are left open. */
export async function addOfficial(
  connection: Connection,
  candles: readonly Candle[],
  tells: (figure: CandleFigure) => boolean,
): Promise<void> {
  if (candles.length === 0) return;
  await connection.append("told", [
    candles.map((candle) => candle.openTime),
    ...CANDLE_FIGURES.map((figure) => candles.map((candle) => (tells(figure) ? candle[figure] : null))),
  ]);
}

/** First and last stored minute of a symbol that has rows. */
export async function storedRange(connection: Connection, symbol: string): Promise<TimeRange> {
  return rangeOf(
    connection,
    `SELECT epoch_ms(min(open_time)), epoch_ms(max(open_time)) FROM candle_rows WHERE symbol = ${literal(symbol)}`,
  );
}

/**
 * Sets what is stored of a symbol beside the official klines, minute by minute, within the asked-for ends, else where both have something.
 * Throws FabricError "missing-input" where that is nowhere.
 */
export async function pairUp(connection: Connection, symbol: string, asked: Partial<TimeRange>): Promise<Pairing> {
  const stored = await storedRange(connection, symbol);
  const told = await rangeOf(connection, "SELECT min(t), max(t) FROM told");
  const range = {
    from: asked.from ?? Math.max(stored.from, told.from),
    to: asked.to ?? Math.min(stored.to, told.to),
  };
  if (range.from > range.to) {
    const text = ({ from, to }: TimeRange) => `${toRfc3339(from)} to ${toRfc3339(to)}`;
    throw new FabricError(
      "missing-input",
      `Cannot audit ${symbol}: the store holds ${text(stored)}, the official klines ${text(told)}, and nothing of both is in the time asked for`,
    );
  }
  const within = `BETWEEN ${range.from} AND ${range.to}`;
  await connection.run(`CREATE OR REPLACE TABLE official AS SELECT *, lag(close) OVER (ORDER BY t) AS previous_close,
    lag(t) OVER (ORDER BY t) AS previous_t FROM (SELECT DISTINCT ON (t) * FROM told WHERE t ${within})`);
  await connection.run(storedSql(symbol, within));
  await connection.run(PAIRS);
  const [counts] = await connection.rows(`SELECT (SELECT count(*) FROM stored FULL JOIN official USING (t)),
    (SELECT count(*) FROM told WHERE NOT t ${within})`);
  return {
    range,
    minutes: Number(counts?.[0]),
    outside: Number(counts?.[1]),
    pages: () => pages(connection, symbol),
  };
}

/**
 * Each row whose trade ids are known with the newest such row before it, and whether everything between the two is stored and had no
 * trade: then its first id must be the next one. (DuckDB 1.5's count FILTER OVER and lag IGNORE NULLS take
 * time with the square of the rows.)
 */
function storedSql(symbol: string, within: string): string {
  return `CREATE OR REPLACE TABLE stored AS
    WITH numbered AS (SELECT epoch_ms(open_time) AS t, ${COLUMNS.join(", ")}, first_trade_id, last_trade_id, provenance,
        row_number() OVER (ORDER BY open_time) AS n,
        sum(CASE WHEN last_trade_id IS NULL AND volume > 0 THEN 1 ELSE 0 END) OVER (ORDER BY open_time ROWS UNBOUNDED PRECEDING) AS unknown
      FROM candle WHERE symbol = ${literal(symbol)} AND epoch_ms(open_time) ${within}),
    known AS (SELECT t, first_trade_id, last_trade_id, lag({'id': last_trade_id, 't': t, 'n': n, 'unknown': unknown, 'provenance': provenance})
        OVER (ORDER BY t) AS before, n, unknown, provenance FROM numbered WHERE last_trade_id IS NOT NULL),
    linked AS (SELECT t, before.id AS id_before, provenance = 'partial' OR before.provenance = 'partial' AS beside_partial,
        CASE WHEN (t - before.t) // ${MINUTE_MS} = n - before.n AND unknown = before.unknown
          THEN first_trade_id <> before.id + 1 ELSE first_trade_id <= before.id END AS is_break FROM known)
    SELECT numbered.*, id_before, beside_partial, coalesce(is_break, false) AS is_break FROM numbered LEFT JOIN linked USING (t)`;
}

const SAME = COLUMNS.map((column) => `coalesce(o.${column} = s.${column}, true)`).join(" AND ");
const PAIRS = `CREATE OR REPLACE TABLE pair AS SELECT coalesce(s.t, o.t) AS t, s.provenance,
    ${COLUMNS.map((column) => `s.${column} AS s_${column}, o.${column} AS o_${column}`).join(", ")}, o.t AS o_t,
    CASE WHEN o.previous_t = o.t - ${MINUTE_MS} THEN o.previous_close END AS previous_close,
    s.is_break, s.id_before, s.first_trade_id, s.beside_partial
  FROM stored s FULL JOIN official o ON s.t = o.t
  WHERE NOT (s.t IS NOT NULL AND o.t IS NOT NULL AND NOT coalesce(s.is_break, false) AND ${SAME})`;

async function* pages(connection: Connection, symbol: string): AsyncGenerator<readonly Pair[]> {
  const figures = COLUMNS.flatMap((column) => [`s_${column}`, `o_${column}`]).join(", ");
  for (let after = Number.NEGATIVE_INFINITY; ; ) {
    const since = Number.isFinite(after) ? `WHERE t > ${after}` : "";
    const rows =
      await connection.rows(`SELECT t, provenance, o_t, previous_close, is_break, id_before, first_trade_id, beside_partial,
        CASE WHEN provenance IS NULL THEN (SELECT string_agg(DISTINCT g.reason, '; ' ORDER BY g.reason) FROM gap_rows g
          WHERE g.symbol = ${literal(symbol)} AND epoch_ms(g.from_open_time) <= t AND epoch_ms(g.to_open_time) >= t) END, ${figures}
      FROM (SELECT * FROM pair ${since} ORDER BY t LIMIT ${PAGE_ROWS}) ORDER BY t`);
    if (rows.length > 0) yield rows.map(pairOf);
    if (rows.length < PAGE_ROWS) return;
    after = Number(rows.at(-1)?.[0]);
  }
}

function pairOf(row: readonly Cell[]): Pair {
  const [t, provenance, officialT, previousClose, isBreak, before, first, besidePartial, gapReason, ...figures] = row;
  const at = (figure: CandleFigure, side: 0 | 1) => numberOrNull(figures[CANDLE_FIGURES.indexOf(figure) * 2 + side]);
  const side = <T>(read: (figure: CandleFigure) => T) =>
    Object.fromEntries(CANDLE_FIGURES.map((figure) => [figure, read(figure)])) as Record<CandleFigure, T>;
  return {
    openTime: Number(t),
    stored: isNull(provenance)
      ? null
      : { ...side((figure) => at(figure, 0) ?? Number.NaN), provenance: String(provenance) },
    official: isNull(officialT) ? null : side((figure) => at(figure, 1)),
    officialPreviousClose: numberOrNull(previousClose),
    gapReason: isNull(gapReason) ? null : String(gapReason),
    idBreak:
      isBreak === true ? { before: Number(before), first: Number(first), besidePartial: besidePartial === true } : null,
  };
}

async function rangeOf(connection: Connection, sql: string): Promise<TimeRange> {
  const [row] = await connection.rows(sql);
  return { from: Number(row?.[0]), to: Number(row?.[1]) };
}

function numberOrNull(cell: Cell | undefined): number | null {
  return cell === null || cell === undefined ? null : Number(cell);
}

function isNull(cell: Cell | undefined): boolean {
  return cell === null || cell === undefined;
}
