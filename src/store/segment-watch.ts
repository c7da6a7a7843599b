import type { Segment } from "./manifest.ts";
import type { SegmentFolder } from "./segment-folder.ts";

/** Files whose size and stamp are looked at in one call: of more, the rest comes in the next ones. */
const MAX_STATS = 2000;
/** Bytes of files with a new stamp that are hashed in one call (one file at least): about 20 ms. */
const SUSPECT_BYTES = 32 * 1024 * 1024;
/** What each call adds to the allowance for hashing the rest: of calls a second apart, 1 ms of each second; 1 GB takes 9 minutes. */
const ROUND_BYTES = 2 * 1024 * 1024;
/** Files of that rest hashed in one call at most, however small. */
const ROUND_FILES = 32;

export interface Looked {
  /** What is wrong with which file. */
  readonly faults: ReadonlyMap<string, string>;
  /** Files found right by their hash. */
  readonly proven: ReadonlySet<string>;
}

/**
 * Looks for damage to what is listed at a bounded cost a call: what is missing or has another size shows at once, and so does what
 * was changed since the last call; what changed unseen (below an unchanged stamp, or while nobody looked) shows within a round of
 * hashing everything, one file after the other.
 */
export class SegmentWatch {
  readonly #folder: SegmentFolder;
  /** The stamp of each file as last seen. */
  readonly #stamps = new Map<string, number>();
  /** Files with another stamp than before, not hashed yet. */
  readonly #suspects = new Set<string>();
  #statsFrom = 0;
  /** What the round of hashing has still to come to. */
  #round: Segment[] = [];
  #allowance = 0;

  constructor(folder: SegmentFolder) {
    this.#folder = folder;
  }

  /** Looks at all of `listed` but those in `known` to be faulty. Throws FabricError "io" where it cannot look. */
  look(listed: readonly Segment[], known: ReadonlyMap<string, string>): Looked {
    const faults = new Map<string, string>();
    const proven = new Set<string>();
    const names = this.#folder.names();
    const there: Segment[] = [];
    for (const segment of listed) {
      if (known.has(segment.file)) continue;
      if (names?.has(segment.file)) there.push(segment);
      else faults.set(segment.file, "missing");
    }
    this.#lookAtSizes(there, faults);
    const judge = (segment: Segment) => {
      if (faults.has(segment.file)) return;
      const fault = this.#folder.faultOf(segment);
      if (fault === null) proven.add(segment.file);
      else faults.set(segment.file, fault);
    };
    this.#hashSuspects(there, judge);
    this.#hashOn(there, judge);
    return { faults, proven };
  }

  #lookAtSizes(there: readonly Segment[], faults: Map<string, string>): void {
    if (this.#statsFrom >= there.length) this.#statsFrom = 0;
    const window = there.slice(this.#statsFrom, this.#statsFrom + MAX_STATS);
    this.#statsFrom += window.length;
    for (const segment of window) {
      const { fault, modifiedMs } = this.#folder.lookAt(segment);
      if (fault !== null) {
        faults.set(segment.file, fault);
        continue;
      }
      const before = this.#stamps.get(segment.file);
      if (before !== undefined && before !== modifiedMs) this.#suspects.add(segment.file);
      this.#stamps.set(segment.file, modifiedMs);
    }
    if (this.#stamps.size <= there.length + MAX_STATS) return;
    const listed = new Set(there.map((segment) => segment.file));
    for (const file of this.#stamps.keys()) if (!listed.has(file)) this.#stamps.delete(file);
  }

  #hashSuspects(there: readonly Segment[], judge: (segment: Segment) => void): void {
    if (this.#suspects.size === 0) return;
    let left = SUSPECT_BYTES;
    const listed = new Map(there.map((segment) => [segment.file, segment] as const));
    for (const file of this.#suspects) {
      if (left <= 0) return;
      this.#suspects.delete(file);
      const segment = listed.get(file);
      if (!segment) continue;
      left -= segment.bytes;
      judge(segment);
    }
  }

  #hashOn(there: readonly Segment[], judge: (segment: Segment) => void): void {
    // Those that nobody has hashed since they were written come first: a start after a kill has to hash them.
    if (this.#round.length === 0)
      this.#round = there.toSorted((one, other) => Number(other.settled) - Number(one.settled));
    this.#allowance += ROUND_BYTES;
    const listed = new Set(there.map((segment) => segment.file));
    for (let files = 0; files < ROUND_FILES; ) {
      const segment = this.#round.at(-1);
      if (!segment) break;
      const isListed = listed.has(segment.file);
      if (isListed && segment.bytes > this.#allowance) return;
      this.#round.pop();
      if (!isListed) continue;
      files++;
      this.#allowance -= segment.bytes;
      judge(segment);
    }
    this.#allowance = Math.min(this.#allowance, ROUND_BYTES);
  }
}
