import type { LogEntry } from "../core/wire.ts";
import type { NumberedEntry } from "./contract.ts";

/**
 * One node's newest log entries, at most `capacity`; the oldest leave first. A node sends the newest entries of its own ring
 * again and again: what overlaps is found and left out, and what is new is numbered 1, 2, 3 … in the order heard.
 */
export class LogRing {
  readonly #capacity: number;
  #entries: NumberedEntry[] = [];
  #epoch: string | null = null;
  /** The first number of the node's present life. */
  #lifeStart = 1;
  #next = 1;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Oldest first. */
  get entries(): readonly NumberedEntry[] {
    return this.#entries;
  }

  /** Takes a message's entries and gives those not heard before. A new epoch starts a new ring at the node; ours goes on. */
  merge(epoch: string, window: readonly LogEntry[]): readonly NumberedEntry[] {
    if (epoch !== this.#epoch) this.#lifeStart = this.#next;
    this.#epoch = epoch;
    const thisLife = this.#entries.filter((entry) => entry.n >= this.#lifeStart);
    const fresh = window.slice(knownOf(thisLife, window)).map((entry) => ({ n: this.#next++, ...entry }));
    this.#entries = [...this.#entries, ...fresh].slice(-this.#capacity);
    return fresh;
  }
}

/**
 * How many of the window's first entries are known: the most for which they line up with the end of `known`. Both look at one
 * growing list, so where they line up, they agree in all that they share.
 */
function knownOf(known: readonly LogEntry[], window: readonly LogEntry[]): number {
  if (known.length === 0) return 0;
  for (let count = window.length; count > 0; count--) {
    if (linesUp(known, window, count)) return count;
  }
  return 0;
}

function linesUp(known: readonly LogEntry[], window: readonly LogEntry[], count: number): boolean {
  for (let back = 1; back <= Math.min(count, known.length); back++) {
    if (!sameEntry(known[known.length - back], window[count - back])) return false;
  }
  return true;
}

function sameEntry(a: LogEntry | undefined, b: LogEntry | undefined): boolean {
  return a?.at === b?.at && a?.level === b?.level && a?.message === b?.message;
}
