import type { Candle } from "../core/candle.ts";
import type { SymbolHead } from "./contract.ts";
import { type Cell, literal } from "./duckdb.ts";
import { type Known, minuteKey } from "./numbering.ts";
import { CANDLE_SELECT, storedCandle } from "./schema.ts";

/** Runs one SELECT on the truth. */
type Ask = (sql: string) => Promise<readonly (readonly Cell[])[]>;

/** What the store holds of a batch's imports; `ask` is null for an empty one. Asked only for imports and for symbols without a head: never in a running market. */
export async function importsOf(
  candles: readonly Candle[],
  heads: ReadonlyMap<string, SymbolHead>,
  ask: Ask | null,
): Promise<Pick<Known, "importedThrough" | "importedMinutes">> {
  if (ask === null) return { importedThrough: new Map(), importedMinutes: new Set() };
  const headless = candles.filter((candle) => !heads.has(candle.symbol));
  const imports = candles.filter((candle) => candle.provenance === "imported");
  return {
    importedThrough: await newestMinutes(headless, ask),
    importedMinutes: await storedMinutes(imports, ask),
  };
}

/** The stored row and the newest revision (0: none) of each candle's minute, by `minuteKey`. */
export async function latestRevisions(
  candles: readonly Candle[],
  ask: Ask,
): Promise<Map<string, { readonly commitSeq: number; readonly revision: number }>> {
  const rows = await ask(`SELECT c.symbol, epoch_ms(c.open_time), c.commit_seq, coalesce(max(r.revision), 0)
    FROM candle c LEFT JOIN candle_revision r ON r.commit_seq = c.commit_seq WHERE ${minutesOf(candles, "c")} GROUP BY 1, 2, 3`);
  return new Map(
    rows.map(([symbol, time, commitSeq, revision]) => [
      minuteKey(String(symbol), Number(time)),
      { commitSeq: Number(commitSeq), revision: Number(revision) },
    ]),
  );
}

/** Rows after `afterSeq` in order, each as last revised, imports left out. */
export async function newestRows(afterSeq: number, ask: Ask): Promise<readonly Candle[]> {
  const rows = await ask(`SELECT ${CANDLE_SELECT} FROM candle WHERE commit_seq > ${afterSeq}
    AND provenance <> 'imported' ORDER BY commit_seq`);
  // A revision has its row's number, so that the same columns make a candle of it.
  const revisions = await ask(`SELECT ${CANDLE_SELECT} FROM (SELECT *, NULL AS prev_open_time FROM candle_revision
    WHERE commit_seq > ${afterSeq} ORDER BY revision_seq)`);
  const revised = new Map(revisions.map(storedCandle).map((row) => [row.commitSeq, row]));
  return rows.map(storedCandle).map((row) => revised.get(row.commitSeq) ?? row);
}

async function newestMinutes(candles: readonly Candle[], ask: Ask): Promise<ReadonlyMap<string, number>> {
  if (candles.length === 0) return new Map();
  const rows = await ask(
    `SELECT symbol, epoch_ms(max(open_time)) FROM candle WHERE symbol IN (${symbolList(candles)}) GROUP BY symbol`,
  );
  return new Map(rows.map(([symbol, time]) => [String(symbol), Number(time)]));
}

async function storedMinutes(candles: readonly Candle[], ask: Ask): Promise<ReadonlySet<string>> {
  if (candles.length === 0) return new Set();
  const rows = await ask(`SELECT symbol, epoch_ms(open_time) FROM candle c WHERE ${minutesOf(candles, "c")}`);
  return new Set(rows.map(([symbol, time]) => minuteKey(String(symbol), Number(time))));
}

/** A condition that holds for the stored rows of all these minutes (and may for others of the same symbols). */
function minutesOf(candles: readonly Candle[], alias: string): string {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { openTime } of candles) [from, to] = [Math.min(from, openTime), Math.max(to, openTime)];
  return `${alias}.symbol IN (${symbolList(candles)})
    AND ${alias}.open_time BETWEEN make_timestamp_ms(${from}) AND make_timestamp_ms(${to})`;
}

function symbolList(candles: readonly Candle[]): string {
  return [...new Set(candles.map((candle) => candle.symbol))].map(literal).join(", ");
}
