import type { Clock, Log, LogFields, Random, Timer, Timers } from "../../src/core/env.ts";
import type { Seeded } from "../provider/sim/seeded.ts";
import { Killed, type World } from "./world.ts";

/**
 * One life of a node, from start to death: its clocks and timers, and the border that every act of its code crosses. Dead, it
 * never acts again: its timers do not fire, what it awaits never comes, and every call it makes throws or hangs.
 */
export class Life {
  readonly node: string;
  readonly number: number;
  readonly world: World;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly warnings: string[] = [];
  readonly chance: Seeded;
  readonly #funeral: (() => void)[] = [];
  /** What the kernel has begun for it: at death some of it has happened, some never will. */
  readonly #underWay = new Set<() => void>();
  /** How its monotonic clock goes wrong: 0.001 gains a millisecond a second. */
  readonly #drift: number;
  #alive = true;
  #stalledUntilMs = 0;
  /** Steps left until it is struck dead; infinite where it is not to be. */
  #stepsLeft: number;
  steps = 0;

  constructor(world: World, node: string, number: number, drift: number, strikeAfterSteps: number) {
    this.world = world;
    this.node = node;
    this.number = number;
    this.chance = world.chance(`life ${node} ${number}`);
    this.#drift = drift;
    this.#stepsLeft = strikeAfterSteps;
    const startMs = world.nowMs;
    this.clock = {
      nowMs: () => Math.floor(world.wallMs),
      monotonicMs: () => 1000 + (world.nowMs - startMs) * (1 + drift),
    };
    this.timers = {
      after: (delayMs, run) => this.#after(delayMs, run),
      every: (periodMs, run) => this.#every(periodMs, run),
    };
    this.random = { next: () => this.chance.next(), uuid: () => uuidFrom(this.chance) };
    this.log = this.#makeLog();
  }

  get alive(): boolean {
    return this.#alive;
  }

  get name(): string {
    return `${this.node}#${this.number}`;
  }

  note(what: string): void {
    this.world.note(this.name, what);
  }

  /** What the kernel does when the process is gone. */
  atDeath(run: () => void): void {
    if (this.#alive) this.#funeral.push(run);
    else run();
  }

  kill(why: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.note(`dies: ${why}`);
    for (const act of this.#underWay) if (this.chance.chance(0.5)) attempt(act);
    this.#underWay.clear();
    for (const run of this.#funeral.splice(0)) run();
  }

  /** SIGSTOP for so long: whatever happens to it waits. */
  stall(ms: number): void {
    this.note(`stalls for ${Math.round(ms)} ms`);
    this.#stalledUntilMs = this.world.nowMs + ms;
  }

  /** Puts the end of this life so many steps away. */
  strikeAfter(steps: number): void {
    this.#stepsLeft = steps;
  }

  /** A point between two acts: the life may end here. Throws Killed where it is over. */
  step(what: string): void {
    if (!this.#alive) throw new Killed();
    this.steps++;
    if (--this.#stepsLeft > 0 || !this.world.isHurting) return;
    this.kill(`at ${what}`);
    throw new Killed();
  }

  /** A call into the node from outside: nothing where it is dead, later where it stands still. */
  enter(run: () => void): void {
    if (!this.#alive) return;
    const waitMs = this.#stalledUntilMs - this.world.nowMs;
    if (waitMs > 0) {
      this.world.time.after(waitMs, () => this.enter(run));
      return;
    }
    try {
      run();
    } catch (error) {
      if (!(error instanceof Killed)) this.stray(error);
    }
  }

  /** An error that nobody caught ends a node. */
  stray(error: unknown): void {
    if (error instanceof Killed || !this.#alive) return;
    this.world.violate(
      10,
      `${this.name}: an error that nobody caught: ${error instanceof Error ? error.stack : error}`,
    );
    this.kill("a stray error");
  }

  /**
   * An asynchronous act: `act` takes effect after `delayMs`, and the node learns of it afterwards. `outlives`: it is under way
   * and takes effect though the node dies meanwhile (else chance decides). A throw of `act` rejects.
   */
  call<T>(what: string, delayMs: number, act: () => T, outlives = false): Promise<T> {
    if (!this.#alive) return never();
    try {
      this.step(what);
    } catch {
      return never();
    }
    return new Promise((resolve, reject) => {
      if (!outlives) this.#underWay.add(act);
      this.world.time.after(Math.max(0, delayMs), () => {
        if (!outlives && !this.#underWay.delete(act)) return;
        let settle: () => void;
        try {
          const value = act();
          settle = () => resolve(value);
        } catch (error) {
          settle = () => reject(error);
        }
        this.enter(() => {
          this.step(`${what}, done`);
          settle();
        });
      });
    });
  }

  #after(delayMs: number, run: () => void): Timer {
    if (!this.#alive) return { cancel: () => {} };
    // Like the system's timers: whole milliseconds, so that none fires before its time.
    const wholeMs = Math.ceil(Math.max(0, delayMs) / (1 + this.#drift));
    return this.world.time.after(wholeMs, () =>
      this.enter(() => {
        this.step("a timer");
        run();
      }),
    );
  }

  #every(periodMs: number, run: () => void): Timer {
    let timer: Timer;
    let live = true;
    const again = () => {
      if (!live || !this.#alive) return;
      timer = this.#after(periodMs, again);
      run();
    };
    timer = this.#after(periodMs, again);
    return {
      cancel: () => {
        live = false;
        timer.cancel();
      },
    };
  }

  #makeLog(): Log {
    const say = (level: string) => (message: string, fields?: LogFields) => {
      if (!this.#alive) return;
      this.note(`${level}: ${message}${fields ? ` ${JSON.stringify(fields)}` : ""}`);
    };
    return { debug: () => {}, info: say("info"), warn: say("warn"), error: say("error") };
  }
}

/** Each caller's own: whatever waits on one that all share is held for as long as the process runs, with its whole world. */
function never(): Promise<never> {
  return new Promise<never>(() => {});
}

function uuidFrom(chance: Seeded): string {
  const hex = (digits: number) =>
    Math.floor(chance.next() * 16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(8)}${hex(4)}`;
}

/** Nobody learns whether it worked. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // Its node is dead.
  }
}
