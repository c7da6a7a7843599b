import { platform } from "#platform";
import { toRfc3339 } from "../../core/time.ts";
import { literal } from "../../store/duckdb.ts";
import { declareRole } from "../../store/guard.ts";
import { readPublished } from "../../store/published.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { printJson, printTable } from "../tools/print.ts";
import { publishedSymbols } from "./published-symbols.ts";

export interface GapsOptions {
  readonly symbol: string | undefined;
  readonly json: boolean;
  readonly data: string | undefined;
}

/** A stretch of absent minutes, both ends inclusive. */
interface AbsentStretch {
  readonly symbol: string;
  readonly from: string;
  readonly to: string;
  readonly minutes: number;
  /** What feed_gap says of any of them; null where it says nothing. */
  readonly reason: string | null;
}

/**
 * Tells the minutes that a symbol lacks between its first stored one and its last, stretch by stretch. Imports count as present.
 * Reads published segments alone, beside a living writer. Exit 0 with gaps and without.
 */
export async function runGaps(options: GapsOptions): Promise<number> {
  declareRole("command");
  const { stretches, symbols } = await findGaps(dataFolder(options.data).path, options.symbol);
  if (options.json) printJson(stretches.map((stretch) => ({ ...stretch })));
  else {
    const minutes = stretches.reduce((sum, stretch) => sum + stretch.minutes, 0);
    if (stretches.length > 0) printTable(stretches.map((stretch) => ({ ...stretch })));
    process.stdout.write(
      `${stretches.length > 0 ? "\n" : ""}${minutes} minutes absent in ${stretches.length} stretches of ${symbols} symbols\n`,
    );
  }
  return 0;
}

/** The absent stretches of one symbol, or of all; and how many symbols were looked at. Rejects as `readPublished`. */
export function findGaps(folder: string, symbol: string | undefined) {
  return readPublished(folder, "look for gaps", platform, async ({ connection }) => {
    const wanted = symbol === undefined ? undefined : [symbol];
    const symbols = (await publishedSymbols(connection, "look for gaps", wanted)).length;
    return { symbols, stretches: (await connection.rows(gapsSql(symbol))).map(stretchOf) };
  });
}

/** One pass over two columns. Reasons are looked up for the stretches alone, which are few beside the minutes. */
function gapsSql(symbol: string | undefined): string {
  const where = symbol === undefined ? "" : `WHERE symbol = ${literal(symbol)}`;
  return `WITH step AS (SELECT symbol, open_time, lag(open_time) OVER (PARTITION BY symbol ORDER BY open_time) AS previous
      FROM candle_rows ${where}),
    absent AS (SELECT symbol, previous + INTERVAL 1 MINUTE AS first, open_time - INTERVAL 1 MINUTE AS last
      FROM step WHERE open_time > previous + INTERVAL 1 MINUTE)
    SELECT a.symbol, epoch_ms(a.first), epoch_ms(a.last), string_agg(DISTINCT g.reason, '; ' ORDER BY g.reason)
    FROM absent a LEFT JOIN gap_rows g ON g.symbol = a.symbol AND g.from_open_time <= a.last AND g.to_open_time >= a.first
    GROUP BY a.symbol, a.first, a.last ORDER BY a.symbol, a.first`;
}

function stretchOf([symbol, first, last, reason]: readonly unknown[]): AbsentStretch {
  const [from, to] = [Number(first), Number(last)];
  return {
    symbol: String(symbol),
    from: toRfc3339(from),
    to: toRfc3339(to),
    minutes: (to - from) / 60_000 + 1,
    reason: reason === null || reason === undefined ? null : String(reason),
  };
}
