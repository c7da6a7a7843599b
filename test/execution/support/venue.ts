import type { Broker, BrokerFill, BrokerOrder, LookupOutcome, SubmitOutcome } from "../../../src/execution/broker.ts";

/** What happens to the next calls: the answer is lost after the order is there, lost before, or the order is refused. */
export type Mishap = "ok" | "ack-lost" | "lost" | "reject" | "stall";

/**
 * A venue in memory that outlives its runners and counts what reaches it. Like Binance it takes an id again once the first
 * order is filled, so that a double order would show.
 */
export class Venue implements Broker {
  readonly mode = "live";
  readonly catchesUp = false;
  readonly validityWindowMs = 60_000;
  readonly orders: BrokerOrder[] = [];
  mishaps: Mishap[] = [];
  lookupFails = false;
  lookups = 0;
  /** Ends the stall of a submit. */
  release: () => void = () => {};

  async submit(order: BrokerOrder): Promise<SubmitOutcome> {
    const mishap = this.mishaps.shift() ?? "ok";
    if (mishap === "stall") await new Promise<void>((resolve) => (this.release = resolve));
    if (mishap === "lost") return { type: "unknown", reason: "time-out before the venue" };
    if (mishap === "reject") return { type: "rejected", reason: "insufficient balance" };
    this.orders.push(order);
    if (mishap === "ack-lost") throw new Error("connection lost");
    return { type: "accepted", fills: [venueFill(order)] };
  }

  lookup(order: BrokerOrder): Promise<LookupOutcome> {
    this.lookups++;
    if (this.lookupFails) return Promise.resolve({ type: "unknown", reason: "503" });
    const found = this.orders.find((known) => known.clientOrderId === order.clientOrderId);
    return Promise.resolve(
      found ? { type: "found", status: "filled", reason: null, fills: [venueFill(found)] } : { type: "not-found" },
    );
  }

  account(): null {
    return null;
  }

  follow(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  fillsAt(): readonly BrokerFill[] {
    return [];
  }
}

function venueFill(order: BrokerOrder): BrokerFill {
  return {
    fillId: `v-${order.clientOrderId}`,
    clientOrderId: order.clientOrderId,
    price: "100",
    quantity: order.quantity,
    fee: "0.1",
  };
}
