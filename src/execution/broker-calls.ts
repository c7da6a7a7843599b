import { messageOf } from "../core/errors.ts";
import type { Broker, BrokerOrder, LookupOutcome, SubmitOutcome } from "./broker.ts";
import type { IntentRow } from "./journal-rows.ts";

/** Hands an order over, once. Whatever goes wrong is an unknown outcome: it may have arrived. */
export async function submitOrder(
  broker: Broker,
  intent: IntentRow,
  withheld: () => string | null,
): Promise<SubmitOutcome> {
  try {
    return await broker.submit(brokerOrder(intent), withheld);
  } catch (error) {
    return { type: "unknown", reason: messageOf(error) };
  }
}

/** Asks for an order by its id. */
export async function lookUpOrder(broker: Broker, intent: IntentRow): Promise<LookupOutcome> {
  try {
    return await broker.lookup(brokerOrder(intent));
  } catch (error) {
    return { type: "unknown", reason: messageOf(error) };
  }
}

export function brokerOrder({ clientOrderId, symbol, side, quantity }: IntentRow): BrokerOrder {
  return { clientOrderId, symbol, side, quantity };
}
