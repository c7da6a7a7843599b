/** One event as the hub keeps it: numbered, and encoded at first use. */
export interface HubEvent {
  readonly seq: number;
  readonly key: string;
  readonly type: string;
  /** The symbol or node it is about. */
  readonly subject: string;
  /** The number of the event before it under the same key; 0 for none. */
  readonly priorSeq: number;
  /** As it goes to those who were told the one before; the same bytes at each call. */
  part(): Uint8Array;
  /** As it goes to those who were not: a log's whole ring. The same as `part` where an event is whole by itself. */
  whole(): Uint8Array;
}

/**
 * The newest event of every key, in order of seq. As many keys as its owner keeps: what it publishes, less what it forgets.
 * Never throws.
 */
export class RetainedEvents {
  readonly #byKey = new Map<string, HubEvent>();
  /** By seq. Replaced ones stay until they outnumber the living. */
  #inOrder: HubEvent[] = [];

  get size(): number {
    return this.#byKey.size;
  }

  /** The seq of a key's newest event; 0 for none. */
  seqOf(key: string): number {
    return this.#byKey.get(key)?.seq ?? 0;
  }

  /** Takes an event numbered above all before it, in the place of its key's last. */
  put(event: HubEvent): void {
    this.#byKey.set(event.key, event);
    this.#inOrder.push(event);
    if (this.#inOrder.length > 2 * this.#byKey.size + SPARE) this.#inOrder = this.#inOrder.filter(this.#lives);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  clear(): void {
    this.#byKey.clear();
    this.#inOrder = [];
  }

  /** Those above `seq`, by seq. Takes time in proportion to what was published since, at most twice the number of keys. */
  after(seq: number): readonly HubEvent[] {
    let first = this.#inOrder.length;
    while (first > 0 && (this.#inOrder[first - 1]?.seq ?? 0) > seq) first--;
    return this.#inOrder.slice(first).filter(this.#lives);
  }

  readonly #lives = (event: HubEvent): boolean => this.#byKey.get(event.key) === event;
}

const SPARE = 64;
