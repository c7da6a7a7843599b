import type { Files } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import type { TradesFrame, Venue, VenueId, VenueReader } from "../venues/contract.ts";
import { VENUES } from "../venues/venues.ts";
import { isRecordedLine, readRecordedLine } from "./recorded-line.ts";
import { RECORDING_FORMAT, type RecordingNote, readNote } from "./recording-note.ts";
import { readLines } from "./text-lines.ts";
import { TradeCsv } from "./trade-csv.ts";

export interface ReplayFile {
  readonly path: string;
  readonly kind: "recording" | "csv" | "parquet";
  /** As the recording's own note says, else of the first trade; null where the file does not tell. */
  readonly venue: VenueId | null;
  /** Whether notes tell who was connected when. */
  readonly noted: boolean;
  /** Whether the first trade had an id that counts. */
  readonly idsCount: boolean;
  /** Whether a trade was found (Parquet: looked at when played). */
  readonly readable: boolean;
}

const UNNOTED = { venue: null, noted: false, idsCount: true };

/** Reads a file up to its first trade, to tell what it is. Throws "missing-input" where it is not there, "bad-data" for a format of later. */
export async function inspect(path: string, files: Files): Promise<ReplayFile> {
  const bytes = files.readBytes(path);
  if (new TextDecoder("latin1").decode(bytes.subarray(0, 4)) === "PAR1") {
    return { path, kind: "parquet", ...UNNOTED, readable: true };
  }
  let readers = VENUES.map((venue) => venue.reader());
  let recorded = false;
  let told: Pick<ReplayFile, "venue" | "noted"> = UNNOTED;
  for await (const lines of readLines(bytes, { damage: null })) {
    for (const line of lines) {
      if (!recorded && TradeCsv.knows(line)) {
        const venue = TradeCsv.isSpot(line) ? "binance-spot" : "binance-usdm";
        return { path, kind: "csv", ...UNNOTED, venue, readable: true };
      }
      const note = told.noted ? null : readNote(line);
      if (note?.note === "recording") {
        const venue = noted(path, note);
        readers = [venue.reader()];
        told = { venue: venue.id, noted: true };
      }
      recorded ||= isRecordedLine(line);
      const frame = recorded ? tradesIn(line, readers) : null;
      if (frame !== null)
        return {
          path,
          kind: "recording",
          noted: told.noted,
          venue: told.venue ?? frame.venue,
          idsCount: hasIds(frame),
          readable: true,
        };
    }
  }
  return { path, kind: "recording", ...UNNOTED, ...told, readable: false };
}

function noted(path: string, note: RecordingNote & { readonly note: "recording" }): Venue {
  const venue = VENUES.find(({ id }) => id === note.venue);
  if (note.format !== RECORDING_FORMAT || venue === undefined)
    throw new FabricError(
      "bad-data",
      `Cannot replay ${path}: expected a recording of format ${RECORDING_FORMAT} of a venue that fabric venues lists, ` +
        `found format ${note.format} of ${note.venue.slice(0, 40)}`,
    );
  return venue;
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
