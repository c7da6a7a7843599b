import type { VenueFrame, VenueReader } from "../venues/contract.ts";

/** A note of ours, and what it begins with: no message's line does. */
const NOTE = /^# \d+ /;
const NOTE_MARK = "# ";
/** A capture's own notes: the address it opened, and what the client sent. */
const CAPTURE_NOTE = /^(?:wss?|https?):\/\//;
const STAMPED = /^\d+(?:\.\d+)?(?:#\d+)?:? /;
const QUOTE = 34;
/** Stamps count s, ms, µs or ns: told apart by their size, for any time from 1973 to 2286. */
const UNITS: readonly (readonly [number, number])[] = [
  [1e17, 1e-6],
  [1e14, 1e-3],
  [1e11, 1],
  [0, 1e3],
];

/**
 * A message as a recording's line: `<receive_ns> TEXT`, or `<receive_ns>#<connection> TEXT` where several connections were open.
 * TEXT is the message as it came where it begins with { or [ and is one line; anything else is written as a JSON string. So a TEXT
 * that begins with a quotation mark is always such a string, and every message comes back as it was.
 */
export function messageLine(receiveNs: bigint, connection: number | null, text: string): string {
  const plain = /^[[{]/.test(text) && !text.includes("\n") && text.isWellFormed();
  return `${receiveNs}${connection === null ? "" : `#${connection}`} ${plain ? text : JSON.stringify(text)}`;
}

/** The message of a recorded line, as it came; null where the line is none. */
export function recordedText(line: string): string | null {
  const at = stampLength(line);
  if (at === 0) return null;
  return line.charCodeAt(at) === QUOTE ? unquoted(line, at) : line.slice(at);
}

/**
 * The frame of one recorded line (`<receive_ns> <json>` or `<epoch_s>: <json>`); "note" for a line that is no message, null
 * for one that cannot be read.
 */
export function readRecordedLine(reader: VenueReader, line: string): VenueFrame | "note" | null {
  const at = stampLength(line);
  if (at > 0) {
    const quoted = line.charCodeAt(at) === QUOTE ? unquoted(line, at) : null;
    const frame = quoted === null ? reader.read(line, at) : reader.read(quoted);
    if (frame.type !== "malformed") return frame;
    // A sound list at a venue that sends none is another venue's: no trade of ours, and not bad either.
    return line[at] === "[" && frame.reason === "not an object" ? frame : null;
  }
  return line.trim() === "" || isNote(line) ? "note" : null;
}

/** Whether `line` looks like a recorded message. */
export function isRecordedLine(line: string): boolean {
  return isNote(line) || (STAMPED.test(line) && /[[{"]/.test(line));
}

/** Whether `line` is a note of whoever recorded. */
export function isNote(line: string): boolean {
  return NOTE.test(line) || CAPTURE_NOTE.test(line);
}

/** When the line was written down, epoch ms with a fraction; null where it does not say. */
export function receivedMs(line: string): number | null {
  const from = line.startsWith(NOTE_MARK) ? NOTE_MARK.length : 0;
  const stamp = Number(line.slice(from, digitsEnd(line, from)));
  if (!(stamp > 0)) return null;
  for (const [least, factor] of UNITS) if (stamp >= least) return stamp * factor;
  return null;
}

/** The connection that a message came by, where its line names one. */
export function connectionOf(line: string): number | null {
  const at = digitsEnd(line, 0);
  return line[at] === "#" ? Number(line.slice(at + 1, digitsEnd(line, at + 1))) : null;
}

/** Characters before the message; 0 where there is no stamp. */
function stampLength(line: string): number {
  let at = digitsEnd(line, 0);
  if (at === 0) return 0;
  if (line[at] === "#") at = digitsEnd(line, at + 1);
  if (line[at] === ":") at++;
  return line[at] === " " ? at + 1 : 0;
}

/** Where the digits and dots from `at` on end. */
function digitsEnd(line: string, from: number): number {
  let at = from;
  for (; ; at++) {
    const code = line.charCodeAt(at);
    if (!((code >= 48 && code <= 57) || code === 46)) return at;
  }
}

/** Null where it is no JSON string after all. */
function unquoted(line: string, at: number): string | null {
  try {
    const value: unknown = JSON.parse(line.slice(at));
    return typeof value === "string" ? value : null;
  } catch {
    return null;
  }
}
