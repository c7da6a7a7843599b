import { FabricError, messageOf } from "../../core/errors.ts";
import { Database, literal } from "../../store/duckdb.ts";

const PAGE_ROWS = 50_000;

/**
 * A Parquet file's rows in their order, columns by name, read in pages through an in-memory DuckDB. Rejects "bad-data"; `action`
 * completes "Cannot …".
 */
export async function* parquetRows(path: string, action = "replay"): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const database = await Database.memory({ threads: "1" });
  try {
    const connection = await database.connect();
    const source = `read_parquet(${literal(path)}, file_row_number = true)`;
    const described = await connection.rows(`DESCRIBE SELECT * EXCLUDE (file_row_number) FROM ${source}`);
    const columns = described.map(([name, type]) => ({
      name: String(name),
      sql: columnSql(String(name), String(type)),
    }));
    const list = columns.map((column) => column.sql).join(", ");
    for (let from = 0; ; from += PAGE_ROWS) {
      const rows = await connection.rows(
        `SELECT ${list} FROM ${source} WHERE file_row_number >= ${from} AND file_row_number < ${from + PAGE_ROWS} ORDER BY file_row_number`,
      );
      for (const row of rows) yield Object.fromEntries(columns.map((column, at) => [column.name, row[at]]));
      if (rows.length < PAGE_ROWS) return;
    }
  } catch (error) {
    throw new FabricError("bad-data", `Cannot ${action} ${path}: ${messageOf(error).split("\n")[0]}`, { cause: error });
  } finally {
    database.close();
  }
}

/** Decimals as text, so that none is rounded; timestamps as epoch ms; the rest as it is. */
function columnSql(name: string, type: string): string {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  if (type.startsWith("DECIMAL")) return `CAST(${quoted} AS VARCHAR)`;
  if (type.startsWith("TIMESTAMP")) return `epoch_ms(${quoted})`;
  return quoted;
}
