import { assert } from "../core/errors.ts";
import { type Cell, type Connection, literal } from "./duckdb.ts";
import type { SegmentContent, SegmentRange } from "./ports.ts";
import { KIND_TABLES } from "./schema.ts";

/**
 * Copies a range of the truth into one Parquet file, in the order of the table, which is that of the numbers. What it holds is
 * DuckDB's own account of what it wrote (RETURN_STATS), which saves a second look at the table. Not yet synced.
 */
export async function writeSegmentFile(range: SegmentRange, connection: Connection): Promise<SegmentContent> {
  const { table, seq, time } = KIND_TABLES[range.kind];
  const [answer] = await connection.rows(
    `COPY (SELECT * FROM ${table} WHERE ${seq} BETWEEN ${range.first} AND ${range.last}) TO ${literal(range.path)}
      (FORMAT parquet, USE_TMP_FILE false, RETURN_STATS)`,
  );
  const rows = Number(answer?.[1]);
  assert(
    rows === range.last - range.first + 1,
    `${table} numbers ${range.first} to ${range.last} without holes, found ${rows} rows`,
  );
  const times = entryOf(answer?.[4], `"${time}"`);
  return {
    rows,
    bytes: Number(answer?.[2]),
    minOpenTime: epochMs(entryOf(times, "min")),
    maxOpenTime: epochMs(entryOf(times, "max")),
  };
}

/** The value of a MAP cell's key. */
function entryOf(map: Cell | undefined, key: string): Cell | undefined {
  if (typeof map !== "object" || map === null || !("entries" in map) || !Array.isArray(map.entries)) return undefined;
  return (map.entries as readonly { key: Cell; value: Cell }[]).find((entry) => entry.key === key)?.value;
}

/** A TIMESTAMP as DuckDB prints it, in UTC. */
function epochMs(cell: Cell | undefined): number {
  const timeMs = Date.parse(`${String(cell).replace(" ", "T")}Z`);
  assert(Number.isFinite(timeMs), `DuckDB tells the times a segment spans, found ${String(cell)}`);
  return timeMs;
}
