import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DecimalReader } from "../../src/feed/decimal.ts";
import { ExactSum } from "../../src/feed/exact-sum.ts";

/** Decimals as venues write them, and far beyond. */
const decimal = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 24n }), fc.integer({ min: 0, max: 18 }), fc.integer({ min: 0, max: 6 }))
  .map(([mantissa, scale, zeros]) => {
    const digits = mantissa.toString().padStart(scale + 1, "0");
    const point = digits.length - scale;
    return scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}${"0".repeat(zeros)}`;
  });
const price = fc
  .tuple(fc.integer({ min: 1, max: 10_000_000 }), fc.integer({ min: 0, max: 8 }))
  .map(([n, d]) => shift(n, d));
const anyDecimal = fc.oneof(decimal, price);

function shift(whole: number, decimals: number): string {
  const digits = String(whole).padStart(decimals + 1, "0");
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** A decimal as an exact count of 10^-40. */
function exact(text: string): bigint {
  const [whole = "0", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(40, "0"));
}

/** The double nearest to n / 10^places, found by comparing exact rationals with the doubles around it. */
function nearest(n: bigint, places: number): number {
  const guess = Number(n) / 10 ** places;
  let best = guess;
  let bestDistance: [bigint, bigint] | null = null;
  for (const candidate of neighbours(guess)) {
    const [num, den] = rational(candidate);
    const scale = 10n ** BigInt(places);
    const difference = num * scale - n * den;
    const distance: [bigint, bigint] = [difference < 0n ? -difference : difference, den * scale];
    const less = bestDistance === null || distance[0] * bestDistance[1] < bestDistance[0] * distance[1];
    const tie = bestDistance !== null && distance[0] * bestDistance[1] === bestDistance[0] * distance[1];
    if (less || (tie && isEven(candidate))) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

const view = new DataView(new ArrayBuffer(8));

function neighbours(value: number): number[] {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const found: number[] = [];
  for (let step = -4n; step <= 4n; step++) {
    if (bits + step < 0n) continue;
    view.setBigUint64(0, bits + step);
    found.push(view.getFloat64(0));
  }
  return found;
}

function isEven(value: number): boolean {
  view.setFloat64(0, value);
  return view.getBigUint64(0) % 2n === 0n;
}

function rational(value: number): [bigint, bigint] {
  let den = 1n;
  let number = value;
  while (!Number.isInteger(number)) {
    number *= 2;
    den *= 2n;
  }
  return [BigInt(number), den];
}

describe("Exact sums", () => {
  test("a decimal is read as its mantissa, scale and nearest double", () => {
    const reader = new DecimalReader();
    fc.assert(
      fc.property(anyDecimal, (text) => {
        expect(reader.read(text)).toBe(true);
        expect(reader.value).toBe(Number(text));
        const mantissa = reader.big ?? BigInt(reader.mantissa);
        expect(mantissa * 10n ** BigInt(40 - reader.scale)).toBe(exact(text));
      }),
      { numRuns: 2000 },
    );
  });

  test("whatever is not a plain decimal is not read", () => {
    const reader = new DecimalReader();
    for (const text of [
      "",
      ".",
      "1.",
      ".5",
      "-1",
      "+1",
      "1e5",
      "1..2",
      "1.2.3",
      " 1",
      "1 ",
      "NaN",
      "١",
      "9".repeat(61),
    ]) {
      expect(reader.read(text)).toBe(false);
    }
  });

  test("sums of quantities and of products equal the exact rational, rounded once to the nearest double", () => {
    const left = new DecimalReader();
    const right = new DecimalReader();
    fc.assert(
      fc.property(fc.array(fc.tuple(anyDecimal, anyDecimal), { maxLength: 60 }), (pairs) => {
        const sum = new ExactSum();
        const products = new ExactSum();
        let exactSum = 0n;
        let exactProducts = 0n;
        for (const [price, quantity] of pairs) {
          left.read(price);
          right.read(quantity);
          sum.add(right);
          products.addProduct(left, right);
          exactSum += exact(quantity);
          exactProducts += exact(price) * exact(quantity);
        }
        expect(sum.toNumber()).toBe(nearest(exactSum, 40));
        expect(products.toNumber()).toBe(nearest(exactProducts, 80));
      }),
      { numRuns: 500 },
    );
  });

  test("a sum that outgrows 2^53 many times over stays exact", () => {
    const reader = new DecimalReader();
    const sum = new ExactSum();
    reader.read("90071992.54740993");
    for (let count = 0; count < 100_000; count++) sum.add(reader);
    expect(sum.toNumber()).toBe(Number("9007199254740.99300000"));
  });
});
