import { FabricError } from "./errors.ts";

export const MINUTE_MS = 60_000;

/** The start of the minute that holds `timeMs`: floor, right-open. */
export function minuteOf(timeMs: number): number {
  return Math.floor(timeMs / MINUTE_MS) * MINUTE_MS;
}

/** No time of a market is later (2096): what claims to be is a fault, and would not pass through a Date for long. */
const LATEST_MS = 4_000_000_000_000;

/** Whether `value` is a time as markets have them: epoch ms from 1970 to 2096. */
export function isMarketTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= LATEST_MS;
}

/** The same, and the start of a minute. */
export function isMinuteStart(value: unknown): value is number {
  return isMarketTime(value) && value % MINUTE_MS === 0;
}

/** RFC 3339 in UTC with Z and milliseconds where they are not zero: for people and for SQL results. */
export function toRfc3339(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(".000Z", "Z");
}

/** Parses an RFC 3339 time (or a bare date or minute in UTC) or epoch ms; throws FabricError "usage" naming `what`. */
export function parseTime(text: string, what: string): number {
  if (/^\d{12,14}$/.test(text)) return Number(text);
  const iso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  const timeMs = iso ? Date.parse(`${iso[1]}T${iso[2] ?? "00:00"}${iso[3] ?? ":00"}${iso[4] ?? "Z"}`) : Number.NaN;
  if (Number.isNaN(timeMs) || !isCalendarDate(iso?.[1] ?? "")) {
    throw new FabricError("usage", `Cannot read ${what}: expected a time such as 2025-01-01T00:00Z, found "${text}"`);
  }
  return timeMs;
}

/** A parser may take 31 February for 3 March; such a date is a slip of the user's. */
function isCalendarDate(date: string): boolean {
  const timeMs = Date.parse(`${date}T00:00Z`);
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString().startsWith(date);
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: MINUTE_MS, h: 3_600_000, d: 86_400_000 };

/** Parses 500ms, 30s, 5m, 1h, 2d into ms (above 0); throws FabricError "usage" naming `what`. */
export function parseDuration(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const ms = match ? Number(match[1]) * (DURATION_UNITS[match[2] ?? ""] ?? Number.NaN) : Number.NaN;
  if (!(ms > 0))
    throw new FabricError("usage", `Cannot read ${what}: expected a duration such as 30s, 5m or 1h, found "${text}"`);
  return ms;
}
