import { quoteAssetOf } from "../core/symbol.ts";
import type { ProfitAndLoss, QuoteProfit } from "../core/wire.ts";
import { type DecimalValue, decimal, moneyText } from "./decimal.ts";
import type { DayRow } from "./journal-rows.ts";

export interface ProfitParts {
  /** Profit and loss by symbol at its newest close. */
  readonly equities: ReadonlyMap<string, DecimalValue>;
  readonly day: DayRow | null;
  /** The same by symbol before the day's first candle; null where the day began before this runner did. */
  readonly dayStart: ReadonlyMap<string, DecimalValue> | null;
}

/** Profit and loss of the day and of the runner's whole life, never summed over different quote assets. */
export function profitOf({ equities, day, dayStart }: ProfitParts): ProfitAndLoss {
  const totals = sums(equities);
  const starts = dayStart === null ? null : sums(dayStart);
  const quotes = [...totals.keys()].sort();
  // Where all is one asset, what the journal has of the day's start is of that asset, too.
  const journaled = day !== null && quotes.length <= 1 ? decimal(day.equity) : null;
  const byQuote = quotes.map((quote): QuoteProfit => {
    const total = totals.get(quote) ?? decimal("0");
    const start = journaled ?? (starts === null ? null : (starts.get(quote) ?? decimal("0")));
    return { quote, today: start === null ? null : moneyText(total.minus(start)), total: moneyText(total) };
  });
  const [only] = byQuote;
  const all = byQuote.length === 1 && only ? only : null;
  if (byQuote.length === 0) return { day: day?.day ?? null, today: "0", total: "0", byQuote };
  return { day: day?.day ?? null, today: all?.today ?? null, total: all?.total ?? null, byQuote };
}

function sums(equities: ReadonlyMap<string, DecimalValue>): ReadonlyMap<string, DecimalValue> {
  const byQuote = new Map<string, DecimalValue>();
  for (const [symbol, equity] of equities) {
    const quote = quoteAssetOf(symbol) ?? `quote of ${symbol}`;
    byQuote.set(quote, (byQuote.get(quote) ?? decimal("0")).plus(equity));
  }
  return byQuote;
}
