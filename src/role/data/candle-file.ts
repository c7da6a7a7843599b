import { platform } from "#platform";
import type { Candle } from "../../core/candle.ts";
import { FabricError } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { readLines } from "../../feed/replay/text-lines.ts";
import { checkInputFile } from "../input-file.ts";
import { parquetRows } from "../market-data/parquet-rows.ts";
import { printable } from "../tools/print.ts";
import { type CandleField, type Columns, columnsOfCount, columnsOfHeader } from "./candle-columns.ts";
import { CandleRows } from "./candle-row.ts";

/** A row of a candle file: its line (the header counts) or Parquet row, from 1, and the candle or what is wrong with it. */
export interface CandleRow {
  readonly line: number;
  readonly candle: Candle | string;
}

/** What a whole file holds. */
export interface CandleFileFacts {
  readonly path: string;
  readonly good: number;
  readonly bad: number;
  /** The first bad rows. */
  readonly badRows: readonly { readonly line: number; readonly reason: string }[];
  /** What its columns tell. */
  readonly fields: ReadonlySet<CandleField>;
  /** First and last minute among the good rows. */
  readonly first: number;
  readonly last: number;
}

/** Bad rows that are told one by one. */
const BAD_ROWS_TOLD = 20;
const BLOCK_ROWS = 4096;
/** From so many rows on, not one of which is a minute after its neighbour, they are no 1-minute candles. */
const ROWS_TO_JUDGE = 10;

/**
 * Reads a file once to tell what it holds. Throws FabricError "missing-input"; "bad-data" where columns lack, its times are of two
 * units, its rows are no 1-minute candles, none of them is good, or the file is damaged.
 */
export async function inspectCandleFile(path: string, symbol: string): Promise<CandleFileFacts> {
  let [good, bad, first, last, previous] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
  let closest = Number.POSITIVE_INFINITY;
  const badRows: { line: number; reason: string }[] = [];
  const fields = new Set<CandleField>();
  for await (const rows of readCandleFile(path, symbol, fields)) {
    for (const { line, candle } of rows) {
      if (typeof candle === "string") {
        if (++bad <= BAD_ROWS_TOLD) badRows.push({ line, reason: candle });
        continue;
      }
      const { openTime } = candle;
      const step = Math.abs(openTime - previous);
      if (step > 0 && step < closest) closest = step;
      [good, first, last, previous] = [good + 1, Math.min(first, openTime), Math.max(last, openTime), openTime];
    }
  }
  if (good === 0) {
    const [worst] = badRows;
    throw unreadable(path, worst ? `no row of it is a candle; line ${worst.line}: ${worst.reason}` : "it has no row");
  }
  if (good >= ROWS_TO_JUDGE && closest > MINUTE_MS)
    throw unreadable(path, `expected 1-minute candles, found rows ${closest / MINUTE_MS} minutes apart`);
  return { path, good, bad, badRows, fields, first, last };
}

/**
 * The rows of a CSV file (plain or gzip, with a header or one of the known orders without) or a Parquet file, in blocks, in the
 * file's order. `fields` is filled with what its columns tell before the first block. Throws as `inspectCandleFile`, but reads on over bad rows.
 */
export async function* readCandleFile(
  path: string,
  symbol: string,
  fields = new Set<CandleField>(),
): AsyncGenerator<readonly CandleRow[]> {
  checkInputFile("read", path);
  const bytes = platform.files.readBytes(path);
  const isParquet = new TextDecoder("latin1").decode(bytes.subarray(0, 4)) === "PAR1";
  yield* isParquet ? parquetCandles(path, symbol, fields) : csvCandles(path, bytes, symbol, fields);
}

/** Says on stderr which rows were left out. */
export function tellBadRows({ path, bad, badRows }: CandleFileFacts): void {
  for (const { line, reason } of badRows)
    process.stderr.write(`fabric: ${printable(path)} line ${line} is left out: ${printable(reason)}\n`);
  if (bad > badRows.length) process.stderr.write(`fabric: and ${bad - badRows.length} more bad rows of that file\n`);
}

async function* csvCandles(path: string, bytes: Uint8Array, symbol: string, fields: Set<CandleField>) {
  const rows = new CandleRows(symbol, path);
  const faults = { damage: null as string | null };
  let table: { readonly delimiter: string; readonly width: number; readonly columns: Columns } | null = null;
  let line = 0;
  for await (const lines of readLines(bytes, faults)) {
    const block: CandleRow[] = [];
    for (const text of lines) {
      line++;
      const trimmed = text.trim();
      if (trimmed === "") continue;
      if (table === null) {
        const begun = begin(path, trimmed);
        table = begun.table;
        for (const field of table.columns.keys()) fields.add(field);
        if (begun.isHeader) continue;
      }
      const { delimiter, width, columns } = table;
      const cells = cellsOf(trimmed, delimiter);
      if (cells.length !== width) block.push({ line, candle: `expected ${width} columns, found ${cells.length}` });
      else block.push({ line, candle: rows.read(line, (field) => cells[columns.get(field) ?? -1]) });
    }
    yield block;
  }
  if (faults.damage !== null) throw unreadable(path, `it is damaged or ends early (${faults.damage})`);
}

async function* parquetCandles(path: string, symbol: string, fields: Set<CandleField>) {
  const rows = new CandleRows(symbol, path);
  let columns: ReadonlyMap<CandleField, string> | null = null;
  let line = 0;
  let block: CandleRow[] = [];
  for await (const row of parquetRows(path, "read")) {
    line++;
    columns ??= namedColumns(path, Object.keys(row));
    const named = columns;
    if (line === 1) for (const field of named.keys()) fields.add(field);
    block.push({ line, candle: rows.read(line, (field) => row[named.get(field) ?? ""]) });
    if (block.length < BLOCK_ROWS) continue;
    yield block;
    block = [];
  }
  yield block;
}

/** What a file's first line says of all others. */
function begin(path: string, line: string) {
  const delimiter =
    [",", ";", "\t"].toSorted((one, other) => line.split(other).length - line.split(one).length)[0] ?? ",";
  const cells = cellsOf(line, delimiter);
  const isHeader = !/^-?\d/.test(cells[0] ?? "");
  const columns = isHeader ? columnsOfHeader(cells) : columnsOfCount(cells.length);
  if (typeof columns === "string") throw unreadable(path, columns);
  return { isHeader, table: { delimiter, width: cells.length, columns } };
}

function namedColumns(path: string, names: readonly string[]): ReadonlyMap<CandleField, string> {
  const columns = columnsOfHeader(names);
  if (typeof columns === "string") throw unreadable(path, columns);
  return new Map([...columns].map(([field, at]) => [field, names[at] ?? ""]));
}

/** RFC 4180 on one line: a cell in quotes may hold delimiters, and quotes doubled. */
function cellsOf(line: string, delimiter: string): readonly string[] {
  if (!line.includes('"')) return line.split(delimiter).map((cell) => cell.trim());
  const cells: string[] = [];
  let [cell, isQuoted] = ["", false];
  for (let at = 0; at < line.length; at++) {
    const letter = line.charAt(at);
    if (letter === '"' && isQuoted && line.charAt(at + 1) === '"') cell += line.charAt(++at);
    else if (letter === '"') isQuoted = !isQuoted;
    else if (letter === delimiter && !isQuoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += letter;
  }
  return [...cells, cell.trim()];
}

function unreadable(path: string, found: string): FabricError {
  return new FabricError("bad-data", `Cannot read candles from ${path}: ${found}`);
}
