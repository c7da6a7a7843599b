const LARGEST_MANTISSA = 2 ** 53 - 1;
/** Powers of ten that a double holds exactly. */
const POWERS: readonly number[] = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const LONGEST = 60;
const [POINT, ZERO] = [46, 48] as const;

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
    let point = 0;
    for (; point < length; point++) {
      const digit = text.charCodeAt(point) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      mantissa = mantissa * 10 + digit;
    }
    let end = length;
    if (point < length) {
      if (text.charCodeAt(point) !== POINT || point === 0 || point === length - 1) return false;
      while (text.charCodeAt(end - 1) === ZERO) end--;
      for (let at = point + 1; at < end; at++) {
        const digit = text.charCodeAt(at) - ZERO;
        if (!(digit >= 0 && digit <= 9)) return false;
        mantissa = mantissa * 10 + digit;
      }
    }
    this.scale = point < length ? end - point - 1 : 0;
    this.mantissa = mantissa;
    this.big = null;
    const power = POWERS[this.scale];
    if (mantissa <= LARGEST_MANTISSA && power !== undefined) {
      // Both are exact, so that the one division rounds once: the nearest double.
      this.value = this.scale === 0 ? mantissa : mantissa / power;
    } else {
      this.big = BigInt(text.slice(0, point) + text.slice(point + 1, end));
      this.value = Number(text);
    }
    return true;
  }
}
