import type { OrderStatus } from "../core/decision.ts";
import { FabricError } from "../core/errors.ts";
import type { BrokerFill } from "./broker.ts";
import { type DecimalValue, decimal } from "./decimal.ts";
import type { FillRow, IntentRow } from "./journal-rows.ts";

/** What a broker says of one order, by whatever way: an answer, a look-up, a push, the account's trades. */
export interface OrderNews {
  readonly status: "open" | "filled" | "rejected";
  readonly reason: string | null;
  readonly fills: readonly BrokerFill[];
  /** The fills are all of the order's so far, so that the status is the last word of it. */
  readonly whole: boolean;
  /** How much was filled in all by then, decimal string; absent where it is not told. */
  readonly filled?: string;
}

/** What the journal holds of the order. */
export interface KnownOrder {
  readonly intent: IntentRow;
  readonly fills: readonly FillRow[];
  /** The journaled fill of that id, of whatever order. */
  readonly fill: (fillId: string) => FillRow | null;
}

export interface NewsVerdict {
  readonly status: OrderStatus;
  readonly fresh: readonly BrokerFill[];
  /** Fills told before. */
  readonly repeated: number;
  /** The order was final, and this is a fill all the same, or brings it back to life. */
  readonly late: boolean;
}

/**
 * What journal and venue say cannot both be true, and it is money: nothing is sent until a person has looked. The node stays up
 * to say so; a restart compares anew.
 */
export class TradingHalt extends FabricError {
  constructor(message: string) {
    super("refused", message);
    this.name = "TradingHalt";
  }
}

const FINAL: ReadonlySet<OrderStatus> = new Set(["filled", "rejected", "expired", "lost"]);

export function isFinal(status: OrderStatus): boolean {
  return FINAL.has(status);
}

/**
 * What news of an order changes. News may come in any order, repeated and late, and a fill is a fact whatever the order's
 * state; so the state follows from what is known in all, never from which news came last:
 *
 *   filled in all   news                      order stands at            becomes
 *   whole order     any                       any                        filled
 *   less            open                      pending unknown open lost expired   open
 *   less            filled, its last word     any                        filled (the venue counts it as done)
 *   less            filled, not all told      pending unknown open lost expired   open (a look-up brings the rest)
 *   less            rejected, all told        pending unknown open lost expired   rejected (what was filled stays)
 *   less            rejected, not all told    pending unknown open lost expired   open (a look-up brings the rest, and the end)
 *   less            open, rejected            filled rejected            as it stands
 *
 * All is told where the news has every fill (a look-up, a refusal), or where what is known adds up to what it says was filled: a
 * push tells its own fill alone, and the ones before it may have been lost.
 *
 * Throws TradingHalt where a fill is of another order, more than the order, not a number, or told before with other figures,
 * and where the order was refused here and never sent.
 */
export function weighNews(known: KnownOrder, news: OrderNews): NewsVerdict {
  const { intent } = known;
  const fresh = new Map<string, BrokerFill>();
  let filled = known.fills.reduce((sum, fill) => sum.plus(fill.quantity), decimal("0"));
  let repeated = 0;
  for (const fill of news.fills) {
    const before = fresh.get(fill.fillId) ?? known.fill(fill.fillId);
    checkFill(intent, fill, before);
    if (before === null) {
      fresh.set(fill.fillId, fill);
      filled = filled.plus(fill.quantity);
    } else repeated++;
  }
  if (filled.gt(intent.quantity)) {
    throw contradiction(
      intent,
      `fills of ${filled.toFixed()} in all, more than the ${intent.quantity} that were ordered`,
    );
  }
  if (intent.refusal !== null && (fresh.size > 0 || news.status !== "rejected"))
    throw contradiction(intent, `an order ${news.status}, which was refused here (${intent.refusal}) and never sent`);
  const status = statusAfter(intent.status, news, filled, filled.eq(intent.quantity));
  const late = isFinal(intent.status) && (fresh.size > 0 || !isFinal(status));
  return { status, fresh: [...fresh.values()], repeated, late };
}

function statusAfter(now: OrderStatus, news: OrderNews, filled: DecimalValue, isWhole: boolean): OrderStatus {
  if (isWhole) return "filled";
  if (news.status === "filled" && news.whole) return "filled";
  if (now === "filled" || now === "rejected") return now;
  const isAllTold = news.whole || (news.filled !== undefined && plain(news.filled)?.eq(filled) === true);
  return news.status === "rejected" && isAllTold ? "rejected" : "open";
}

function checkFill(intent: IntentRow, fill: BrokerFill, before: BrokerFill | FillRow | null): void {
  if (fill.clientOrderId !== intent.clientOrderId)
    throw contradiction(intent, `fill ${fill.fillId} of order ${fill.clientOrderId}`);
  const [quantity, price] = [positive(fill.quantity), positive(fill.price)];
  const fees = [fill.fee, fill.baseFee ?? "0"].map(plain);
  if (!quantity || !price || fees.includes(null))
    throw contradiction(intent, `fill ${fill.fillId} of "${fill.quantity}" at "${fill.price}", fee "${fill.fee}"`);
  if (before === null) return;
  if (before.clientOrderId === fill.clientOrderId && quantity.eq(before.quantity) && price.eq(before.price)) return;
  throw contradiction(
    intent,
    `fill ${fill.fillId} of ${fill.quantity} at ${fill.price}, journaled before as ${before.quantity} at ${before.price} ` +
      `of order ${before.clientOrderId}`,
  );
}

function contradiction({ clientOrderId, symbol, side, quantity }: IntentRow, what: string): TradingHalt {
  return new TradingHalt(
    `The broker tells of order ${clientOrderId} (${side} ${quantity} ${symbol}): ${what}; nothing more is sent. ` +
      "Compare `fabric explain` with the venue's own records, then restart the runner: it compares both before it trades",
  );
}

function positive(text: string): DecimalValue | null {
  const value = plain(text);
  return value?.gt("0") ? value : null;
}

/** Null where it is no number. */
function plain(text: string): DecimalValue | null {
  try {
    return decimal(text);
  } catch {
    // big.js throws for anything but the text of a number, and says no more than that.
    return null;
  }
}
