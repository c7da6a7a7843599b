import { CANDLE_FIGURES, type CandleFigure } from "../../core/candle.ts";

/** A minute that is not plainly equal, from both sides. */
export interface Pair {
  /** Epoch ms. */
  readonly openTime: number;
  /** As last corrected; null where no row is stored. */
  readonly stored: (Readonly<Record<CandleFigure, number>> & { readonly provenance: string }) | null;
  /** Null where the klines leave the minute out; a figure is null where they do not tell it. */
  readonly official: Readonly<Record<CandleFigure, number | null>> | null;
  /** Close of the official kline of the minute before. */
  readonly officialPreviousClose: number | null;
  /** What feed_gap says of a minute that is not stored. */
  readonly gapReason: string | null;
  /** Where the row's first trade id does not follow the newest one known before it. */
  readonly idBreak: { readonly before: number; readonly first: number; readonly besidePartial: boolean } | null;
}

export interface Difference {
  readonly field: CandleFigure;
  readonly stored: number;
  readonly official: number;
}

export interface Judgement {
  readonly verdict: "equal" | "explained" | "wrong";
  /** Null where equal. */
  readonly why: string | null;
  readonly differences: readonly Difference[];
}

/** What klines of a trade-less minute hold besides zeros is convention. */
const PRICES: ReadonlySet<CandleFigure> = new Set(["open", "high", "low", "close"]);
/** What many files of candles do not hold; an import then stores 0. */
const OFTEN_LACKING: ReadonlySet<CandleFigure> = new Set([
  "quoteVolume",
  "trades",
  "takerBuyVolume",
  "takerBuyQuoteVolume",
]);

/**
 * One minute's verdict. Equal: every figure that the klines tell is the very number that is stored, and its trade ids follow on. Explained: it
 * differs as the venue's rules or our own records say it must. Wrong: anything else. Pure.
 */
export function judge(pair: Pair, venue: string): Judgement {
  const { stored, official } = pair;
  if (stored === null) return judgeAbsent(pair);
  if (official === null) {
    if (stored.volume === 0 && stored.trades === 0) return explained("no trade: the klines leave such minutes out");
    return wrong("the klines do not have this minute");
  }
  const differences = differencesOf(stored, official);
  if (differences.length > 0) {
    const rule = ruleFor(pair, differences, venue);
    return rule === null ? wrong(textOf(differences), differences) : explained(rule, differences);
  }
  return pair.idBreak === null ? { verdict: "equal", why: null, differences } : judgeBreak(pair.idBreak, official);
}

function judgeAbsent({ official, gapReason }: Pair): Judgement {
  if (gapReason !== null) return explained(`gap: ${gapReason}`);
  if (official?.volume === 0) return explained("no trade: not stored, and the klines have it flat");
  return wrong("not stored, and no gap says why");
}

function differencesOf(stored: NonNullable<Pair["stored"]>, official: NonNullable<Pair["official"]>): Difference[] {
  return CANDLE_FIGURES.flatMap((field) => {
    const told = official[field];
    return told === null || told === stored[field] ? [] : [{ field, stored: stored[field], official: told }];
  });
}

/** Why these differences must be; null where no rule says so. */
function ruleFor(pair: Pair, differences: readonly Difference[], venue: string): string | null {
  const { stored, official } = pair;
  if (stored === null || official === null) return null;
  if (stored.provenance === "partial") return "partial: not all of the minute was heard";
  const within = (fields: ReadonlySet<CandleFigure>) => differences.every(({ field }) => fields.has(field));
  if (stored.volume === 0 && official.volume === 0 && within(PRICES)) return "no trade: the flat price is convention";
  const isLacking = differences.every((each) => each.stored === 0) && within(OFTEN_LACKING);
  if (stored.provenance === "imported" && stored.volume > 0 && isLacking) return "imported without these figures";
  if (venue.startsWith("kraken") && isTruncatedVwap(pair, differences))
    return "Kraken's vwap is cut at the price's last digit";
  if (venue.startsWith("bybit") && opensAtPreviousClose(pair, differences)) return "Bybit opens at the previous close";
  return null;
}

/**
 * Kraken tells no quote volume but a vwap, cut (not rounded) at the pair's price digits: times the volume it comes out below by less than
 * one such digit of each unit traded. (Prices as numbers may show fewer digits than the pair has; then more is let pass.)
 */
function isTruncatedVwap({ stored, official }: Pair, differences: readonly Difference[]): boolean {
  if (stored === null || official === null || official.volume === null) return false;
  const digits = Math.max(...[stored.open, stored.high, stored.low, stored.close].map(digitsOf));
  const most = official.volume * 10 ** -digits * (1 + Number.EPSILON * 16) + stored.quoteVolume * Number.EPSILON * 4;
  const least = -stored.quoteVolume * Number.EPSILON * 4;
  return differences.every((each) => {
    const below = each.stored - each.official;
    return each.field === "quoteVolume" && below >= least && below <= most;
  });
}

/** Digits behind the point. */
function digitsOf(price: number): number {
  return /\.(\d+)$/.exec(String(price))?.[1]?.length ?? 0;
}

/** Bybit's klines begin at the close before, which may lie outside the minute's own trades (its v5 documentation, Get Kline). */
function opensAtPreviousClose(
  { stored, official, officialPreviousClose }: Pair,
  differences: readonly Difference[],
): boolean {
  if (stored === null || official === null || official.open === null) return false;
  if (officialPreviousClose !== null && official.open !== officialPreviousClose) return false;
  return differences.every(({ field, official: told }) => {
    if (field === "open") return true;
    if (field === "high") return told === Math.max(stored.high, official.open ?? 0);
    return field === "low" && told === Math.min(stored.low, official.open ?? 0);
  });
}

/** The klines' figures are what counts: where they are met, no trade of this minute is missing or counted twice. */
function judgeBreak(idBreak: NonNullable<Pair["idBreak"]>, official: NonNullable<Pair["official"]>): Judgement {
  const { before, first, besidePartial } = idBreak;
  const told = first > before ? `trade ids jump from ${before} to ${first}` : `trade id ${first} follows ${before}`;
  if (besidePartial && first > before) return explained(`partial: ${told}`);
  return official.volume === null ? wrong(told) : explained(`${told}, and every figure is the klines'`);
}

function textOf(differences: readonly Difference[]): string {
  return differences.map(({ field, stored, official }) => `${field} ${stored} instead of ${official}`).join(", ");
}

function explained(why: string, differences: readonly Difference[] = []): Judgement {
  return { verdict: "explained", why, differences };
}

function wrong(why: string, differences: readonly Difference[] = []): Judgement {
  return { verdict: "wrong", why, differences };
}
