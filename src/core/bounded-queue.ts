/** A queue with a bound has three answers. What to do about "full" is the caller's stated policy. */
export type Offer = "accepted" | "full" | "closed";

/**
 * First-in first-out, at most `capacity` items, constant time at both ends. It never drops by itself: `offer` says
 * "full" and counts it. `take` waits; after `close` it drains what is left, then gives undefined for ever.
 */
export class BoundedQueue<T> {
  readonly capacity: number;
  #items: (T | undefined)[] = [];
  #head = 0;
  #closed = false;
  #refused = 0;
  #waiting: ((item: T | undefined) => void)[] = [];

  constructor(capacity: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 1)
      throw new RangeError("A queue's capacity is a whole number of at least 1");
    this.capacity = capacity;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** How often `offer` answered "full". */
  get refused(): number {
    return this.#refused;
  }

  get closed(): boolean {
    return this.#closed;
  }

  offer(item: T): Offer {
    if (this.#closed) return "closed";
    const taker = this.#waiting.shift();
    if (taker) {
      taker(item);
      return "accepted";
    }
    if (this.size >= this.capacity) {
      this.#refused++;
      return "full";
    }
    this.#items.push(item);
    return "accepted";
  }

  /** The oldest item at once, or undefined where there is none. */
  poll(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** The oldest item, waiting for one; undefined once closed and drained. */
  take(): Promise<T | undefined> {
    if (this.size > 0) return Promise.resolve(this.poll());
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Idempotent. Waiting takers get undefined. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const taker of this.#waiting.splice(0)) taker(undefined);
  }
}
