import { type Evidence, type RunnerEvidence, type Verdict, verdict } from "./evidence.ts";
import type { JournalContents, Row } from "./journals.ts";
import type { PlayFacts } from "./play.ts";

/** Decimal places that quantities, prices and fees are added up in. */
const SCALE = 18;
/** Paper's slippage is one basis point, its price rounded to twelve decimals: the figure as a double is this near. */
const PRICE_TOLERANCE = 1e-9;

/** The trading side: decided once, ordered once, filled once, as if nothing had happened. */
export function judgeTrading(evidence: Evidence): readonly Verdict[] {
  return [orders(evidence), fills(evidence), decisions(evidence), positions(evidence)];
}

/** How an order may stand at the end: on paper none is lost to anything; a venue may be away, refuse, or take none in time. */
const PAPER_ENDS: ReadonlySet<string> = new Set(["filled", "open"]);
const LIVE_ENDS: ReadonlySet<string> = new Set(["filled", "rejected", "expired", "lost"]);

function orders({ runners, play, symbols }: Evidence): Verdict {
  const faults: string[] = [];
  let lost = 0;
  const ids = new Set<string>();
  const decided = new Set<string>();
  for (const { runner, found, undisturbed } of runners) {
    for (const intent of found.intents) {
      const id = String(intent.client_order_id);
      const decision = `${runner} ${intent.symbol} ${intent.open_time} #${intent.ordinal}`;
      if (ids.has(id)) faults.push(`order ${id} twice`);
      if (decided.has(decision)) faults.push(`${decision} was decided twice`);
      ids.add(id);
      decided.add(decision);
      if (intent.status === "lost") lost++;
      const final = undisturbed === null ? LIVE_ENDS : PAPER_ENDS;
      if (!final.has(String(intent.status))) faults.push(`${decision} is ${intent.status}`);
    }
  }
  if (ids.size === 0) faults.push("no order was made");
  // An order is lost where it was on its way as something broke: of each symbol one at a time.
  const outages = outagesOf(play);
  if (lost > outages * symbols.length) faults.push(`${lost} orders are lost, and ${outages} things were in their way`);
  return verdict("orders-once", faults, `${ids.size} orders, none twice by id or by decision, none unsent or unknown`);
}

/** Kills, stalls, faults of the wire to the exchange and of the disk: whatever can break an order on its way. */
function outagesOf({ kills, faults }: PlayFacts): number {
  const broken = Object.entries(faults).filter(([name]) => /^(wire\.exchange|stall\.(sim|runner)|disk)\b/.test(name));
  return (kills.sim ?? 0) + (kills.runner ?? 0) + broken.reduce((sum, [, count]) => sum + count, 0);
}

function fills({ runners, rows }: Evidence): Verdict {
  const faults: string[] = [];
  const opens = new Map(rows.map((row) => [`${row.symbol} ${row.openTime}`, row]));
  let count = 0;
  for (const { runner, found, undisturbed } of runners) {
    // What a venue fills is judged against its own books.
    if (undisturbed === null) continue;
    const seen = new Set<string>();
    const filled = new Map<string, bigint>();
    const intents = new Map(found.intents.map((intent) => [String(intent.client_order_id), intent]));
    for (const fill of found.fills) {
      count++;
      const id = String(fill.fill_id);
      const order = String(fill.client_order_id);
      const intent = intents.get(order);
      if (seen.has(id)) faults.push(`${runner}: fill ${id} twice`);
      seen.add(id);
      filled.set(order, (filled.get(order) ?? 0n) + amountOf(fill.quantity, `${runner}: fill ${id}`, faults));
      const candle = opens.get(`${fill.symbol} ${fill.candle_open_time}`);
      if (!intent || intent.side !== fill.side) faults.push(`${runner}: fill ${id} belongs to no order of its side`);
      else if (!candle || candle.trades === 0 || Number(intent.open_time) >= Number(fill.candle_open_time))
        faults.push(`${runner}: fill ${id} is not at a later candle with trades`);
      else if (!isPrice(fill, candle.open))
        faults.push(`${runner}: fill ${id} at ${fill.price}, the open is ${candle.open}`);
    }
    for (const [order, intent] of intents) {
      const wanted = intent.status === "filled" ? amountOf(intent.quantity, `${runner}: order ${order}`, faults) : 0n;
      if ((filled.get(order) ?? 0n) !== wanted)
        faults.push(`${runner}: order ${order} (${intent.status}) is not filled once`);
    }
  }
  if (count === 0) faults.push("nothing was filled");
  return verdict("fills-once", faults, `${count} fills, each once, of its order's quantity, at the next candle's open`);
}

function isPrice(fill: Row, open: number): boolean {
  const wanted = open * (fill.side === "buy" ? 1.0001 : 0.9999);
  return Math.abs(Number(fill.price) - wanted) <= PRICE_TOLERANCE * wanted;
}

const TABLES = ["anchors", "cursors", "intents", "fills", "states"] as const;

function decisions({ runners }: Evidence): Verdict {
  const faults = runners.flatMap((each) => [...beginnings(each), ...differences(each)]);
  const count = runners.reduce((sum, { found, undisturbed }) => sum + (undisturbed ? found.intents.length : 0), 0);
  return verdict("decisions", faults, `${count} decisions, their fills and states equal an undisturbed run's`);
}

/** A journal begun anew equals itself: it must have begun where it did before anything was hurt, and gone on from there. */
function beginnings({ runner, found, begun, undisturbed }: RunnerEvidence): readonly string[] {
  const faults: string[] = [];
  if (begun === null) faults.push(`${runner} had not begun before the first fault`);
  else if (begun.startSeq !== found.startSeq)
    faults.push(`${runner} began after row ${begun.startSeq}, and its journal says ${found.startSeq}`);
  else if (JSON.stringify(begun.anchors) !== JSON.stringify(found.anchors))
    faults.push(
      `${runner} began at ${JSON.stringify(begun.anchors)}, and its journal says ${JSON.stringify(found.anchors)}`,
    );
  if (undisturbed !== null) return faults;
  // The live runner's strategy decides once on every candle.
  for (const { symbol, delivered } of found.cursors) {
    const decided = found.intents.filter((intent) => intent.symbol === symbol).length;
    if (decided !== delivered)
      faults.push(`${runner} had ${delivered} candles of ${symbol} and took ${decided} decisions`);
  }
  return faults;
}

function differences({ runner, found, undisturbed }: RunnerEvidence): readonly string[] {
  if (undisturbed === null) return [];
  if ("problem" in undisturbed) return [`${runner}: the undisturbed run failed: ${undisturbed.problem}`];
  return TABLES.flatMap((table) => {
    const [ours, theirs] = [found[table], undisturbed[table]] satisfies [
      JournalContents[typeof table],
      JournalContents[typeof table],
    ];
    const faults: string[] = [];
    if (ours.length !== theirs.length) faults.push(`${runner}: ${ours.length} ${table}, undisturbed ${theirs.length}`);
    const at = ours.findIndex((row, index) => JSON.stringify(row) !== JSON.stringify(theirs[index]));
    if (at >= 0) faults.push(`${runner}: ${table} ${JSON.stringify(ours[at])}, not ${JSON.stringify(theirs[at])}`);
    return faults;
  });
}

function positions({ runners }: Evidence): Verdict {
  const faults: string[] = [];
  let compared = 0;
  for (const { runner, found, positions: told, undisturbed } of runners) {
    if (undisturbed === null) continue;
    const sums = new Map<string, bigint>();
    for (const fill of found.fills) {
      const signed =
        amountOf(fill.quantity, `${runner}: fill ${fill.fill_id}`, faults) * (fill.side === "buy" ? 1n : -1n);
      sums.set(String(fill.symbol), (sums.get(String(fill.symbol)) ?? 0n) + signed);
    }
    if (told === null) faults.push(`${runner} told no position`);
    for (const symbol of new Set([...sums.keys(), ...(told?.keys() ?? [])])) {
      compared++;
      const sum = sums.get(symbol) ?? 0n;
      if (amountOf(told?.get(symbol) ?? "0", `${runner}: ${symbol}`, faults) !== sum)
        faults.push(`${runner} told ${told?.get(symbol)} ${symbol}, its fills sum up to ${sum} / 10^${SCALE}`);
    }
  }
  if (compared === 0) faults.push("nobody holds anything");
  return verdict("positions", faults, `${compared} positions are the sums of their fills`);
}

/** A decimal text in units of 10^-18, exact; null where it is none. */
export function scaled(value: unknown): bigint | null {
  const found = /^(-?)(\d+)(?:\.(\d{1,18}))?$/.exec(String(value));
  if (found === null) return null;
  const [, sign = "", whole = "0", part = ""] = found;
  return BigInt(`${sign}${whole}${part.padEnd(SCALE, "0")}`);
}

/** As `scaled`; what is no decimal text is a fault of `whose`, and counts as nothing. */
export function amountOf(value: unknown, whose: string, faults: string[]): bigint {
  const amount = scaled(value);
  if (amount === null) faults.push(`${whose} has an amount that is no number: ${JSON.stringify(value)}`);
  return amount ?? 0n;
}
