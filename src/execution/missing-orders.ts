import type { Log } from "../core/env.ts";
import type { LookupOutcome } from "./broker.ts";
import type { IntentRow } from "./journal-rows.ts";
import type { Ledger } from "./ledger.ts";

/**
 * Orders that the journal has as open and the venue does not know, though they can no longer come to life: a venue that forgot, or
 * was set back. Whether they were filled nobody can tell, so they stay open until a person has looked. At most the orders in flight.
 */
export class MissingOrders {
  readonly #log: Log;
  readonly #ids = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Takes what a look-up said; each order is told once. */
  note({ clientOrderId, status }: IntentRow, lookup: LookupOutcome["type"], windowPassed: boolean): void {
    if (lookup === "found") this.#ids.delete(clientOrderId);
    if (lookup !== "not-found" || status !== "open" || !windowPassed || this.#ids.has(clientOrderId)) return;
    this.#ids.add(clientOrderId);
    this.#log.warn(
      `The venue does not know order ${clientOrderId}, which it had accepted; it stays open. Compare with the venue's own records, ` +
        "then restart the runner: --accept-broker gives it up",
    );
  }

  /** Those that are still open. */
  of(ledger: Ledger): readonly IntentRow[] {
    return [...this.#ids].flatMap((id) => {
      const intent = ledger.find(id);
      if (intent?.status === "open") return [intent];
      this.#ids.delete(id);
      return [];
    });
  }
}
