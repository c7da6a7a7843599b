import { toRfc3339 } from "../core/time.ts";
import type { AccountOutcome } from "./broker.ts";
import { type DecimalValue, decimal, decimalText } from "./decimal.ts";
import type { WaivedKind } from "./journal.ts";
import type { FillRow, IntentRow } from "./journal-rows.ts";

export type KnownAccount = Extract<AccountOutcome, { readonly type: "known" }>;

/** The journal as far as the venue's account can be held against it. */
export interface JournalFacts {
  readonly symbols: readonly string[];
  /** What the account held of each symbol's base asset before the first order; none for a symbol not seen yet. */
  readonly baseline: ReadonlyMap<string, string>;
  /** Held of a symbol by the journal: the sum of its fills and adjustments. */
  held(symbol: string): DecimalValue;
  intent(clientOrderId: string): IntentRow | null;
  /** Journaled fills of the orders sent since the time from which the account's trades were asked for. */
  readonly fills: readonly FillRow[];
  isWaived(kind: WaivedKind, id: string): boolean;
  /** Open orders that the venue did not know when they were looked up, their validity window passed. */
  readonly missing?: readonly IntentRow[];
}

/** One thing on which journal and venue disagree, and what would settle it in the venue's favour. */
export interface Difference {
  /** For people: symbol, the journal's value, the venue's. */
  readonly text: string;
  readonly settledBy:
    | { readonly type: "waive"; readonly kind: WaivedKind; readonly id: string }
    | { readonly type: "lose"; readonly intent: IntentRow }
    /** `quantity` is added to the symbol's position. */
    | { readonly type: "adjust"; readonly symbol: string; readonly quantity: DecimalValue };
}

/** An order that is open at the venue may be so by the journal, too; a lost one has come to life after all. */
const MAY_BE_OPEN: ReadonlySet<string> = new Set(["pending", "unknown", "open", "lost"]);

/**
 * What the journal cannot explain of the account: an open order of ours that the journal does not know or counts as done, one that
 * the journal has as open and the venue does not know, a
 * journaled fill that the venue does not know, and holdings that are not what was there before plus what was traded since. Orders
 * and trades of ours that the account tells were taken into the journal before. Pure.
 */
export function differencesOf(facts: JournalFacts, account: KnownAccount): readonly Difference[] {
  return [
    ...openOrders(facts, account),
    ...missingOrders(facts, account),
    ...unknownFills(facts, account),
    ...holdings(facts, account),
  ];
}

function openOrders(facts: JournalFacts, account: KnownAccount): readonly Difference[] {
  return account.openOrders.flatMap(({ clientOrderId: id, symbol }): readonly Difference[] => {
    const intent = facts.intent(id);
    if ((intent && MAY_BE_OPEN.has(intent.status)) || facts.isWaived("order", id)) return [];
    const journal = intent ? `the journal has it as ${intent.status}` : "the journal does not know it";
    return [{ text: `${symbol}: order ${id} is open at the venue, and ${journal}`, settledBy: waive("order", id) }];
  });
}

function missingOrders({ missing = [] }: JournalFacts, { openOrders }: KnownAccount): readonly Difference[] {
  const open = new Set(openOrders.map(({ clientOrderId }) => clientOrderId));
  return missing
    .filter(({ clientOrderId }) => !open.has(clientOrderId))
    .map((intent) => ({
      text: `${intent.symbol}: the journal has order ${intent.clientOrderId} as open, and the venue does not know it`,
      settledBy: { type: "lose", intent },
    }));
}

function unknownFills(facts: JournalFacts, account: KnownAccount): readonly Difference[] {
  const told = new Set(account.trades.map(({ fillId }) => fillId));
  return facts.fills.flatMap(({ fillId, symbol, side, quantity, price }): readonly Difference[] => {
    if (told.has(fillId) || facts.isWaived("fill", fillId)) return [];
    const text = `${symbol}: the journal has fill ${fillId} (${side} ${quantity} at ${price}), and the venue does not know it`;
    return [{ text, settledBy: waive("fill", fillId) }];
  });
}

function holdings(facts: JournalFacts, account: KnownAccount): readonly Difference[] {
  return [...byBaseAsset(facts.symbols, account)].flatMap(([asset, symbols]): readonly Difference[] => {
    const [first] = symbols;
    const before = facts.baseline.get(first ?? "");
    if (first === undefined || before === undefined) return [];
    const traded = symbols.reduce((sum, symbol) => sum.plus(facts.held(symbol)), decimal("0"));
    const expected = traded.plus(before);
    const found = decimal(account.holdings.get(first) ?? "0");
    if (found.eq(expected)) return [];
    const text =
      `${symbols.join(", ")}: the journal expects ${decimalText(expected)} ${asset} (${before} before the first order, ` +
      `${decimalText(traded)} traded since), and the account holds ${decimalText(found)}${foreign(facts, account, symbols)}`;
    return [{ text, settledBy: { type: "adjust", symbol: first, quantity: found.minus(expected) } }];
  });
}

/** Trades of somebody else are the likeliest reason: they are named. */
function foreign(facts: JournalFacts, account: KnownAccount, symbols: readonly string[]): string {
  const others = account.trades.filter(
    (trade) => symbols.includes(trade.symbol) && facts.intent(trade.clientOrderId) === null,
  );
  const newest = others.at(-1);
  if (!newest) return "";
  const { side, quantity, price, timeMs } = newest;
  return `; ${others.length} trades there are not this runner's, the newest ${side} ${quantity} at ${price}, ${toRfc3339(timeMs)}`;
}

/** Symbols by the asset they trade: two that share one share its holdings, too. */
export function byBaseAsset(
  symbols: readonly string[],
  { baseAssets }: KnownAccount,
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const symbol of symbols) {
    const asset = baseAssets.get(symbol) ?? symbol;
    groups.set(asset, [...(groups.get(asset) ?? []), symbol]);
  }
  return groups;
}

function waive(kind: WaivedKind, id: string): Difference["settledBy"] {
  return { type: "waive", kind, id };
}
