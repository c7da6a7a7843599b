import type { Files } from "../../core/env.ts";
import type { TradesFrame, VenueId, VenueReader } from "../venues/contract.ts";
import { VENUES } from "../venues/venues.ts";
import { isRecordedLine, readRecordedLine } from "./recorded-line.ts";
import { readLines } from "./text-lines.ts";
import { TradeCsv } from "./trade-csv.ts";

export interface ReplayFile {
  readonly path: string;
  readonly kind: "recording" | "csv" | "parquet";
  /** Of the first trade; null where there is none, or where the file does not tell. */
  readonly venue: VenueId | null;
  /** Whether the first trade had an id that counts. */
  readonly idsCount: boolean;
  /** Whether a trade was found (Parquet: looked at when played). */
  readonly readable: boolean;
}

/** Reads a file up to its first trade, to tell what it is. Throws "missing-input" where it is not there. */
export async function inspect(path: string, files: Files): Promise<ReplayFile> {
  const bytes = files.readBytes(path);
  if (new TextDecoder("latin1").decode(bytes.subarray(0, 4)) === "PAR1") {
    return { path, kind: "parquet", venue: null, idsCount: true, readable: true };
  }
  const readers = VENUES.map((venue) => venue.reader());
  let recorded = false;
  for await (const lines of readLines(bytes, { damage: null })) {
    for (const line of lines) {
      if (!recorded && TradeCsv.knows(line)) {
        const venue = TradeCsv.isSpot(line) ? "binance-spot" : "binance-usdm";
        return { path, kind: "csv", venue, idsCount: true, readable: true };
      }
      recorded ||= isRecordedLine(line);
      const frame = recorded ? tradesIn(line, readers) : null;
      if (frame !== null)
        return { path, kind: "recording", venue: frame.venue, idsCount: hasIds(frame), readable: true };
    }
  }
  return { path, kind: "recording", venue: null, idsCount: true, readable: false };
}

/** The line as the first venue that finds trades in it reads it. */
function tradesIn(line: string, readers: readonly VenueReader[]): TradesFrame | null {
  for (const reader of readers) {
    const frame = readRecordedLine(reader, line);
    if (frame === "note") return null;
    if (frame?.type === "trades") return frame;
  }
  return null;
}

function hasIds({ trades, history, omitted }: TradesFrame): boolean {
  const first = trades[0] ?? history[0];
  return (first === undefined ? omitted[0]?.firstId : first.id) !== null;
}
