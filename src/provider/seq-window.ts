/**
 * Which of the store's rows were dealt with: all up to `through`, and some ahead of it. A row that comes in turn moves
 * `through` along. At `bound` rows ahead further ones are not remembered; `through` then waits for a poll.
 */
export class SeqWindow {
  readonly #bound: number;
  readonly #ahead = new Set<number>();
  #through: number;

  constructor(through: number, bound: number) {
    this.#through = through;
    this.#bound = bound;
  }

  get through(): number {
    return this.#through;
  }

  get aheadSize(): number {
    return this.#ahead.size;
  }

  /** Row `seq` was dealt with. */
  add(seq: number): void {
    if (seq <= this.#through) return;
    if (seq === this.#through + 1) this.#moveTo(seq);
    else if (this.#ahead.size < this.#bound) this.#ahead.add(seq);
  }

  /** Every row up to `seq` was dealt with. */
  advanceTo(seq: number): void {
    if (seq > this.#through) this.#moveTo(seq);
  }

  /** Forgets rows that `through` has passed: after a page, so that no single row pays for it. */
  prune(): void {
    for (const seq of this.#ahead) if (seq <= this.#through) this.#ahead.delete(seq);
  }

  #moveTo(seq: number): void {
    this.#through = seq;
    if (this.#ahead.size === 0) return;
    while (this.#ahead.delete(this.#through + 1)) this.#through++;
  }
}
