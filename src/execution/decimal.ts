import Big from "big.js";

/**
 * Decimal arithmetic for orders, quantities and cash. Strict: it takes and gives text, never a JS number, so that no
 * rounding can slip in. Sums and products are exact; divisions are rounded half up at 20 decimals.
 */
export const Decimal = Big();
Decimal.strict = true;
Decimal.DP = 20;
Decimal.RM = Decimal.roundHalfUp;

export type DecimalValue = Big;

/** Decimals that prices, fees and PnL keep. */
export const MONEY_DECIMALS = 12;

export function decimal(text: string): DecimalValue {
  return new Decimal(text);
}

/** The decimal that a market price's double stands for: its shortest text. */
export function decimalOfPrice(price: number): DecimalValue {
  return new Decimal(String(price));
}

/** Plain text without an exponent or trailing zeros; zero has no sign. */
export function decimalText(value: DecimalValue): string {
  return value.eq("0") ? "0" : value.toFixed();
}

/** Rounded half up to 12 decimals, as text. */
export function moneyText(value: DecimalValue): string {
  return decimalText(value.round(MONEY_DECIMALS));
}
