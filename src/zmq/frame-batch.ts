import type { FrameBatch } from "./contract.ts";

const WORD_BYTES = 4;

/** A batch in one buffer, so that it crosses from thread to thread in one transfer: count, ends, then the frames' bytes. */
export class BufferBatch implements FrameBatch {
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly #ends: Uint32Array;

  constructor(buffer: ArrayBuffer) {
    this.length = new Uint32Array(buffer, 0, 1)[0] ?? 0;
    this.#ends = new Uint32Array(buffer, WORD_BYTES, this.length);
    this.bytes = new Uint8Array(buffer, WORD_BYTES * (1 + this.length));
  }

  end(index: number): number {
    const end = this.#ends[index];
    if (end === undefined) throw new RangeError(`No frame ${index} in a batch of ${this.length}`);
    return end;
  }

  frame(index: number): Uint8Array {
    return this.bytes.subarray(index === 0 ? 0 : this.end(index - 1), this.end(index));
  }
}

/** Packs `count` frames that lie end to end at the start of `bytes`; `ends[i]` is where frame i ends. Copies them. */
export function packBatch(bytes: Uint8Array, ends: Uint32Array, count: number): ArrayBuffer {
  const sizeBytes = count === 0 ? 0 : (ends[count - 1] ?? 0);
  const base = WORD_BYTES * (1 + count);
  const buffer = new ArrayBuffer(base + sizeBytes);
  const words = new Uint32Array(buffer, 0, 1 + count);
  words[0] = count;
  words.set(ends.subarray(0, count), 1);
  new Uint8Array(buffer, base).set(bytes.subarray(0, sizeBytes));
  return buffer;
}
