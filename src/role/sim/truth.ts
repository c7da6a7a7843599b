import { toRfc3339 } from "../../core/time.ts";
import type { TruthRow } from "../../feed/sim/exact-candle.ts";
import { type SimTruthOptions, simTruth } from "../../feed/sim/truth.ts";
import { printTable } from "../tools/print.ts";

/** Rows written at once, so that a long list costs little memory. */
const CHUNK_ROWS = 1000;

/** Prints the candles of a simulated market from its start, symbol by symbol within each minute. */
export async function printTruth(
  options: SimTruthOptions & { readonly json: boolean; readonly tradeIds: boolean },
): Promise<number> {
  const rows = rowsOf(options);
  if (!options.json) {
    printTable(
      [...rows].map((row) => ({ ...row, openTime: toRfc3339(row.openTime), closeTime: toRfc3339(row.closeTime) })),
    );
    return 0;
  }
  let chunk: string[] = [];
  let separator = "[";
  const flush = async () => {
    if (chunk.length === 0) return;
    const text = separator + chunk.join(",\n");
    separator = ",\n";
    chunk = [];
    if (!process.stdout.write(text)) await roomInStdout();
  };
  for (const row of rows) {
    if (!process.stdout.writable) return 0;
    chunk.push(JSON.stringify(row));
    if (chunk.length >= CHUNK_ROWS) await flush();
  }
  await flush();
  process.stdout.write(separator === "[" ? "[]\n" : "]\n");
  return 0;
}

/** Where the venue gives no ids that count, there are none to compare. */
function* rowsOf(options: SimTruthOptions & { readonly tradeIds: boolean }): Generator<TruthRow> {
  for (const row of simTruth(options)) yield options.tradeIds ? row : { ...row, firstTradeId: null, lastTradeId: null };
}

/** Resolves once stdout takes more, and also where its reader is gone and it never will. */
function roomInStdout(): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ["drain", "error", "close"]) process.stdout.off(event, done);
      resolve();
    };
    for (const event of ["drain", "error", "close"]) process.stdout.on(event, done);
  });
}
