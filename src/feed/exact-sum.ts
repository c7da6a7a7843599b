import type { DecimalReader } from "./decimal.ts";

const SAFE = 2 ** 53;

/**
 * An exact sum of decimals and of products of two decimals, rounded once, to the nearest double, when asked for. Addends
 * are whole numbers kept per power of ten: in a double while it stays below 2^53, carried over to a BigInt where it would
 * not. Memory: one number per different scale, of which a market has a handful.
 */
export class ExactSum {
  /** By scale: a whole number below 2^53. */
  readonly #small: number[] = [];
  /** By scale: what outgrew it. */
  #large: Map<number, bigint> | null = null;

  /** Adds the decimal that was read last. */
  add(decimal: DecimalReader): void {
    if (decimal.big === null) this.#addWhole(decimal.mantissa, decimal.scale);
    else this.#addLarge(decimal.big, decimal.scale);
  }

  /** Adds the product of two decimals. */
  addProduct(left: DecimalReader, right: DecimalReader): void {
    const product = left.mantissa * right.mantissa;
    const scale = left.scale + right.scale;
    // Below 2^53 the rounded product of two whole numbers is the product itself.
    if (product < SAFE && left.big === null && right.big === null) this.#addWhole(product, scale);
    else this.#addLarge((left.big ?? BigInt(left.mantissa)) * (right.big ?? BigInt(right.mantissa)), scale);
  }

  /** The double nearest to the exact sum. */
  toNumber(): number {
    const scales = new Set([...this.#small.keys(), ...(this.#large?.keys() ?? [])]);
    if (scales.size === 0) return 0;
    const scale = Math.max(...scales);
    let total = 0n;
    for (const at of scales) {
      const part = BigInt(this.#small[at] ?? 0) + (this.#large?.get(at) ?? 0n);
      if (part !== 0n) total += part * 10n ** BigInt(scale - at);
    }
    // Reading a decimal is correctly rounded by the language's rules.
    return Number(`${total}e-${scale}`);
  }

  #addWhole(value: number, scale: number): void {
    while (this.#small.length <= scale) this.#small.push(0);
    const sum = (this.#small[scale] ?? 0) + value;
    if (sum < SAFE) {
      this.#small[scale] = sum;
    } else {
      this.#addLarge(BigInt(value), scale);
    }
  }

  #addLarge(value: bigint, scale: number): void {
    this.#large ??= new Map();
    this.#large.set(scale, (this.#large.get(scale) ?? 0n) + value + BigInt(this.#small[scale] ?? 0));
    if (this.#small[scale] !== undefined) this.#small[scale] = 0;
  }
}
