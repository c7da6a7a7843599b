import type { Timer, Timers } from "../core/env.ts";

/** Between two turns, so that everything else gets its own. */
const TURN_GAP_MS = 1;

/**
 * Shares the event loop among clients that catch up. After a restart thousands ask for the whole snapshot at once; handed over as
 * fast as sockets take it, that would be gigabytes within one turn of the loop. So it is at most about `bytesPerTurn` a turn, first come
 * first served; who waits, waits in the order of asking, once.
 */
export class CatchUpTurns {
  readonly #timers: Timers;
  readonly #bytesPerTurn: number;
  readonly #waiting = new Set<Supply>();
  #bytes = 0;
  #timer: Timer | null = null;

  constructor(timers: Timers, bytesPerTurn: number) {
    this.#timers = timers;
    this.#bytesPerTurn = bytesPerTurn;
  }

  /** Runs a client's `supply` now where this turn has bytes left, else in one to come. */
  ask(supply: Supply): void {
    if (this.#bytes < this.#bytesPerTurn && this.#waiting.size === 0) this.#bytes += supply();
    else this.#waiting.add(supply);
    this.#goOn();
  }

  /** The client has gone. */
  drop(supply: Supply): void {
    this.#waiting.delete(supply);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#waiting.clear();
    this.#bytes = 0;
  }

  #goOn(): void {
    if (this.#bytes > 0 || this.#waiting.size > 0) this.#timer ??= this.#timers.after(TURN_GAP_MS, () => this.#turn());
  }

  #turn(): void {
    this.#timer = null;
    this.#bytes = 0;
    for (const supply of this.#waiting) {
      if (this.#bytes >= this.#bytesPerTurn) break;
      this.#waiting.delete(supply);
      this.#bytes += supply();
    }
    this.#goOn();
  }
}

/** Hands a client what it lacks and has room for; returns how many bytes that was. */
type Supply = () => number;
