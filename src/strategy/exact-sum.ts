/** Eight decimals hold what venues quote; the sums of a bar then stay whole numbers of this unit. */
const UNITS = 1e8;

export interface ExactSumState {
  readonly units: number | null;
  readonly sum: number;
  readonly lost: number;
}

/**
 * Adds doubles that stand for decimals and rounds once. Where every term is a whole number of 1e-8 and the total stays
 * below 2^53 of them, the result is the double nearest to the exact decimal sum; else it is Neumaier's compensated sum
 * (A. Neumaier, 1974), right to the last place or the one before it.
 */
export class ExactSum {
  #units: number | null;
  #sum: number;
  #lost: number;

  constructor(state: ExactSumState = { units: 0, sum: 0, lost: 0 }) {
    this.#units = state.units;
    this.#sum = state.sum;
    this.#lost = state.lost;
  }

  add(term: number): void {
    this.#units = this.#units === null ? null : wholeUnits(this.#units, term);
    const next = this.#sum + term;
    this.#lost += Math.abs(this.#sum) >= Math.abs(term) ? this.#sum - next + term : term - next + this.#sum;
    this.#sum = next;
  }

  value(): number {
    return this.#units === null ? this.#sum + this.#lost : this.#units / UNITS;
  }

  save(): ExactSumState {
    return { units: this.#units, sum: this.#sum, lost: this.#lost };
  }
}

function wholeUnits(units: number, term: number): number | null {
  const added = Math.round(term * UNITS);
  const total = units + added;
  return added / UNITS === term && Number.isSafeInteger(added) && Number.isSafeInteger(total) ? total : null;
}
