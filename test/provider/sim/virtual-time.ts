import type { Clock, Timer, Timers } from "../../../src/core/env.ts";

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves only when told, and the timers on it. Ties run in the order they were set. */
export class VirtualTime implements Clock, Timers {
  /** Timers set and not yet run or cancelled, periodic ones included. */
  pending = 0;
  #nowMs = 0;
  #order = 0;
  #heap: Entry[] = [];

  nowMs(): number {
    return 1_760_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    let live = true;
    this.pending++;
    this.#push(this.#nowMs + delayMs, () => {
      if (!live) return;
      live = false;
      this.pending--;
      run();
    });
    return {
      cancel: () => {
        if (live) this.pending--;
        live = false;
      },
    };
  }

  every(periodMs: number, run: () => void): Timer {
    let live = true;
    this.pending++;
    const again = () => {
      if (!live) return;
      this.#push(this.#nowMs + periodMs, again);
      run();
    };
    this.#push(this.#nowMs + periodMs, again);
    return {
      cancel: () => {
        if (live) this.pending--;
        live = false;
      },
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Runs every timer of the next `ms`, letting all promise callbacks finish after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await settled();
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      this.#nowMs = next.at;
      next.run();
      await settled();
    }
    this.#nowMs = end;
  }

  /**
   * The same without leaving the call: `drain` must run every promise callback that is ready. Stops early where `isOver` says so.
   */
  run(ms: number, drain: () => void, isOver: () => boolean = () => false): void {
    const end = this.#nowMs + ms;
    drain();
    for (let next = this.#heap[0]; next && next.at <= end && !isOver(); next = this.#heap[0]) {
      this.#pop();
      this.#nowMs = next.at;
      next.run();
      drain();
    }
    if (!isOver()) this.#nowMs = end;
  }

  #push(at: number, run: () => void): void {
    const heap = this.#heap;
    const entry = { at, order: this.#order++, run };
    let child = heap.push(entry) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = heap[parent];
      if (!above || !isBefore(entry, above)) break;
      heap[child] = above;
      child = parent;
    }
    heap[child] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let parent = 0;
    for (;;) {
      let child = parent * 2 + 1;
      const left = heap[child];
      if (!left) break;
      const right = heap[child + 1];
      if (right && isBefore(right, left)) child++;
      const least = heap[child];
      if (!least || !isBefore(least, last)) break;
      heap[parent] = least;
      parent = child;
    }
    heap[parent] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Resolves after every promise callback that is ready, and every one that those make ready. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
