import type {
  AccountOutcome,
  Broker,
  BrokerFill,
  BrokerOrder,
  BrokerReport,
  LookupOutcome,
  SubmitOutcome,
} from "../../src/execution/broker.ts";
import type { Seeded } from "../provider/sim/seeded.ts";
import type { Life } from "./life.ts";
import type { VenueMarket } from "./venue-market.ts";
import type { World } from "./world.ts";

/** Exchange ms that a request may be under way until the venue takes it no more. */
export const RECEIVE_WINDOW_MS = 60_000;
/** Wall ms by which a runner's idea of the venue's clock may be wrong: part of the margin. */
const CLOCK_MARGIN_MS = 6000;

/** What is added to the venue's own window, exchange ms. */
export function windowMarginMs(speed: number): number {
  return CLOCK_MARGIN_MS * speed;
}

export interface VenueOrder extends BrokerOrder {
  readonly acceptedMs: number;
  readonly fills: (BrokerFill & { readonly timeMs: number })[];
  status: "open" | "filled";
}

/** One runner's account at the venue. It outlives the runner, and takes an id again once its first order is filled, as Binance does. */
export class VenueAccount {
  readonly world: World;
  readonly market: VenueMarket;
  readonly runner: string;
  readonly orders: VenueOrder[] = [];
  readonly rejected = new Set<string>();
  /** Told before an order is taken. */
  readonly onArrival: ((order: BrokerOrder) => void)[] = [];
  follower: { readonly life: Life; readonly listener: (report: BrokerReport) => void } | null = null;
  readonly #chance: Seeded;
  #fills = 0;

  constructor(world: World, market: VenueMarket, runner: string) {
    this.world = world;
    this.market = market;
    this.runner = runner;
    this.#chance = world.chance(`account ${runner}`);
  }

  find(clientOrderId: string): VenueOrder | undefined {
    return this.orders.findLast((order) => order.clientOrderId === clientOrderId);
  }

  /** A request arrives. Null where the venue refuses it: the id is that of an open order. */
  accept(order: BrokerOrder): VenueOrder | null {
    for (const told of this.onArrival) told(order);
    if (this.find(order.clientOrderId)?.status === "open") return null;
    const taken: VenueOrder = { ...order, acceptedMs: this.market.nowMs, fills: [], status: "open" };
    this.orders.push(taken);
    this.world.note(this.runner, `the venue takes ${order.clientOrderId}`);
    const partial = this.#hurts("broker.partial", 0.7);
    const waits = this.#chance.chance(0.3) || partial;
    if (waits) this.#fillLater(taken, partial ? 2 : 1);
    else this.#fill(taken, order.quantity);
    return taken;
  }

  #fillLater(order: VenueOrder, parts: number): void {
    this.world.time.after(5 + this.#chance.below(900), () => {
      const left = subtract(order.quantity, order.fills);
      const part = parts > 1 ? half(left) : left;
      this.#fill(order, part);
      if (order.status === "open") this.#fillLater(order, parts - 1);
    });
  }

  #fill(order: VenueOrder, quantity: string): void {
    const price = (100 + this.#chance.below(5000) / 100).toFixed(2);
    const fill = {
      fillId: `v${++this.#fills}`,
      clientOrderId: order.clientOrderId,
      ...{ price, quantity, fee: String((1 + this.#chance.below(90)) / 10_000), timeMs: Math.floor(this.market.nowMs) },
      // The venue takes its fee out of what was bought.
      ...(this.#hurts("broker.base-fee", 0.8) ? { baseFee: decimals(units(quantity) / 1000) } : {}),
    };
    order.fills.push(fill);
    if (Number(subtract(order.quantity, order.fills)) <= 0) order.status = "filled";
    this.world.note(this.runner, `the venue fills ${quantity} of ${order.clientOrderId}`);
    const report: BrokerReport = {
      clientOrderId: order.clientOrderId,
      ...{ status: order.status, reason: null, fills: [fill] },
    };
    this.#push(report);
    if (this.#hurts("broker.push-twice", 0.6)) this.#push(report);
  }

  #push(report: BrokerReport): void {
    const to = this.follower;
    const isLost = this.#hurts("broker.push-lost", 0.9) || this.#chance.chance(this.world.isHurting ? 0.2 : 0);
    if (to === null || isLost) return;
    const delayMs = this.world.scenario.rates["broker.push-first"] > 0 ? 0.1 : 1 + this.#chance.below(400);
    this.world.time.after(delayMs, () => {
      if (this.follower === to) to.life.enter(() => to.listener(report));
    });
  }

  #hurts(fault: keyof World["scenario"]["rates"], most: number): boolean {
    return this.world.isHurting && this.#chance.chance(this.world.scenario.rates[fault] * most);
  }
}

/** The venue as one life of a runner reaches it: answers are lost, late, or never come. */
export class VenueBroker implements Broker {
  readonly mode = "live";
  readonly catchesUp = false;
  readonly validityWindowMs: number;
  readonly #account: VenueAccount;
  readonly #life: Life;

  constructor(account: VenueAccount, life: Life) {
    this.#account = account;
    this.#life = life;
    this.validityWindowMs = RECEIVE_WINDOW_MS + windowMarginMs(account.world.scenario.speed);
  }

  async submit(order: BrokerOrder): Promise<SubmitOutcome> {
    const { chance, world } = this.#life;
    const account = this.#account;
    const slowMs = this.#hurts("broker.slow", 0.4) ? chance.below(2500) : 1 + chance.below(30);
    if (this.#hurts("broker.busy", 0.3))
      return this.#life.call("a busy venue", slowMs, () => ({ type: "busy", reason: "429", retryAfterMs: 300 }));
    if (this.#hurts("broker.lost", 0.6))
      return this.#life.call("a lost request", slowMs + 500, () => ({ type: "unknown", reason: "time-out" }));
    if (this.#hurts("broker.reject", 0.4)) {
      return this.#life.call(
        "a rejection",
        slowMs,
        () => {
          account.rejected.add(order.clientOrderId);
          return { type: "rejected", reason: "insufficient balance" };
        },
        true,
      );
    }
    if (this.#hurts("broker.late", 0.8)) {
      const lateMs = (RECEIVE_WINDOW_MS / world.scenario.speed) * chance.next();
      const arrives = this.#life.call(
        "a late request",
        0,
        () => {
          world.time.after(lateMs, () => void account.accept(order));
        },
        true,
      );
      void arrives;
      return this.#life.call("a time-out", Math.min(lateMs, 400), () => ({ type: "unknown", reason: "time-out" }));
    }
    const ackLost = this.#hurts("broker.ack-lost", 0.7);
    return this.#life.call(
      `submitting ${order.clientOrderId}`,
      slowMs,
      (): SubmitOutcome => {
        const taken = account.accept(order);
        if (ackLost && chance.chance(0.5)) throw new Error("connection reset");
        if (ackLost) return { type: "unknown", reason: "503" };
        if (taken === null) return { type: "rejected", reason: "duplicate order" };
        return { type: "accepted", fills: [...taken.fills] };
      },
      true,
    );
  }

  lookup(order: BrokerOrder): Promise<LookupOutcome> {
    const fails = this.#hurts("broker.lookup-fails", 0.5);
    return this.#life.call(`looking up ${order.clientOrderId}`, 1 + this.#life.chance.below(40), (): LookupOutcome => {
      if (fails) return { type: "unknown", reason: "503" };
      const found = this.#account.find(order.clientOrderId);
      if (!found) return { type: "not-found" };
      return { type: "found", status: found.status, reason: null, fills: [...found.fills] };
    });
  }

  account(symbols: readonly string[], sinceMs: number): Promise<AccountOutcome> {
    const fails = this.#hurts("broker.lookup-fails", 0.3);
    return this.#life.call("asking for the account", 1 + this.#life.chance.below(60), (): AccountOutcome => {
      if (fails) return { type: "unknown", reason: "503" };
      const ours = this.#account.orders.filter((order) => symbols.includes(order.symbol));
      return {
        type: "known",
        openOrders: ours.filter((order) => order.status === "open"),
        baseAssets: new Map(symbols.map((symbol) => [symbol, symbol.slice(0, 3)])),
        holdings: new Map(symbols.map((symbol) => [symbol, holding(this.#account, symbol)])),
        trades: ours
          .flatMap((order) => order.fills.map((fill) => ({ ...fill, symbol: order.symbol, side: order.side })))
          .filter((trade) => trade.timeMs >= sinceMs),
      };
    });
  }

  follow(listener: (report: BrokerReport) => void): void {
    this.#life.step("following the account");
    this.#account.follower = { life: this.#life, listener };
  }

  fillsAt(): readonly BrokerFill[] {
    return [];
  }

  async close(): Promise<void> {
    if (this.#account.follower?.life === this.#life) this.#account.follower = null;
  }

  #hurts(fault: keyof World["scenario"]["rates"], most: number): boolean {
    const drawn = this.#life.chance.next();
    return this.#life.world.isHurting && drawn < this.#life.world.scenario.rates[fault] * most;
  }
}

/** Signed, of all fills. */
export function holding(account: VenueAccount, symbol: string): string {
  let sum = 0;
  for (const order of account.orders) {
    if (order.symbol !== symbol) continue;
    for (const fill of order.fills)
      sum += (order.side === "buy" ? 1 : -1) * units(fill.quantity) - units(fill.baseFee ?? "0");
  }
  return decimals(sum);
}

/** In hundred-millionths: quantities have at most four decimals, fees eight. */
function units(quantity: string): number {
  return Math.round(Number(quantity) * 100_000_000);
}

/** A plain decimal, without an exponent or zeros at its end. */
function decimals(amount: number): string {
  return (amount / 100_000_000)
    .toFixed(8)
    .replace(/\.?0+$/, "")
    .replace(/^-0$/, "0");
}

function subtract(quantity: string, fills: readonly BrokerFill[]): string {
  return decimals(fills.reduce((left, fill) => left - units(fill.quantity), units(quantity)));
}

function half(quantity: string): string {
  return decimals(Math.ceil(units(quantity) / 20_000) * 10_000);
}
