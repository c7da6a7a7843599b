import { FabricError } from "./errors.ts";
import { MINUTE_MS } from "./time.ts";

/** Candle lengths that are rolled up from 1m. UTC; weeks start on Monday. */
export type Timeframe = "1m" | "3m" | "5m" | "15m" | "30m" | "1h" | "2h" | "4h" | "6h" | "8h" | "12h" | "1d" | "1w";

const LENGTHS: Readonly<Record<Timeframe, number>> = {
  "1m": 1,
  "3m": 3,
  "5m": 5,
  "15m": 15,
  "30m": 30,
  "1h": 60,
  "2h": 120,
  "4h": 240,
  "6h": 360,
  "8h": 480,
  "12h": 720,
  "1d": 1440,
  "1w": 10_080,
};

/** The Unix epoch was a Thursday; the first Monday came four days later. */
const FIRST_MONDAY_MS = 4 * 1440 * MINUTE_MS;

export const TIMEFRAMES = Object.keys(LENGTHS) as readonly Timeframe[];

export function timeframeMs(timeframe: Timeframe): number {
  return LENGTHS[timeframe] * MINUTE_MS;
}

/** The start of the timeframe's bucket that holds `timeMs`. */
export function bucketOf(timeMs: number, timeframe: Timeframe): number {
  const length = timeframeMs(timeframe);
  const origin = timeframe === "1w" ? FIRST_MONDAY_MS : 0;
  return Math.floor((timeMs - origin) / length) * length + origin;
}

/** Throws FabricError "usage" that lists what there is. */
export function parseTimeframe(text: string): Timeframe {
  const found = TIMEFRAMES.find((timeframe) => timeframe === text);
  if (!found) throw new FabricError("usage", `Unknown timeframe "${text}": expected one of ${TIMEFRAMES.join(", ")}`);
  return found;
}
