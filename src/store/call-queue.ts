import { FabricError } from "../core/errors.ts";

/** Runs asynchronous calls one at a time, in the order they were made. A call that fails does not stop the next. */
export class CallQueue {
  readonly #bound: number;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** At most `bound` calls run or wait; one more is rejected. */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Rejects with what `call` rejects with, or with FabricError "try-again" at the bound. */
  run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#bound) {
      return Promise.reject(
        new FabricError("try-again", `The market store is busy: ${this.#waiting} calls wait for it already`),
      );
    }
    this.#waiting++;
    const result = this.#tail.then(call).finally(() => {
      this.#waiting--;
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves when the calls made so far have ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
