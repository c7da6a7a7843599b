/** Places by key: each may hold `most` at once. A key without any is not remembered. */
export class Places {
  readonly #most: number;
  readonly #taken = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes one for the key, if there is one left; null is nobody, and always has one. */
  take(key: string | null): boolean {
    if (key === null) return true;
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= this.#most) return false;
    this.#taken.set(key, taken + 1);
    return true;
  }

  free(key: string | null): void {
    if (key === null) return;
    const left = (this.#taken.get(key) ?? 0) - 1;
    if (left > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
  }
}
