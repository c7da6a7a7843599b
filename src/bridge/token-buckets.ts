import type { Clock } from "../core/env.ts";

export interface BucketLimits {
  /** How many come back a second, above 0. */
  readonly perSecond: number;
  /** How many a key has at first, and at most. */
  readonly burst: number;
  /** Keys remembered; at the bound the one unused for longest is forgotten, and starts anew if it comes again. */
  readonly keys: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

/** Token buckets by key: each may do `burst` things at once and `perSecond` on average. */
export class TokenBuckets {
  readonly #limits: BucketLimits;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: BucketLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get keys(): number {
    return this.#buckets.size;
  }

  /** Takes one of the key's, if there is one: 0, else the whole seconds until there is. */
  take(key: string): number {
    const bucket = this.#bucket(key);
    const waitSeconds = this.#waitSeconds(bucket);
    if (waitSeconds === 0) bucket.left -= 1;
    return waitSeconds;
  }

  /** As `take`, taking nothing. */
  wait(key: string): number {
    return this.#waitSeconds(this.#bucket(key));
  }

  #waitSeconds(bucket: Bucket): number {
    return bucket.left >= 1 ? 0 : Math.max(1, Math.ceil((1 - bucket.left) / this.#limits.perSecond));
  }

  #bucket(key: string): Bucket {
    const { perSecond, burst, keys } = this.#limits;
    const atMs = this.#clock.monotonicMs();
    const known = this.#buckets.get(key);
    this.#buckets.delete(key);
    const left = known ? Math.min(burst, known.left + ((atMs - known.atMs) / 1000) * perSecond) : burst;
    const bucket = { left, atMs };
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > keys) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket;
  }
}
