import { basename, dirname, resolve } from "node:path";
import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import { toRfc3339 } from "../../core/time.ts";
import { type Connection, driverMessage, literal } from "../../store/duckdb.ts";
import { declareRole } from "../../store/guard.ts";
import { readPublished } from "../../store/published.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { sweepTemporaries } from "../lifecycle/temporaries.ts";
import { printable } from "../tools/print.ts";
import { publishedSymbols } from "./published-symbols.ts";

export interface ExportOptions {
  readonly symbol: string;
  /** First and last minute, inclusive, epoch ms; all that is stored where absent. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  /** Ends in .csv, .csv.gz or .parquet. */
  readonly output: string;
  readonly force: boolean;
  readonly json: boolean;
  readonly data: string | undefined;
}

const ACTION = "export";
/** By the file's ending. */
const FORMATS: readonly (readonly [string, string])[] = [
  [".csv", "FORMAT csv, HEADER true"],
  [".csv.gz", "FORMAT csv, HEADER true, COMPRESSION gzip"],
  [".parquet", "FORMAT parquet, COMPRESSION zstd"],
];
const COLUMNS = `open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume, first_trade_id,
  last_trade_id`;

/**
 * Writes a symbol's published candles, as last corrected and in the order of their minutes, into one file that appears whole or not at
 * all. Provenance is not in it: what is imported from it is `imported`, and an export of that is the same file. Throws FabricError
 * "missing-input" (no store, symbol or candle), "refused" (the file is there), "io", "unavailable".
 */
export async function runExport(options: ExportOptions): Promise<number> {
  declareRole("command");
  const output = resolve(options.output);
  const format = formatOf(output);
  checkPlace(output, options.force);
  const temporary = `${output}.${process.pid}-1.tmp`;
  const written = await readPublished(dataFolder(options.data).path, ACTION, platform, async ({ connection }) => {
    await publishedSymbols(connection, ACTION, [options.symbol]);
    const found = await lookAt(connection, options);
    const openTime = output.endsWith(".parquet") ? "open_time" : "epoch_ms(open_time) AS open_time";
    const sql = `SELECT ${openTime}, ${COLUMNS} FROM candle ${conditionOf(options)} ORDER BY candle.open_time`;
    await copy(connection, sql, temporary, output, format);
    return found;
  }).catch((error: unknown) => {
    platform.files.remove(temporary);
    throw error;
  });
  platform.files.rename(temporary, output);
  platform.files.sync(dirname(output));
  const [from, to] = [toRfc3339(written.first), toRfc3339(written.last)];
  const told = { symbol: options.symbol, file: options.output, rows: written.rows, from, to };
  process.stdout.write(
    options.json
      ? `${JSON.stringify(told)}\n`
      : `${told.rows} candles of ${told.symbol}, ${from} to ${to}, in ${printable(told.file)}\n`,
  );
  return 0;
}

function formatOf(output: string): string {
  const found = FORMATS.find(([ending]) => output.endsWith(ending));
  if (found) return found[1];
  throw new FabricError("usage", `Bad --output "${output}": expected a name that ends in .csv, .csv.gz or .parquet`);
}

/** Before anything is read: whether the file may be made. Removes what an export that was killed left beside it. */
function checkPlace(output: string, force: boolean): void {
  const { files } = platform;
  const folder = files.stat(dirname(output));
  if (folder?.isDirectory !== true)
    throw new FabricError("missing-input", `Cannot export to ${output}: there is no folder ${dirname(output)}`);
  const there = files.stat(output);
  if (there?.isDirectory === true)
    throw new FabricError("usage", `Cannot export to ${output}: expected a file's name, found a folder`);
  if (there !== null && !force)
    throw new FabricError("refused", `Cannot export to ${output}: the file is there; --force replaces it`);
  sweepTemporaries(dirname(output), basename(output), files);
}

function conditionOf({ symbol, from, to }: ExportOptions): string {
  const at = (timeMs: number) => `make_timestamp_ms(${timeMs})`;
  return [
    `WHERE symbol = ${literal(symbol)}`,
    ...(from === undefined ? [] : [`candle.open_time >= ${at(from)}`]),
    ...(to === undefined ? [] : [`candle.open_time <= ${at(to)}`]),
  ].join(" AND ");
}

async function lookAt(connection: Connection, options: ExportOptions) {
  const [row] = await connection.rows(
    `SELECT count(*), epoch_ms(min(open_time)), epoch_ms(max(open_time)) FROM candle ${conditionOf(options)}`,
  );
  const [rows = 0, first = 0, last = 0] = (row ?? []).map(Number);
  if (rows > 0) return { rows, first, last };
  throw new FabricError("missing-input", `Cannot export: the store has no candle of ${options.symbol} in that time`);
}

/** Writes the temporary file and makes it durable. */
async function copy(connection: Connection, sql: string, temporary: string, output: string, format: string) {
  try {
    await connection.run(`COPY (${sql}) TO ${literal(temporary)} (${format})`);
  } catch (error) {
    const told = driverMessage(error);
    if (!told.includes(temporary) && !/No space left|Could not write/i.test(told)) throw error;
    throw new FabricError("io", `Cannot write ${output}: ${told}`, { cause: error });
  }
  platform.files.sync(temporary);
}
