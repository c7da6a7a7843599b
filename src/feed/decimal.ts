const LARGEST_MANTISSA = 2 ** 53 - 1;
/** Powers of ten that a double holds exactly. */
const POWERS: readonly number[] = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const LONGEST = 60;

/**
 * Reads plain decimal strings (`61837.63000000`: digits, at most one point, no sign, no exponent, 1 to 60 characters) as
 * mantissa and scale, trailing zeros of the fraction left out. One reader is reused for many strings, without allocating
 * on the usual path.
 */
export class DecimalReader {
  /** The digits as a whole number; exact only where `big` is null. */
  mantissa = 0;
  /** value = mantissa / 10^scale. */
  scale = 0;
  /** The mantissa where it is above 2^53 - 1, else null. */
  big: bigint | null = null;
  /** The double nearest to the decimal. */
  value = 0;

  /** False, with the fields undefined, where `text` is not a plain decimal. */
  read(text: string): boolean {
    const length = text.length;
    if (length === 0 || length > LONGEST) return false;
    let mantissa = 0;
    let zeros = 0;
    let point = -1;
    for (let at = 0; at < length; at++) {
      const digit = text.charCodeAt(at) - 48;
      if (digit === -2 && point < 0 && at > 0 && at < length - 1) {
        // Zeros before the point are digits like any other; only those at the fraction's end may be left out.
        while (zeros > 0) {
          mantissa *= 10;
          zeros--;
        }
        point = at;
      } else if (digit === 0) {
        zeros++;
      } else if (digit > 0 && digit <= 9) {
        for (; zeros > 0; zeros--) mantissa *= 10;
        mantissa = mantissa * 10 + digit;
      } else {
        return false;
      }
    }
    if (point < 0) for (; zeros > 0; zeros--) mantissa *= 10;
    this.scale = point < 0 ? 0 : length - point - 1 - zeros;
    this.mantissa = mantissa;
    this.big = null;
    const power = POWERS[this.scale];
    if (mantissa <= LARGEST_MANTISSA && power !== undefined) {
      // Both are exact, so that the one division rounds once: the nearest double.
      this.value = this.scale === 0 ? mantissa : mantissa / power;
    } else {
      this.big = BigInt(
        (point < 0 ? text : text.slice(0, point) + text.slice(point + 1)).slice(0, length - zerosCut(point, zeros)),
      );
      this.value = Number(text);
    }
    return true;
  }
}

/** How many characters the mantissa's text loses: the fraction's trailing zeros and the point. */
function zerosCut(point: number, zeros: number): number {
  return point < 0 ? 0 : zeros + 1;
}
