import { packBatch } from "./frame-batch.ts";
import { LatestFrames } from "./latest-frames.ts";

export interface GatherOptions {
  readonly conflate: "socket" | "topic" | "off";
  readonly keyByNode: readonly string[];
  readonly bufferMessages: number;
  readonly bufferBytes: number;
}

/** What became of a frame offered: kept, kept in place of an older one of its key, or refused at the bound. */
export type Gathered = "kept" | "replaced" | "dropped";

const FIRST_ENDS = 1024;

/**
 * The frames that wait in the receiving thread, bounded in messages and bytes together with those handed over and not yet
 * acknowledged. At the bound the newest is dropped; with conflate "topic" a newer frame replaces the one of its key.
 * Frames are received straight into `area` at `used`; `keep` makes the newest one stay.
 */
export class FrameGather {
  readonly #area: Uint8Array;
  readonly #options: GatherOptions;
  readonly #latest: LatestFrames | null;
  #ends = new Uint32Array(FIRST_ENDS);
  #count = 0;
  #used = 0;
  /** Batches handed over, oldest first. */
  readonly #away: { readonly messages: number; readonly bytes: number }[] = [];
  #awayMessages = 0;
  #awayBytes = 0;

  /** `area` holds bufferBytes and one frame of the largest size more. */
  constructor(area: Uint8Array, options: GatherOptions) {
    this.#area = area;
    this.#options = options;
    this.#latest = options.conflate === "topic" ? new LatestFrames(options.keyByNode) : null;
  }

  /** Where in `area` the next frame is to be received. */
  get used(): number {
    return this.#used;
  }

  get waiting(): number {
    return this.#latest ? this.#latest.size : this.#count;
  }

  /** Batches handed over and not yet acknowledged. */
  get away(): number {
    return this.#away.length;
  }

  /** Offers the frame of `sizeBytes` that now lies at `used`. One frame always fits where nothing else waits. */
  keep(sizeBytes: number): Gathered {
    return this.#latest ? this.#keepLatest(this.#latest, sizeBytes) : this.#keepNext(sizeBytes);
  }

  /** Hands over all that waits as one packed batch; null where nothing does. */
  take(): ArrayBuffer | null {
    if (this.#latest) this.#layOut(this.#latest);
    if (this.#count === 0) return null;
    const batch = packBatch(this.#area, this.#ends, this.#count);
    this.#away.push({ messages: this.#count, bytes: this.#used });
    this.#awayMessages += this.#count;
    this.#awayBytes += this.#used;
    this.#count = 0;
    this.#used = 0;
    return batch;
  }

  /** The consumer is done with its `count` oldest batches. */
  acknowledge(count: number): void {
    for (const batch of this.#away.splice(0, count)) {
      this.#awayMessages -= batch.messages;
      this.#awayBytes -= batch.bytes;
    }
  }

  #keepNext(sizeBytes: number): Gathered {
    if (!this.#fits(this.#count, this.#used, sizeBytes)) return "dropped";
    this.#push(sizeBytes);
    return "kept";
  }

  #keepLatest(latest: LatestFrames, sizeBytes: number): Gathered {
    const frame = this.#area.subarray(0, sizeBytes);
    const key = latest.keyOf(frame);
    const older = latest.sizeOf(key);
    const others = { messages: latest.size - (older === null ? 0 : 1), bytes: latest.bytes - (older ?? 0) };
    if (!this.#fits(others.messages, others.bytes, sizeBytes)) return "dropped";
    latest.put(key, frame.slice());
    return older === null ? "kept" : "replaced";
  }

  #fits(messages: number, bytes: number, moreBytes: number): boolean {
    const allMessages = messages + this.#awayMessages;
    if (allMessages === 0) return true;
    return (
      allMessages < this.#options.bufferMessages && bytes + this.#awayBytes + moreBytes <= this.#options.bufferBytes
    );
  }

  /** Copies the latest frames into the area, in the order in which they came. */
  #layOut(latest: LatestFrames): void {
    for (const frame of latest.takeAll()) {
      this.#area.set(frame, this.#used);
      this.#push(frame.length);
    }
  }

  #push(sizeBytes: number): void {
    if (this.#count === this.#ends.length) {
      const longer = new Uint32Array(this.#ends.length * 2);
      longer.set(this.#ends);
      this.#ends = longer;
    }
    this.#used += sizeBytes;
    this.#ends[this.#count++] = this.#used;
  }
}
