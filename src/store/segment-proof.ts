import type { Clock, Files, Timers } from "../core/env.ts";
import { FabricError } from "../core/errors.ts";
import type { Segment } from "./manifest.ts";

export interface SegmentProofDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly timers: Timers;
}

/**
 * A file system's time stamps step by up to 10 ms: a file younger than this may change again without a new stamp. Where our wall
 * clock is behind the disk's, age is how long the stamp has been seen.
 */
const YOUNG_MS = 100;
/** Bytes hashed (about 5 ms) before the event loop gets a turn. */
const BYTES_PER_TURN = 8 * 1024 * 1024;
/** Files remembered beyond those of the read at hand. At the bound the oldest are forgotten, and hashed again when they come up. */
const MAX_KNOWN = 4096;

/** How a file stood when its content was found right. */
interface Known {
  readonly modifiedMs: number;
  /** When it was first found so, monotonic. */
  readonly sinceMs: number;
  /** It was old enough then for a later change to show in its stamp. */
  readonly lasting: boolean;
}

/**
 * Whether published files are what the manifest says. Flipped bits in a Parquet file may decode to other values without any
 * error, so size and SHA-256 are checked before a reader's first use of a file (7 ms for the largest, 13 MB, read from the page
 * cache), and size and time stamp around each use. What happens to the medium below an unchanged stamp after that is not seen here:
 * the writer hashes everything again, slowly.
 */
export class SegmentProof {
  readonly #folder: string;
  readonly #deps: SegmentProofDeps;
  readonly #known = new Map<string, Known>();

  constructor(folder: string, deps: SegmentProofDeps) {
    this.#folder = folder;
    this.#deps = deps;
  }

  /**
   * Proves the files of a read, and gives what is to be called once they have been read: it throws where one changed meanwhile.
   * Either fails with FabricError "missing-input" where a file is gone, "unavailable" where it is not what was published.
   */
  async prove(segments: readonly Segment[]): Promise<() => Promise<void>> {
    const proven = await this.#inTurns(segments, (segment) => {
      const { modifiedMs } = this.#stat(segment);
      const known = this.#known.get(segment.file);
      if (known?.lasting && known.modifiedMs === modifiedMs) return { known, hashed: false };
      return { known: this.#hash(segment, modifiedMs), hashed: true };
    });
    this.#forgetOldest(segments.length);
    return async () => {
      await this.#inTurns(segments, (segment, index) => {
        const { modifiedMs } = this.#stat(segment);
        const before = proven[index];
        if (before?.modifiedMs !== modifiedMs)
          throw damaged(this.#folder, segment, "no longer what it was when the read began");
        return before.lasting
          ? { known: before, hashed: false }
          : { known: this.#hash(segment, modifiedMs), hashed: true };
      });
    };
  }

  /** Looks at each file, with a turn of the event loop after so many bytes hashed. */
  async #inTurns(
    segments: readonly Segment[],
    look: (segment: Segment, index: number) => { readonly known: Known; readonly hashed: boolean },
  ): Promise<readonly Known[]> {
    const found: Known[] = [];
    let bytes = 0;
    for (const [index, segment] of segments.entries()) {
      const { known, hashed } = look(segment, index);
      found.push(known);
      if (hashed) bytes += segment.bytes;
      if (bytes < BYTES_PER_TURN) continue;
      bytes = 0;
      await new Promise<void>((resolve) => this.#deps.timers.after(0, resolve));
    }
    return found;
  }

  #forgetOldest(atHand: number): void {
    for (const file of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN + atHand) return;
      this.#known.delete(file);
    }
  }

  #stat(segment: Segment): { readonly modifiedMs: number } {
    const stat = this.#deps.files.stat(`${this.#folder}/${segment.file}`);
    if (stat === null) throw missing(this.#folder, segment);
    if (stat.isDirectory) throw damaged(this.#folder, segment, "a folder");
    if (stat.sizeBytes !== segment.bytes)
      throw damaged(this.#folder, segment, `${stat.sizeBytes} bytes long instead of ${segment.bytes}`);
    return stat;
  }

  #hash(segment: Segment, modifiedMs: number): Known {
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const before = this.#known.get(segment.file);
    const sinceMs = before?.modifiedMs === modifiedMs ? before.sinceMs : nowMs;
    const lasting = clock.nowMs() - modifiedMs > YOUNG_MS || nowMs - sinceMs > YOUNG_MS;
    if (this.#deps.files.sha256(`${this.#folder}/${segment.file}`) !== segment.sha256) {
      this.#known.delete(segment.file);
      throw damaged(this.#folder, segment, "not what was written (its checksum differs)");
    }
    const known = { modifiedMs, sinceMs, lasting };
    this.#known.set(segment.file, known);
    return known;
  }
}

function missing(folder: string, segment: Segment): FabricError {
  return new FabricError("missing-input", `Cannot read segments in ${folder}: ${segment.file} is missing; ${REMEDY}`);
}

function damaged(folder: string, segment: Segment, fault: string): FabricError {
  return new FabricError("unavailable", `Cannot read segments in ${folder}: ${segment.file} is ${fault}; ${REMEDY}`);
}

const REMEDY = "a running market-data node rebuilds it within seconds, any other at its next start";
