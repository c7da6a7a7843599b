/** A trade as a frame's data tells it: what every aggregation starts from. */
export interface WireTrade {
  readonly s: string;
  readonly t: number;
  readonly p: string;
  readonly q: string;
  readonly T: number;
  readonly m: boolean;
}

/** The slow and obvious way from trades to candles, for comparison: everything kept, sorted by id, summed as fractions. */
export function naiveCandles(trades: readonly WireTrade[]) {
  const groups = new Map<string, WireTrade[]>();
  for (const trade of trades) {
    const key = `${trade.s} ${trade.T - (trade.T % 60_000)}`;
    groups.set(key, [...(groups.get(key) ?? []), trade]);
  }
  return [...groups].map(([key, group]) => {
    const [symbol = "", openTime = ""] = key.split(" ");
    const sorted = group.toSorted((a, b) => a.t - b.t);
    const prices = sorted.map((trade) => Number(trade.p));
    const buys = sorted.filter((trade) => !trade.m);
    return {
      symbol,
      openTime: Number(openTime),
      closeTime: Number(openTime) + 59_999,
      open: prices[0] ?? Number.NaN,
      high: Math.max(...prices),
      low: Math.min(...prices),
      close: prices.at(-1) ?? Number.NaN,
      volume: sum(sorted.map((trade) => [trade.q])),
      quoteVolume: sum(sorted.map((trade) => [trade.p, trade.q])),
      trades: sorted.length,
      takerBuyVolume: sum(buys.map((trade) => [trade.q])),
      takerBuyQuoteVolume: sum(buys.map((trade) => [trade.p, trade.q])),
      firstTradeId: sorted[0]?.t ?? null,
      lastTradeId: sorted.at(-1)?.t ?? null,
    };
  });
}

const PLACES = 30;

/** The sum of products of decimal texts, exact to 30 places, then the nearest double. */
function sum(products: readonly (readonly string[])[]): number {
  let total = 0n;
  for (const factors of products) {
    let places = 0;
    let product = 1n;
    for (const factor of factors) {
      places += factor.includes(".") ? factor.length - factor.indexOf(".") - 1 : 0;
      product *= BigInt(factor.replace(".", ""));
    }
    total += product * 10n ** BigInt(PLACES - places);
  }
  return Number(`${total}e-${PLACES}`);
}
