interface Run {
  first: number;
  last: number;
}

/** Most separate runs remembered for one symbol. */
export const MAX_RUNS = 256;

/**
 * Which trade ids of one symbol were seen, as runs of consecutive ids: tells duplicates and holes whatever the order of
 * arrival. At MAX_RUNS the two oldest runs are forgotten down to the newer one: its ids then count as never seen before.
 */
export class IdRuns {
  readonly #runs: Run[] = [];
  #forgotten = 0;

  /** How often the bound was reached. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The highest id seen, null before any. */
  get highest(): number | null {
    return this.#runs.at(-1)?.last ?? null;
  }

  /** Notes first to last (inclusive); false, and nothing noted, where any of them was seen before. */
  add(first: number, last: number): boolean {
    const runs = this.#runs;
    const newest = runs[runs.length - 1];
    if (newest !== undefined && first === newest.last + 1) {
      newest.last = last;
      return true;
    }
    let at = runs.length;
    for (; at > 0; at--) {
      const before = runs[at - 1];
      if (before === undefined || before.last < first) break;
      if (before.first <= last) return false;
    }
    const left = runs[at - 1];
    const right = runs[at];
    const joinsLeft = left !== undefined && left.last + 1 === first;
    const joinsRight = right !== undefined && last + 1 === right.first;
    if (joinsLeft && joinsRight) {
      left.last = right.last;
      runs.splice(at, 1);
    } else if (joinsLeft) left.last = last;
    else if (joinsRight) right.first = first;
    else runs.splice(at, 0, { first, last });
    if (runs.length > MAX_RUNS) {
      runs.shift();
      this.#forgotten++;
    }
    return true;
  }

  /** Whether every id from first to last (inclusive) was seen. */
  covers(first: number, last: number): boolean {
    return this.#runs.some((run) => run.first <= first && last <= run.last);
  }

  /** Whether any of these ids was seen. */
  touches(first: number, last: number): boolean {
    return this.#runs.some((run) => run.first <= last && first <= run.last);
  }

  /** Forgets every run that ends before `id`. */
  forgetBefore(id: number): void {
    let count = 0;
    while ((this.#runs[count]?.last ?? id) < id) count++;
    if (count > 0) this.#runs.splice(0, count);
  }
}
