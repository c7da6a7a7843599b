/** Lets one loop sleep until something happened; what happens while it is awake is not missed. */
export class Wake {
  #isPending = false;
  #resolve: (() => void) | null = null;

  now(): void {
    if (this.#resolve) {
      this.#resolve();
      this.#resolve = null;
    } else {
      this.#isPending = true;
    }
  }

  /** Resolves at once where `now` was called since the last wait. */
  wait(): Promise<void> {
    if (this.#isPending) {
      this.#isPending = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}
