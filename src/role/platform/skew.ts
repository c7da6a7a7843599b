import { FabricError } from "../../core/errors.ts";

/**
 * For tests and chaos: makes this process's wall clock wrong. A number of ms (`-3000`: three seconds behind), or several with
 * the process's age in ms from which each holds (`-3000,60000@5000`: a jump forward after five seconds). Monotonic time stays.
 */
export const CLOCK_SKEW = "FABRIC_CLOCK_SKEW_MS";

interface Step {
  readonly fromMs: number;
  readonly skewMs: number;
}

/** A wall clock's error over the life of a process. */
export class ClockSkew {
  readonly #steps: readonly Step[];

  /** Throws FabricError "config" naming what was expected. */
  constructor(text: string | undefined) {
    this.#steps = text === undefined || text === "" ? [] : text.split(",").map(stepOf);
  }

  /** What the wall clock is off by, ms, at this age of the process. */
  at(ageMs: number): number {
    let skewMs = 0;
    for (const step of this.#steps) if (ageMs >= step.fromMs) skewMs = step.skewMs;
    return skewMs;
  }

  /** Whether it was asked for at all. */
  get wanted(): boolean {
    return this.#steps.length > 0;
  }
}

function stepOf(text: string): Step {
  const [, skew, from] = /^([+-]?\d{1,12})(?:@(\d{1,12}))?$/.exec(text.trim()) ?? [];
  if (skew !== undefined) return { skewMs: Number(skew), fromMs: Number(from ?? "0") };
  throw new FabricError(
    "config",
    `Bad ${CLOCK_SKEW} "${text}": expected ms such as -3000, or several with the age they hold from, such as -3000,60000@5000`,
  );
}
