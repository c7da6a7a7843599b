import type { VenueFrame, VenueReader } from "../venues/contract.ts";

/** A capture's own notes: the address it opened, and what the client sent. */
const NOTE = /^(?:wss?|https?):\/\//;
const STAMPED = /^\d+(?:\.\d+)?:? /;

/**
 * The frame of one recorded line (`<receive_ns> <json>` or `<epoch_s>: <json>`); "note" for a line that is no message, null
 * for one that cannot be read.
 */
export function readRecordedLine(reader: VenueReader, line: string): VenueFrame | "note" | null {
  const at = stampLength(line);
  if (at > 0) {
    const frame = reader.read(line, at);
    if (frame.type !== "malformed") return frame;
    // A sound list at a venue that sends none is another venue's: no trade of ours, and not bad either.
    return line[at] === "[" && frame.reason === "not an object" ? frame : null;
  }
  return line.trim() === "" || NOTE.test(line) ? "note" : null;
}

/** Whether `line` looks like a recorded message. */
export function isRecordedLine(line: string): boolean {
  return NOTE.test(line) || (STAMPED.test(line) && /[[{]/.test(line));
}

/** Characters before the JSON text; 0 where there is no stamp. */
function stampLength(line: string): number {
  let at = 0;
  for (; ; at++) {
    const code = line.charCodeAt(at);
    if (!((code >= 48 && code <= 57) || code === 46)) break;
  }
  if (at === 0) return 0;
  if (line[at] === ":") at++;
  return line[at] === " " ? at + 1 : 0;
}
