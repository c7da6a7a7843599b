const UNIT = 10n ** 12n;

/** Money in trillionths, exactly. */
export function scaled(text: string): bigint {
  const [whole = "0", fraction = ""] = text.replace("-", "").split(".");
  const value = BigInt(whole + fraction.padEnd(12, "0").slice(0, 12));
  return text.startsWith("-") ? -value : value;
}

export interface ModelFill {
  readonly price: bigint;
  readonly fee: bigint;
}

/** A paper fill by the documented model: the next open, one basis point against us, a tenth of a percent of fee. */
export function paperFill(side: string, quantity: string, open: number): ModelFill {
  const price = rounded(scaled(String(open)) * (side === "buy" ? 10_001n : 9999n), 10_000n);
  return { price, fee: rounded(price * scaled(quantity) * 10n, 10_000n * UNIT) };
}

/** Half up; nothing here is below zero. */
function rounded(numerator: bigint, denominator: bigint): bigint {
  return (numerator * 2n + denominator) / (denominator * 2n);
}
