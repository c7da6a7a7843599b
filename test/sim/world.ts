import { drainMicrotasks } from "bun:jsc";
import { Seeded } from "../provider/sim/seeded.ts";
import { VirtualTime } from "../provider/sim/virtual-time.ts";
import type { Scenario } from "./scenario.ts";
import { Trace } from "./trace.ts";

/** The ten invariants of design.md; 0 is a fault of the simulator's own or of a run as a whole. */
export type InvariantId = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

export interface Violation {
  readonly invariant: InvariantId;
  readonly what: string;
  readonly atMs: number;
}

/** Told once a run has gone wrong this often. */
const MAX_VIOLATIONS = 20;

/** Thrown out of a call that a dead node makes or dies in: nothing the node does after it has any effect. */
export class Killed extends Error {
  constructor() {
    super("killed");
    this.name = "Killed";
  }
}

/** One run: the time, chance by purpose, the trace, and what was found to be wrong. */
export class World {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly time = new VirtualTime();
  readonly trace: Trace;
  readonly violations: Violation[] = [];
  /** What the machine's wall clock is off by; it jumps where somebody sets it. */
  wallOffsetMs = 0;
  /** False from the moment on when nothing is hurt any more. */
  isHurting = true;

  constructor(seed: number, scenario: Scenario, keepTrace: number) {
    this.seed = seed;
    this.scenario = scenario;
    this.trace = new Trace(keepTrace);
  }

  get nowMs(): number {
    return this.time.monotonicMs();
  }

  /** Wall time of the machine that all nodes share, epoch ms. */
  get wallMs(): number {
    return this.time.nowMs() + this.wallOffsetMs;
  }

  /** Chance of its own for each purpose, so that switching one fault off leaves the others as they were. */
  chance(purpose: string): Seeded {
    let mixed = this.seed | 0;
    for (let at = 0; at < purpose.length; at++)
      mixed = Math.imul(mixed ^ purpose.charCodeAt(at), 0x5bd1e995) ^ (mixed >>> 13);
    return new Seeded(mixed ^ Math.floor(this.seed / 2 ** 32));
  }

  note(who: string, what: string): void {
    this.trace.note(this.nowMs, who, what);
  }

  violate(invariant: InvariantId, what: string): void {
    this.note("VIOLATION", `invariant ${invariant}: ${what}`);
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push({ invariant, what, atMs: this.nowMs });
  }

  /** A violation where the condition does not hold. */
  check(invariant: InvariantId, holds: boolean, what: () => string): void {
    if (!holds) this.violate(invariant, what());
  }

  /** Runs the world for so long; ends early once something is wrong. */
  run(ms: number): void {
    this.time.run(ms, drainMicrotasks, () => this.violations.length > 0);
  }
}
