import type { Clock, Timer, Timers } from "../../../src/core/env.ts";

interface Due {
  atMs: number;
  readonly everyMs: number | null;
  readonly run: () => void;
}

/** A clock and timers that stand still until they are moved, and then run what falls due, in order. */
export class VirtualTime {
  nowMs: number;
  readonly #due = new Set<Due>();

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  readonly clock: Clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs };

  readonly timers: Timers = {
    after: (delayMs, run) => this.#add({ atMs: this.nowMs + delayMs, everyMs: null, run }),
    every: (periodMs, run) => this.#add({ atMs: this.nowMs + periodMs, everyMs: periodMs, run }),
  };

  /** Timers that are waiting. */
  get waiting(): number {
    return this.#due.size;
  }

  async to(atMs: number): Promise<void> {
    await flushed();
    for (let next = this.#next(atMs); next; next = this.#next(atMs)) {
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (next.everyMs === null) this.#due.delete(next);
      else next.atMs += next.everyMs;
      next.run();
      await flushed();
    }
    this.nowMs = Math.max(this.nowMs, atMs);
  }

  by(ms: number): Promise<void> {
    return this.to(this.nowMs + ms);
  }

  /** Moves on, at most an hour, until the promise settles. */
  async until<T>(promise: Promise<T>): Promise<T> {
    const endMs = this.nowMs + 3_600_000;
    let settled = false;
    const done = () => {
      settled = true;
    };
    promise.then(done, done);
    for (await flushed(); !settled && this.nowMs < endMs; ) await this.by(250);
    return promise;
  }

  #add(due: Due): Timer {
    this.#due.add(due);
    return { cancel: () => void this.#due.delete(due) };
  }

  #next(atMs: number): Due | null {
    let first: Due | null = null;
    for (const due of this.#due) if (due.atMs <= atMs && (first === null || due.atMs < first.atMs)) first = due;
    return first;
  }
}

/** Lets everything run that waits for nothing but promises. */
export async function flushed(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}
