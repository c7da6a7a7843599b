import type { Clock } from "../core/env.ts";

export interface LatestEntry<T> {
  readonly topic: string;
  readonly node: string;
  readonly value: T;
  /** Wall ms when it was put here, for people. */
  readonly receivedAt: number;
  /** The same instant on the monotonic clock, for ages. */
  readonly receivedMonotonicMs: number;
}

/**
 * The newest value per topic and node: many nodes publish under one topic. At most `maxEntries`; beyond it the entry that
 * was renewed longest ago goes, counted.
 */
export class LatestStore<T> {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  /** By topic, a space (which no topic holds) and node; longest ago renewed first. */
  readonly #entries = new Map<string, LatestEntry<T>>();
  #evicted = 0;

  /** `maxEntries`: 1 or more. */
  constructor(maxEntries: number, clock: Clock) {
    this.#maxEntries = maxEntries;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  get evicted(): number {
    return this.#evicted;
  }

  /** Stores and answers the entry. */
  put(topic: string, node: string, value: T): LatestEntry<T> {
    const key = `${topic} ${node}`;
    const receivedAt = this.#clock.nowMs();
    const entry = { topic, node, value, receivedAt, receivedMonotonicMs: this.#clock.monotonicMs() };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#maxEntries) this.#evictOldest();
    return entry;
  }

  get(topic: string, node: string): LatestEntry<T> | undefined {
    return this.#entries.get(`${topic} ${node}`);
  }

  /** How long ago an entry came, ms. */
  ageMs(entry: LatestEntry<T>): number {
    return this.#clock.monotonicMs() - entry.receivedMonotonicMs;
  }

  /** All entries, longest ago renewed first. */
  entries(): readonly LatestEntry<T>[] {
    return [...this.#entries.values()];
  }

  #evictOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      this.#evicted++;
      return;
    }
  }
}
