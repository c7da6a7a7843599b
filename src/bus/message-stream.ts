import type { Frame } from "../core/topic.ts";

/** Messages in hand, oldest first; `done` lets the receiving thread send the next batch. */
export interface MessageBatch {
  readonly messages: readonly Frame[];
  readonly done: () => void;
}

/**
 * The iterator form of a subscriber. It holds the batches that are out (at most two) and asks for the next only when the
 * consumer has come back for more, so the one bounded queue, with its policy and count, is the receiving thread's.
 */
export class MessageStream implements AsyncIterableIterator<Frame> {
  readonly #batches: MessageBatch[] = [];
  readonly #waiting: ((result: IteratorResult<Frame, undefined>) => void)[] = [];
  #at = 0;
  #ended = false;
  #discarded = 0;

  /** Messages that were held or came after the stream had ended. */
  get discarded(): number {
    return this.#discarded;
  }

  offer(batch: MessageBatch): void {
    if (this.#ended) {
      this.#discarded += batch.messages.length;
      batch.done();
      return;
    }
    this.#batches.push(batch);
    while (this.#waiting.length > 0) {
      const message = this.#take();
      if (!message) return;
      this.#waiting.shift()?.({ value: message, done: false });
    }
  }

  next(): Promise<IteratorResult<Frame, undefined>> {
    const message = this.#take();
    if (message) return Promise.resolve({ value: message, done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends the stream: a pending `next` gets done, what is held is discarded and counted. Idempotent. */
  return(): Promise<IteratorResult<Frame, undefined>> {
    this.#ended = true;
    for (const { messages, done } of this.#batches.splice(0)) {
      this.#discarded += messages.length - this.#at;
      this.#at = 0;
      done();
    }
    for (const resolve of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
    return Promise.resolve({ value: undefined, done: true });
  }

  /** No more will come: what is held can still be taken, then the stream is done. */
  finish(): void {
    this.#ended = true;
    for (const resolve of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): Frame | undefined {
    for (let batch = this.#batches[0]; batch; batch = this.#batches[0]) {
      const message = batch.messages[this.#at];
      if (message) {
        this.#at++;
        return message;
      }
      this.#batches.shift();
      this.#at = 0;
      batch.done();
    }
    return undefined;
  }
}
