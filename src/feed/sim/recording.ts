import { constants, gunzipSync } from "node:zlib";
import { FabricError, messageOf } from "../../core/errors.ts";
import { isNote, recordedText } from "../replay/recorded-line.ts";
import { parseScaled, WIRE_DECIMALS } from "./decimal.ts";
import type { ExactTrade } from "./exact-candle.ts";

/** A trade or aggregate trade as a recording holds it. Price and quantity count 10^-8. */
export interface RecordedTrade extends ExactTrade {
  readonly symbol: string;
  readonly kind: "trade" | "aggTrade";
  /** Consecutive per symbol and kind. */
  readonly id: number;
  readonly timeMs: number;
}

export interface RecordedFrame {
  readonly stream: string;
  /** Exchange time at which it is due; never falls from one frame to the next. */
  readonly dueMs: number;
  /** The event, and the frame around it, as recorded. */
  readonly data: string;
  readonly combined: string;
  readonly trade: RecordedTrade;
}

export interface Recording {
  /** At least one. */
  readonly frames: readonly RecordedFrame[];
  /** Lines that no reader could make sense of. */
  readonly badLines: number;
  /** Lines of other streams, answers to requests, and notes of the recorder. */
  readonly otherLines: number;
}

/** Largest recording after unpacking. */
export const MAX_RECORDING_BYTES = 512 * 1024 * 1024;

const NEWLINE = 0x0a;

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads `<receive_ns> <json>` and `<epoch_s>: <json>` lines (fabric record's, too), gzipped or not, and keeps Binance's spot and USD-M trades and
 * aggregate trades. A file that was cut off is read as far as it goes. Throws FabricError "bad-data" where it holds no trade
 * at all, cannot be unpacked, or is larger than MAX_RECORDING_BYTES; `path` is for the message only.
 */
export function readRecording(path: string, bytes: Uint8Array): Recording {
  const text = unpack(path, bytes);
  const decoder = new TextDecoder();
  const frames: RecordedFrame[] = [];
  let badLines = 0;
  let otherLines = 0;
  for (let from = 0; from < text.length; ) {
    const newline = text.indexOf(NEWLINE, from);
    const to = newline < 0 ? text.length : newline;
    const line = decoder.decode(text.subarray(from, to));
    from = to + 1;
    const read = readLine(line, frames.at(-1)?.dueMs ?? 0);
    if (read === "bad") badLines++;
    else if (read === "other") otherLines++;
    else frames.push(read);
  }
  if (frames.length > 0) return { frames, badLines, otherLines };
  throw new FabricError(
    "bad-data",
    `Cannot play ${path}: expected lines with Binance trades, found none (${badLines} bad lines, ${otherLines} of other streams)`,
  );
}

function unpack(path: string, bytes: Uint8Array): Uint8Array {
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  let unpacked = bytes;
  try {
    // With a sync flush, a file that was cut off gives what it holds instead of an error.
    if (gzipped) {
      const options = { maxOutputLength: MAX_RECORDING_BYTES, finishFlush: constants.Z_SYNC_FLUSH };
      unpacked = gunzipSync(bytes, options);
    }
  } catch (error) {
    throw new FabricError("bad-data", `Cannot unpack ${path}: ${messageOf(error)}`, { cause: error });
  }
  if (unpacked.length <= MAX_RECORDING_BYTES) return unpacked;
  throw new FabricError(
    "bad-data",
    `Cannot play ${path}: at most ${MAX_RECORDING_BYTES} bytes, found ${unpacked.length}`,
  );
}

function readLine(line: string, previousDueMs: number): RecordedFrame | "bad" | "other" {
  if (line === "" || isNote(line)) return "other";
  const json = recordedText(line)?.trimEnd();
  if (json?.startsWith("{") !== true) return "bad";
  let value: Json;
  try {
    value = JSON.parse(json) as Json;
  } catch {
    return "bad";
  }
  const wrapped = typeof value.stream === "string" && typeof value.data === "object" && value.data !== null;
  const event = wrapped ? (value.data as Json) : value;
  if (event.e !== "trade" && event.e !== "aggTrade") return "other";
  const trade = readTrade(event, event.e);
  if (!trade) return "bad";
  const stream = wrapped ? String(value.stream) : `${trade.symbol.toLowerCase()}@${trade.kind}`;
  const data = wrapped ? eventText(json, event) : json;
  const eventTime = Number.isSafeInteger(event.E) ? Number(event.E) : trade.timeMs;
  return {
    stream,
    dueMs: Math.max(previousDueMs, eventTime),
    data,
    combined: wrapped ? json : `{"stream":"${stream}","data":${json}}`,
    trade,
  };
}

/** The event's text inside a combined frame, as recorded wherever the frame has the usual shape. */
function eventText(json: string, event: Json): string {
  const head = /^\{"stream":"[^"]*","data":/.exec(json)?.[0];
  return head === undefined ? JSON.stringify(event) : json.slice(head.length, -1);
}

/** Null unless the event has what a trade needs. A USD-M trade outside the market (insurance fund) counts as none. */
function readTrade(event: Json, kind: "trade" | "aggTrade"): RecordedTrade | null {
  const id = kind === "trade" ? event.t : event.a;
  const firstId = kind === "trade" ? event.t : event.f;
  const lastId = kind === "trade" ? event.t : event.l;
  const price = parseScaled(event.p, WIRE_DECIMALS);
  const quantity = parseScaled(event.q, WIRE_DECIMALS);
  if (price === null || quantity === null || typeof event.s !== "string" || typeof event.m !== "boolean") return null;
  if (![id, firstId, lastId, event.T].every(Number.isSafeInteger)) return null;
  const inMarket = (event.X === undefined || event.X === "MARKET") && price > 0n && quantity > 0n;
  return {
    symbol: event.s,
    kind,
    id: Number(id),
    firstId: Number(firstId),
    lastId: Number(lastId),
    count: inMarket ? Number(lastId) - Number(firstId) + 1 : 0,
    price,
    quantity,
    timeMs: Number(event.T),
    buyerIsMaker: event.m,
  };
}
