import type { Clock, Random, Timer, Timers } from "../../core/env.ts";

export const systemClock: Clock = {
  nowMs: () => Date.now(),
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
