const SECONDS = 60;

/** How many of something happened within the last minute, to the second, in a fixed 60 numbers. */
export class RecentCount {
  readonly #counts = new Array<number>(SECONDS).fill(0);
  #second = Number.NEGATIVE_INFINITY;

  /** `nowMs` is monotonic. */
  add(nowMs: number): void {
    this.#moveTo(nowMs);
    const at = this.#second % SECONDS;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  total(nowMs: number): number {
    this.#moveTo(nowMs);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  #moveTo(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    for (let next = Math.max(this.#second + 1, second - SECONDS + 1); next <= second; next++) {
      this.#counts[next % SECONDS] = 0;
    }
    this.#second = Math.max(this.#second, second);
  }
}
