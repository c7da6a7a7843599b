import type { Clock, Log, Timers } from "../core/env.ts";
import type { Broker } from "./broker.ts";
import type { IntentRow } from "./journal-rows.ts";
import type { Ledger } from "./ledger.ts";

/** What the order desk works with. */
export interface DeskDeps {
  readonly ledger: Ledger;
  readonly broker: Broker;
  /** The venue's clock now, epoch ms; null while it is not known. */
  readonly exchangeNowMs: () => number | null;
  /** Why nothing may be sent now; null where it may. */
  readonly halted: () => string | null;
  /** Why an order may not go out by the limits as they are now; null where it may. */
  readonly refusal: (intent: IntentRow) => string | null;
  /** Told once what stopped the desk. */
  readonly onFault: (error: unknown) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}
