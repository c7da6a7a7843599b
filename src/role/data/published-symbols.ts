import { FabricError } from "../../core/errors.ts";
import type { Connection } from "../../store/duckdb.ts";

/** Symbols told in a message. */
const TOLD = 10;

/** The symbols with rows in the published store, in order; `wanted` only, where one is given: throws "missing-input" where it has none. */
export async function publishedSymbols(
  connection: Connection,
  action: string,
  wanted: readonly string[] | undefined,
): Promise<readonly string[]> {
  const rows = await connection.rows("SELECT DISTINCT symbol FROM candle_rows ORDER BY symbol");
  const known = rows.map(([symbol]) => String(symbol));
  const unknown = wanted?.find((symbol) => !known.includes(symbol));
  if (unknown === undefined) return wanted ?? known;
  const more = known.length > TOLD ? ` and ${known.length - TOLD} more` : "";
  const found = known.length === 0 ? "no candle at all" : `${known.slice(0, TOLD).join(", ")}${more}`;
  throw new FabricError("missing-input", `Cannot ${action}: the store has no candle of ${unknown}; it has ${found}`);
}
