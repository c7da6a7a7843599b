import type {
  AccountOutcome,
  Broker,
  BrokerFill,
  BrokerOrder,
  BrokerReport,
  LookupOutcome,
  SubmitOutcome,
} from "../../../src/execution/broker.ts";
import { decimal, decimalText } from "../../../src/execution/decimal.ts";

/**
 * What happens to the next submit: the answer is lost after the order is there, lost before, still under way when the answer is
 * lost, refused, held up until released, turned away as too much, or filled in two parts of which the first is answered.
 */
export type Mishap = "ok" | "ack-lost" | "lost" | "in-transit" | "reject" | "stall" | "busy" | "parts";

/** How fills are pushed: not at all, before the answer to the submit, twice, or the newest first. */
export type Pushing = "none" | "first" | "twice" | "reversed";

interface VenueOrder extends BrokerOrder {
  readonly fills: BrokerFill[];
  /** Not filled yet. */
  left: number;
}

/** In-transit orders come to life so long after they were sent, within the validity window. */
const TRANSIT_MS = 45_000;
const PRICE = "100";

/**
 * A venue in memory that outlives its runners and counts what reaches it. Like Binance it takes an id again once the first
 * order is filled, so that a double order would show.
 */
export class Venue implements Broker {
  readonly mode = "live";
  readonly catchesUp = false;
  readonly validityWindowMs = 60_000;
  /** Everything it took, doubles included. */
  readonly orders: VenueOrder[] = [];
  readonly trades: Extract<AccountOutcome, { type: "known" }>["trades"][number][] = [];
  /** What somebody else did to the account, by symbol. */
  readonly moved = new Map<string, number>();
  readonly foreignOpen: { readonly clientOrderId: string; readonly symbol: string }[] = [];
  mishaps: Mishap[] = [];
  pushing: Pushing = "none";
  lookupFails = false;
  /** Null: it has no account to ask. */
  accountSays: "null" | "known" | "unknown" = "null";
  lookups = 0;
  submits = 0;
  nowMs: () => number = () => 0;
  /** Ends the stall of a submit. */
  release: () => void = () => {};
  #fills = 0;
  #listener: ((report: BrokerReport) => void) | null = null;
  readonly #transit: { readonly order: BrokerOrder; readonly atMs: number }[] = [];
  readonly #unpushed: BrokerReport[] = [];

  async submit(order: BrokerOrder, _withheld?: () => string | null): Promise<SubmitOutcome> {
    this.submits++;
    const mishap = this.mishaps.shift() ?? "ok";
    if (mishap === "stall") await new Promise<void>((resolve) => (this.release = resolve));
    if (mishap === "busy") return { type: "busy", reason: "too many requests", retryAfterMs: 3000 };
    if (mishap === "lost") return { type: "unknown", reason: "time-out before the venue" };
    if (mishap === "reject") return { type: "rejected", reason: "insufficient balance" };
    if (mishap === "in-transit") {
      this.#transit.push({ order, atMs: this.nowMs() + TRANSIT_MS });
      return { type: "unknown", reason: "time-out on the way" };
    }
    const taken = this.take(order, mishap === "parts" ? 2 : 1);
    this.fill(taken);
    if (mishap === "ack-lost") throw new Error("connection lost");
    return { type: "accepted", fills: [...taken.fills] };
  }

  async lookup(order: BrokerOrder): Promise<LookupOutcome> {
    this.lookups++;
    this.arrive();
    if (this.lookupFails) return { type: "unknown", reason: "503" };
    const found = this.orders.find((known) => known.clientOrderId === order.clientOrderId);
    if (!found) return { type: "not-found" };
    if (found.left > 0) this.fill(found);
    return { type: "found", status: found.left > 0 ? "open" : "filled", reason: null, fills: [...found.fills] };
  }

  account(symbols: readonly string[], sinceMs: number): Promise<AccountOutcome> | null {
    if (this.accountSays === "null") return null;
    if (this.accountSays === "unknown") return Promise.resolve({ type: "unknown", reason: "503" });
    this.arrive();
    return Promise.resolve({
      type: "known",
      openOrders: [...this.orders.filter(({ left }) => left > 0), ...this.foreignOpen].map(
        ({ clientOrderId, symbol }) => ({ clientOrderId, symbol }),
      ),
      baseAssets: new Map(symbols.map((symbol) => [symbol, symbol.replace(/USD[TC]$/, "")])),
      holdings: new Map(symbols.map((symbol) => [symbol, this.#holding(symbol)])),
      trades: this.trades.filter(({ timeMs }) => timeMs >= sinceMs),
    });
  }

  follow(listener: (report: BrokerReport) => void): void {
    this.#listener = listener;
  }

  /** The runner that listened is gone. */
  close(): Promise<void> {
    this.#listener = null;
    return Promise.resolve();
  }

  fillsAt(): readonly BrokerFill[] {
    return [];
  }

  /** What a push would tell, straight to the listener. */
  push(report: BrokerReport): void {
    this.#listener?.(report);
  }

  /** Takes an order, to be filled in so many parts. */
  take(order: BrokerOrder, parts: number): VenueOrder {
    const taken: VenueOrder = { ...order, fills: [], left: parts };
    this.orders.push(taken);
    return taken;
  }

  /** Fills the next part of an order, and pushes it as it pleases. */
  fill(order: VenueOrder): void {
    const parts = order.left + order.fills.length;
    const quantity = decimalText(decimal(order.quantity).div(String(parts)));
    const timeMs = this.nowMs();
    const fill: BrokerFill = {
      fillId: `v${++this.#fills}`,
      clientOrderId: order.clientOrderId,
      price: PRICE,
      quantity,
      fee: "0.1",
      timeMs,
    };
    order.left--;
    order.fills.push(fill);
    this.trades.push({ ...fill, symbol: order.symbol, side: order.side, timeMs });
    if (this.pushing === "none") return;
    const status = order.left > 0 ? "open" : "filled";
    const report: BrokerReport = { clientOrderId: order.clientOrderId, status, reason: null, fills: [fill] };
    this.#unpushed.push(report, ...(this.pushing === "twice" ? [report] : []));
    if (this.pushing === "reversed") this.#unpushed.reverse();
    if (this.pushing === "first" || order.left === 0) for (const each of this.#unpushed.splice(0)) this.push(each);
  }

  /** Orders that were under way and whose time has come are there now. */
  arrive(): void {
    for (let at = 0; at < this.#transit.length; ) {
      const due = this.#transit[at];
      if (due && due.atMs <= this.nowMs()) {
        this.#transit.splice(at, 1);
        this.fill(this.take(due.order, 1));
      } else at++;
    }
  }

  #holding(symbol: string): string {
    const base = symbol.replace(/USD[TC]$/, "");
    let held = decimal("5");
    for (const trade of this.trades) {
      if (!trade.symbol.startsWith(base)) continue;
      held = trade.side === "buy" ? held.plus(trade.quantity) : held.minus(trade.quantity);
    }
    for (const [moved, quantity] of this.moved) if (moved.startsWith(base)) held = held.plus(String(quantity));
    return decimalText(held);
  }
}
