import type { Trade } from "../contract.ts";

/** A file of another format is refused; what a note may hold besides is ignored. */
export const RECORDING_FORMAT = 1;

/** Symbols by name, or as those that a `connected` note gave this number. */
export type NotedSymbols = { readonly group: number } | { readonly symbols: readonly string[] };

/**
 * What a recording tells beside its messages. The first three are of a socket, the others what the live feed said of itself: a
 * replay that repeats them doubts the same minutes.
 */
export type RecordingNote =
  | {
      readonly note: "recording";
      readonly format: number;
      readonly venue: string;
      readonly symbols: readonly string[];
    }
  | { readonly note: "opened"; readonly connection: number; readonly address: string }
  | { readonly note: "sent"; readonly connection: number; readonly text: string }
  | { readonly note: "closed"; readonly connection: number; readonly reason: string }
  /** A message that is longer than a recording's line may be. */
  | { readonly note: "omitted"; readonly connection: number; readonly characters: number }
  | { readonly note: "connected"; readonly group: number; readonly symbols: readonly string[] }
  | ({ readonly note: "interrupted" | "unreadable" | "refused"; readonly reason: string } & NotedSymbols)
  | ({ readonly note: "heard" | "quiet" | "time"; readonly timeMs: number } & NotedSymbols)
  /** The recording was ended, and nothing was interrupted. */
  | { readonly note: "ended" }
  /** A trade that came by no message, but was asked for where one was missing. */
  | { readonly note: "repaired"; readonly trade: Trade };

export function noteLine(atNs: bigint, note: RecordingNote): string {
  return `# ${atNs} ${JSON.stringify(note)}`;
}

/** A line's note; null where it is none of ours, or is damaged. */
export function readNote(line: string): RecordingNote | null {
  const json = /^# \d+ (\{.*\})$/s.exec(line)?.[1];
  if (json === undefined) return null;
  try {
    const value = JSON.parse(json) as Readonly<Record<string, unknown>>;
    return isSound(value) ? (value as unknown as RecordingNote) : null;
  } catch {
    return null;
  }
}

function isSound(value: Readonly<Record<string, unknown>>): boolean {
  const { note, connection, symbols, group, reason, timeMs } = value;
  const named = isNames(symbols) || isCount(group);
  switch (note) {
    case "recording":
      return isCount(value.format) && typeof value.venue === "string" && isNames(symbols);
    case "opened":
      return isCount(connection) && typeof value.address === "string";
    case "sent":
      return isCount(connection) && typeof value.text === "string";
    case "closed":
      return isCount(connection) && typeof reason === "string";
    case "omitted":
      return isCount(connection) && isCount(value.characters);
    case "connected":
      return isCount(group) && isNames(symbols);
    case "interrupted":
    case "unreadable":
    case "refused":
      return named && typeof reason === "string";
    case "heard":
    case "quiet":
    case "time":
      return named && typeof timeMs === "number" && Number.isFinite(timeMs);
    case "repaired":
      return isTrade(value.trade);
    case "ended":
      return true;
    default:
      return false;
  }
}

function isTrade(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const trade = value as Readonly<Record<string, unknown>>;
  return (
    typeof trade.symbol === "string" &&
    isCount(trade.id) &&
    (trade.lastId === undefined || isCount(trade.lastId)) &&
    typeof trade.price === "string" &&
    typeof trade.quantity === "string" &&
    typeof trade.buyerIsMaker === "boolean" &&
    isCount(trade.timeMs)
  );
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
