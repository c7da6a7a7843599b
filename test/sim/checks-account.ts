import type { BrokerFill } from "../../src/execution/broker.ts";
import type { FillView, IntentView, JournalView } from "./journal-view.ts";
import type { Machine } from "./machine.ts";
import { scaled } from "./model/paper.ts";
import type { RunnerSpec } from "./scenario.ts";
import { holding, RECEIVE_WINDOW_MS, type VenueAccount, type VenueOrder, windowMarginMs } from "./sim-venue.ts";

/** Wall ms after the last hurt from which on every decision is carried out. */
const CALM_MS = 5000;
/** An outcome may still be open where its order was decided this late, wall ms before the end. */
const STILL_OPEN_MS = 6000;
/** A node that stands still as the hurting ends is back after this, and asks for every open order within as long again, wall ms. */
const STALL_MS = 4000;

/** One runner's journal and its account at the venue, as a run left them. */
export class AccountJudge {
  readonly #machine: Machine;
  readonly #spec: RunnerSpec;
  readonly #journal: JournalView;
  readonly #account: VenueAccount;
  /** Exchange time from which on nothing was hurt. */
  readonly #calmSinceMs: number;

  constructor(machine: Machine, spec: RunnerSpec, journal: JournalView, calmSinceMs: number) {
    this.#machine = machine;
    this.#spec = spec;
    this.#journal = journal;
    this.#account = machine.account(spec.name);
    this.#calmSinceMs = calmSinceMs;
  }

  /** Orders: none that was not decided, none twice, none forgotten. Fills: those of the venue, whole, and no others. */
  judge(): void {
    const seen = new Set<string>();
    for (const { clientOrderId } of this.#account.orders) {
      this.#check(5, !seen.has(clientOrderId), () => `the venue has ${clientOrderId} twice`);
      seen.add(clientOrderId);
    }
    for (const symbol of this.#machine.world.scenario.symbols) {
      const intents = this.#journal.intents(symbol);
      this.#judgeDecided(symbol, intents);
      intents.forEach((intent, at) => {
        this.#judgeIntent(intent, at);
      });
      this.#judgeFills(symbol, intents);
    }
  }

  #judgeDecided(symbol: string, intents: readonly IntentView[]): void {
    const known = new Map(intents.map((intent) => [intent.id, intent]));
    for (const order of this.#account.orders) {
      if (order.symbol !== symbol) continue;
      const intent = known.get(order.clientOrderId);
      const same =
        intent !== undefined && intent.side === order.side && scaled(intent.quantity) === scaled(order.quantity);
      this.#check(
        5,
        same,
        () => `the venue has ${order.side} ${order.quantity} as ${order.clientOrderId}, decided was ${told(intent)}`,
      );
    }
  }

  #judgeIntent(intent: IntentView, earlier: number): void {
    const { status, reason, id } = intent;
    const order = this.#account.find(id);
    const { speed } = this.#machine.world.scenario;
    const isCalm = intent.decidedAt > this.#calmSinceMs + CALM_MS * speed;
    const isSpoiled = status === "expired" || status === "lost" || (status === "rejected" && !isRefusal(reason));
    this.#check(10, !isCalm || !isSpoiled, () => `${id} is ${status} (${reason}), and nothing was hurt`);
    if (status === "unknown" && !order) {
      this.#check(5, !this.#isOverdue(intent), () => `${id} is still unknown, and can come to life no more`);
      return;
    }
    if (this.#isSettled(intent))
      this.#check(
        5,
        this.#fitsVenue(intent, order, earlier),
        () => `${id} is ${status} (${reason}), at the venue ${order?.status ?? "unknown"}`,
      );
  }

  /** What the venue does not know may come to life until its window has passed; then it is lost. */
  #isOverdue({ decidedAt }: IntentView): boolean {
    const { speed } = this.#machine.world.scenario;
    const nowMs = this.#machine.market.nowMs;
    const sinceMs = Math.max(decidedAt, this.#calmSinceMs + STALL_MS * speed);
    return nowMs - sinceMs > RECEIVE_WINDOW_MS + windowMarginMs(speed) + STALL_MS * speed;
  }

  #isSettled({ decidedAt, status }: IntentView): boolean {
    const isFinal = status !== "pending" && status !== "unknown" && status !== "open";
    return isFinal || this.#machine.market.nowMs - decidedAt > STILL_OPEN_MS * this.#machine.world.scenario.speed;
  }

  #fitsVenue({ id, status, reason }: IntentView, order: VenueOrder | undefined, earlier: number): boolean {
    switch (status) {
      case "filled":
        return order?.status === "filled";
      case "rejected": {
        // Whoever refused it has to have done so.
        if (order !== undefined) return false;
        if (isRefusal(reason)) return earlier >= this.#spec.maxInFlight;
        if (reason?.startsWith("halted:")) return this.#machine.disk.halted.has(this.#spec.name);
        return this.#account.rejected.has(id);
      }
      case "expired":
      case "lost":
        return order === undefined;
      default:
        return false;
    }
  }

  #judgeFills(symbol: string, intents: readonly IntentView[]): void {
    const journaled = new Map(this.#journal.fills(symbol).map((fill) => [fill.fillId, fill]));
    const settled = new Set(intents.filter((intent) => this.#isSettled(intent)).map(({ id }) => id));
    const atVenue = new Map<string, { readonly order: VenueOrder; readonly fill: BrokerFill }>();
    for (const order of this.#account.orders)
      if (order.symbol === symbol) for (const fill of order.fills) atVenue.set(fill.fillId, { order, fill });
    for (const [id, fill] of journaled) {
      const real = atVenue.get(id);
      const same = real !== undefined && sameFill(fill, real.order, real.fill);
      this.#check(
        5,
        same,
        () => `the journal has fill ${JSON.stringify(fill)}, at the venue it is ${JSON.stringify(real)}`,
      );
    }
    for (const [id, { order }] of atVenue) {
      const isDue = settled.has(order.clientOrderId);
      this.#check(5, !isDue || journaled.has(id), () => `fill ${id} of ${order.clientOrderId} is not in the journal`);
    }
    if ([...atVenue.keys()].some((id) => !journaled.has(id))) return;
    const [held, real] = [heldBy([...journaled.values()]), scaled(holding(this.#account, symbol))];
    this.#check(5, held === real, () => `the journal's fills of ${symbol} come to ${held}, the account holds ${real}`);
  }

  #check(invariant: 5 | 10, holds: boolean, what: () => string): void {
    this.#machine.world.check(invariant, holds, () => `${this.#spec.name}: ${what()}`);
  }
}

/** Refused here, for what is in flight: the simulator sets no other bound. */
export function isRefusal(reason: string | null): boolean {
  return reason !== null && /^refused: \d+ orders of \w+ are in flight already$/.test(reason);
}

function told(intent: IntentView | undefined): string {
  return intent ? `${intent.side} ${intent.quantity}` : "nothing";
}

function sameFill(journaled: FillView, order: VenueOrder, fill: BrokerFill): boolean {
  return (
    journaled.orderId === order.clientOrderId &&
    journaled.symbol === order.symbol &&
    journaled.side === order.side &&
    scaled(journaled.price) === scaled(fill.price) &&
    scaled(journaled.quantity) === scaled(fill.quantity) &&
    scaled(journaled.fee) === scaled(fill.fee) &&
    scaled(journaled.baseFee ?? "0") === scaled(fill.baseFee ?? "0")
  );
}

function heldBy(fills: readonly FillView[]): bigint {
  let held = 0n;
  for (const { side, quantity, baseFee } of fills)
    held += (side === "buy" ? scaled(quantity) : -scaled(quantity)) - scaled(baseFee ?? "0");
  return held;
}
