import { Dice, hashText, roughPowerOfTwo } from "./chance.ts";

/** What a simulated symbol is like. Prices are whole ticks, quantities whole lots. */
export interface SimSymbol {
  readonly name: string;
  /** Two independent words from seed and name. */
  readonly seedA: number;
  readonly seedB: number;
  /** The price that the noise moves around, in ticks. */
  readonly baseTicks: number;
  /** A tick is 10^-tickDecimals, a lot 10^-lotDecimals; together at most 8, so that a quote volume fits the wire. */
  readonly tickDecimals: number;
  readonly lotDecimals: number;
  /** The usual size of a trade. */
  readonly usualLots: number;
}

interface Shape {
  readonly price: number;
  readonly tickDecimals: number;
  readonly lotDecimals: number;
}

const KNOWN: Readonly<Record<string, Shape>> = {
  BTCUSDT: { price: 60_000, tickDecimals: 2, lotDecimals: 5 },
  ETHUSDT: { price: 3_000, tickDecimals: 2, lotDecimals: 4 },
  SOLUSDT: { price: 150, tickDecimals: 2, lotDecimals: 3 },
};

/** A usual trade is worth so much quote asset. */
const USUAL_NOTIONAL = 300;

/**
 * The properties of a symbol: known for three of them, else seeded. Pure. BTCUSDT, BTC-USDT and BTC/USDT are one pair, so that
 * the market is the same in every venue's naming.
 */
export function simSymbol(seed: number, name: string): SimSymbol {
  const pair = name.replace(/[-/]/g, "");
  const seedA = hashText(seed, pair, 1);
  const seedB = hashText(seed, pair, 2);
  const shape = KNOWN[pair] ?? seededShape(new Dice(seedA, seedB, 3, 4));
  return {
    name,
    seedA,
    seedB,
    baseTicks: Math.round(shape.price * 10 ** shape.tickDecimals),
    tickDecimals: shape.tickDecimals,
    lotDecimals: shape.lotDecimals,
    usualLots: Math.max(2, Math.round((USUAL_NOTIONAL / shape.price) * 10 ** shape.lotDecimals)),
  };
}

/** A price between a sixteenth and 512, with 10,000 to 100,000 ticks to it so that it can move. */
function seededShape(dice: Dice): Shape {
  const price = roughPowerOfTwo(dice.unit() * 13 - 4);
  const digits = [100, 10, 1, 0.1].findIndex((bound) => price >= bound);
  const tickDecimals = digits < 0 ? 6 : digits + 2;
  return { price, tickDecimals, lotDecimals: Math.max(0, 5 - tickDecimals) };
}
