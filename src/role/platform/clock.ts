import type { Clock, Random, Timer, Timers } from "../../core/env.ts";
import { CLOCK_SKEW, ClockSkew } from "./skew.ts";

let skew: ClockSkew | null = null;

/** How wrong the wall clock was made for a test, ms; null where it was not. Throws "config" for a setting that cannot be read. */
export function wallSkewMs(): number | null {
  skew ??= new ClockSkew(process.env[CLOCK_SKEW]);
  return skew.wanted ? skew.at(performance.now()) : null;
}

export const systemClock: Clock = {
  nowMs: () => Date.now() + (wallSkewMs() ?? 0),
  monotonicMs: () => performance.now(),
};

export const systemTimers: Timers = {
  after(delayMs, run): Timer {
    const id = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(id) };
  },
  every(periodMs, run): Timer {
    const id = setInterval(run, periodMs);
    return { cancel: () => clearInterval(id) };
  },
};

export const systemRandom: Random = {
  next: () => Math.random(),
  uuid: () => crypto.randomUUID(),
};
