import type { CandleFigure } from "../../core/candle.ts";
import type { Connection } from "../../store/duckdb.ts";
import { inspectCandleFile, readCandleFile, tellBadRows } from "../data/candle-file.ts";

import { addOfficial } from "./pairs.ts";

/** Takes the klines of files into the table of official ones. Throws as `inspectCandleFile`; bad rows are told on stderr. */
export async function officialFromFiles(
  connection: Connection,
  files: readonly string[],
  symbol: string,
): Promise<void> {
  for (const path of files) {
    const facts = await inspectCandleFile(path, symbol);
    tellBadRows(facts);
    for await (const rows of readCandleFile(path, symbol)) {
      const candles = rows.flatMap(({ candle }) => (typeof candle === "string" ? [] : [candle]));
      await addOfficial(connection, candles, (figure: CandleFigure) => facts.fields.has(figure));
    }
  }
}
