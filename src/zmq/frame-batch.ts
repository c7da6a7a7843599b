import type { FrameBatch } from "./contract.ts";

const WORD_BYTES = 4;

/** A batch in one buffer, so that it crosses from thread to thread in one transfer: count, ends, then the frames' bytes. */
export class BufferBatch implements FrameBatch {
  readonly length: number;
  readonly #buffer: ArrayBuffer;
  readonly #ends: Uint32Array;
  readonly #base: number;

  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
    this.length = new Uint32Array(buffer, 0, 1)[0] ?? 0;
    this.#ends = new Uint32Array(buffer, WORD_BYTES, this.length);
    this.#base = WORD_BYTES * (1 + this.length);
  }

  frame(index: number): Uint8Array {
    const end = this.#ends[index];
    if (end === undefined) throw new RangeError(`No frame ${index} in a batch of ${this.length}`);
    const start = index === 0 ? 0 : (this.#ends[index - 1] ?? 0);
    return new Uint8Array(this.#buffer, this.#base + start, end - start);
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
