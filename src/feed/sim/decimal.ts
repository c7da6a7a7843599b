/** Decimal places of every price and quantity on Binance's spot wire. */
export const WIRE_DECIMALS = 8;

/** The plain decimal text of `scaled` / 10^`decimals`, exact, with at least `leastDecimals` places. */
export function formatScaled(scaled: bigint, decimals: number, leastDecimals = WIRE_DECIMALS): string {
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  let places = digits.slice(digits.length - decimals);
  let needed = places.length;
  while (needed > leastDecimals && places[needed - 1] === "0") needed--;
  places = places.slice(0, needed).padEnd(leastDecimals, "0");
  return `${scaled < 0n ? "-" : ""}${whole}${places === "" ? "" : "."}${places}`;
}

/** The double nearest to `scaled` / 10^`decimals`: reading decimal text is correctly rounded, dividing doubles is not. */
export function nearestNumber(scaled: bigint, decimals: number): number {
  return Number(formatScaled(scaled, decimals, 0));
}

/** `text` as an integer count of 10^-`decimals`; null unless it is a plain decimal with no more places than that. */
export function parseScaled(text: unknown, decimals: number): bigint | null {
  const match = typeof text === "string" && text.length <= 40 ? /^(\d+)(?:\.(\d+))?$/.exec(text) : null;
  if (!match) return null;
  const places = (match[2] ?? "").replace(/0+$/, "");
  return places.length > decimals ? null : BigInt((match[1] ?? "") + places.padEnd(decimals, "0"));
}

/** Writes small counts of 10^-`decimals` as wire text with 8 places; made once per symbol because frames are many. */
export function wireFormatter(decimals: number): (count: number) => string {
  const short = shortFormatter(decimals);
  const tail = (decimals === 0 ? "." : "") + "0".repeat(WIRE_DECIMALS - decimals);
  return (count) => short(count) + tail;
}

/** Writes small counts of 10^-`decimals` with just so many places. */
export function shortFormatter(decimals: number): (count: number) => string {
  const scale = 10 ** decimals;
  if (decimals === 0) return (count) => `${count}`;
  return (count) => {
    const places = count % scale;
    return `${(count - places) / scale}.${String(scale + places).slice(1)}`;
  };
}
