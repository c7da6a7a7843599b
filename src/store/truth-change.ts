import type { Connection } from "./duckdb.ts";
import { literal } from "./duckdb.ts";
import type { TruthChange, TruthState } from "./ports.ts";
import { candleColumns } from "./schema.ts";

/** Writes one transaction's change through a connection that has begun it. Throws the driver's error; the caller rolls back. */
export async function appendChange(
  connection: Connection,
  before: TruthState,
  after: TruthState,
  change: TruthChange,
): Promise<void> {
  const { rows, revisions, gaps, start } = change;
  if (rows.length > 0) {
    await connection.append("candle", [
      ...candleColumns(rows),
      rows.map((row) => row.commitSeq),
      rows.map((row) => row.prevOpenTime),
    ]);
  }
  if (revisions.length > 0) {
    await connection.append("candle_revision", [
      ...candleColumns(revisions),
      revisions.map((row) => row.commitSeq),
      revisions.map((row) => row.revision),
      revisions.map((_, index) => before.revisionSeq + index + 1),
    ]);
  }
  if (gaps.length > 0) {
    await connection.append("feed_gap", [
      gaps.map((gap) => gap.symbol),
      gaps.map((gap) => gap.fromOpenTime),
      gaps.map((gap) => gap.toOpenTime),
      gaps.map((gap) => gap.reason),
      gaps.map((_, index) => before.gapSeq + index + 1),
    ]);
  }
  if (after.closedThrough !== before.closedThrough && after.closedThrough !== null)
    await connection.run(`UPDATE meta SET closed_through = make_timestamp_ms(${after.closedThrough})`);
  if (after.environment !== before.environment && after.environment !== null)
    await connection.run(`UPDATE meta SET environment = ${literal(after.environment)}`);
  if (start !== null) {
    await connection.run(
      `INSERT INTO node_start VALUES (make_timestamp_ms(${start.atMs}), ${before.commitSeq}, ${start.afterCleanStop})`,
    );
  }
}
