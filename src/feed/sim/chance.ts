/**
 * Seeded chance that is the same on every engine and in every year: integers, and of floating point only what IEEE 754
 * rounds exactly (+ - * /). Math.log, Math.exp and Math.cos may differ between engines and are not used.
 */

const MIX_1 = 0x85ebca6b;
const MIX_2 = 0xc2b2ae35;

/** One 32-bit word from four (unsigned), by MurmurHash3's steps. */
export function hashWords(a: number, b: number, c: number, d: number): number {
  let hash = 0x9747b28c;
  for (const word of [a, b, c, d]) {
    let mixed = Math.imul(word, 0xcc9e2d51);
    mixed = (mixed << 15) | (mixed >>> 17);
    hash ^= Math.imul(mixed, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), MIX_1);
  hash = Math.imul(hash ^ (hash >>> 13), MIX_2);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** One 32-bit word from a seed (0 to 2^53 - 1) and a text. */
export function hashText(seed: number, text: string, salt: number): number {
  let hash = hashWords(seed >>> 0, Math.floor(seed / 2 ** 32), salt, text.length);
  for (let index = 0; index < text.length; index++) hash = hashWords(hash, text.charCodeAt(index), index, salt);
  return hash;
}

/** A stream of 32-bit draws (Doty-Humphrey's sfc32) that four words determine. */
export class Dice {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(a: number, b: number, c: number, d: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    this.#counter = d | 0;
    for (let round = 0; round < 12; round++) this.word();
  }

  /** 0 to 2^32 - 1. */
  word(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  unit(): number {
    return this.word() / 2 ** 32;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.unit() * below);
  }
}

/** 2^x for x in -30 … 30, straight between whole exponents: all that "lognormal-ish" needs, and exact everywhere. */
export function roughPowerOfTwo(x: number): number {
  const whole = Math.floor(x);
  const scale = whole >= 0 ? 1 << whole : 1 / (1 << -whole);
  return scale * (1 + (x - whole));
}

/** Smooth noise in [-1, 1] with one random value every `period` units of `at`, and a smoothstep between them. */
export function smoothNoise(seed: number, octave: number, at: number, period: number): number {
  const cell = Math.floor(at / period);
  const left = lattice(seed, octave, cell);
  const right = lattice(seed, octave, cell + 1);
  const way = at / period - cell;
  return left + (right - left) * way * way * (3 - 2 * way);
}

function lattice(seed: number, octave: number, cell: number): number {
  return hashWords(seed, octave, cell, 0x5bd1e995) / 2 ** 31 - 1;
}
