import { type Evidence, type Verdict, verdict } from "./evidence.ts";
import { amountOf } from "./judge-trading.ts";

const QUOTE = "USDT";
/** The exchange counts in 10^-8, `scaled` in 10^-18. */
const TO_SCALED = 10n ** 10n;

/** The live runner against the exchange's own books: what was decided is there, once, and nothing else is. */
export function judgeVenue(evidence: Evidence): readonly Verdict[] {
  return [orders(evidence), holdings(evidence)];
}

function orders({ runners, venue }: Evidence): Verdict {
  const faults: string[] = [];
  const journaled = new Map(
    runners
      .filter(({ undisturbed }) => undisturbed === null)
      .flatMap(({ found }) => found.intents.map((intent) => [String(intent.client_order_id), intent] as const)),
  );
  const filled = new Map<string, bigint>();
  const fillIds = new Set<string>();
  for (const { found, undisturbed } of runners) {
    if (undisturbed !== null) continue;
    for (const fill of found.fills) {
      const id = String(fill.client_order_id);
      const fillId = String(fill.fill_id);
      if (fillIds.has(fillId)) faults.push(`fill ${fillId} is twice in the journal`);
      fillIds.add(fillId);
      if (!journaled.has(id)) faults.push(`fill ${fillId} in the journal is of order ${id}, which was never decided`);
      filled.set(id, (filled.get(id) ?? 0n) + amountOf(fill.quantity, `fill ${fillId}`, faults));
    }
  }
  const seen = new Set<string>();
  let executions = 0;
  for (const order of venue.orders) {
    const id = String(order.client_order_id);
    const intent = journaled.get(id);
    if (seen.has(id)) faults.push(`order ${id} is twice at the exchange`);
    seen.add(id);
    if (!intent) faults.push(`order ${id} at the exchange was never decided`);
    else if (intent.side !== String(order.side).toLowerCase() || intent.symbol !== order.symbol)
      faults.push(`order ${id} at the exchange is ${order.side} ${order.symbol}`);
    const executed = executedOf(order.executed, id, faults) * TO_SCALED;
    if (executed > 0n) executions++;
    if ((filled.get(id) ?? 0n) !== executed)
      faults.push(`order ${id} executed ${executed} / 10^18 at the exchange, the journal has ${filled.get(id) ?? 0n}`);
  }
  for (const id of new Set([
    ...filled.keys(),
    ...[...journaled].flatMap(([id, { status }]) => (status === "filled" ? id : [])),
  ]))
    if (!seen.has(id)) faults.push(`order ${id} is filled, and the exchange never had it`);
  if (executions === 0) faults.push("the exchange filled nothing");
  if (seen.size === 0) faults.push("no order reached the exchange");
  return verdict(
    "venue-orders",
    faults,
    `${seen.size} orders at the exchange, each decided, none twice, fills as journaled`,
  );
}

function holdings({ runners, venue, symbols }: Evidence): Verdict {
  const faults: string[] = [];
  const live = runners.filter(({ undisturbed }) => undisturbed === null);
  if (live.length === 0) faults.push("nobody traded at the exchange");
  for (const { runner, positions } of live) {
    if (positions === null) faults.push(`${runner} told no position`);
    for (const symbol of symbols) {
      const held = (venue.balances.get(symbol.slice(0, -QUOTE.length)) ?? 0n) * TO_SCALED;
      const told = amountOf(positions?.get(symbol) ?? "0", `${runner}: ${symbol}`, faults);
      if (told !== held)
        faults.push(`${runner} told ${positions?.get(symbol)} ${symbol}, the account holds ${held} / 10^18`);
    }
  }
  return verdict("venue-holdings", faults, "what the live runner told of its positions is what its account holds");
}

/** A count of 10^-8, as the exchange's books hold it. */
function executedOf(value: unknown, order: string, faults: string[]): bigint {
  if (/^\d+$/.test(String(value))) return BigInt(String(value));
  faults.push(`order ${order} at the exchange executed ${JSON.stringify(value)}, which is no count`);
  return 0n;
}
