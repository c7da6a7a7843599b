import type { ZmqStatus } from "../zmq/contract.ts";

/** Statuses that wait for the consumer of a stream; beyond it the oldest go, counted. */
export const MAX_HELD_STATUSES = 256;

/** A subscriber's statuses as an async iterable over a bounded ring. */
export class StatusStream implements AsyncIterableIterator<ZmqStatus> {
  readonly #held: ZmqStatus[] = [];
  readonly #waiting: ((result: IteratorResult<ZmqStatus, undefined>) => void)[] = [];
  #ended = false;
  #lost = 0;

  get lost(): number {
    return this.#lost;
  }

  push(status: ZmqStatus): void {
    if (this.#ended) return;
    const waiting = this.#waiting.shift();
    if (waiting) {
      waiting({ value: status, done: false });
      return;
    }
    if (this.#held.length >= MAX_HELD_STATUSES) {
      this.#held.shift();
      this.#lost++;
    }
    this.#held.push(status);
  }

  next(): Promise<IteratorResult<ZmqStatus, undefined>> {
    const status = this.#held.shift();
    if (status) return Promise.resolve({ value: status, done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends the stream at once, freeing a pending `next`. Idempotent. */
  return(): Promise<IteratorResult<ZmqStatus, undefined>> {
    this.#held.length = 0;
    this.finish();
    return Promise.resolve({ value: undefined, done: true });
  }

  /** No more will come: what is held can still be taken. */
  finish(): void {
    this.#ended = true;
    for (const resolve of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
