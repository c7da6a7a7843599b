import type { LookupOutcome } from "./broker.ts";

/**
 * adopt: take what the broker says. send: it may go out. doubt: it becomes `unknown`. wait: as it is, asked again later.
 * lose: it becomes `lost`.
 */
export type RecoveryStep = "adopt" | "send" | "expire" | "doubt" | "wait" | "lose";

/** A decision's age against maxDecisionAge; `untold` while the venue's clock is not known. */
export type DecisionAge = "young" | "old" | "untold";

export interface RecoveryFacts {
  readonly status: "pending" | "unknown" | "open";
  readonly lookup: LookupOutcome["type"];
  /** Fills are simulated from the candles: the broker's only memory is the journal. */
  readonly simulated: boolean;
  readonly age: DecisionAge;
  /** The venue's validity window has passed since the order was sent. */
  readonly windowPassed: boolean;
}

/**
 * What to do with an order that is not final, after the broker was asked for it by its id. `pending` was certainly never taken
 * by the broker, since an order is journaled as `unknown` before it is handed over, and goes back only where the venue said that
 * it did not take it; hence an `unknown` one is never sent again, save to a simulation, which cannot double.
 *
 *   status   lookup     and                          step
 *   any      found                                   adopt   (open, filled or rejected, with its fills)
 *   pending  not-found  simulated                    send
 *   pending  not-found  within maxDecisionAge        send
 *   pending  not-found  older than that              expire
 *   pending  not-found  the clock is not known       wait    (it will be, soon)
 *   pending  unknown                                 doubt   (unknown, its window counts from now)
 *   unknown  not-found  simulated                    send
 *   unknown  not-found  window not passed            wait    (it may still come to life there)
 *   unknown  not-found  window passed                lose
 *   unknown  unknown                                 wait    (however long: it may have been filled)
 *   open     not-found, unknown                      wait    (the venue had accepted it, or the journal is its home)
 */
export function recoveryStep({ status, lookup, simulated, age, windowPassed }: RecoveryFacts): RecoveryStep {
  if (lookup === "found") return "adopt";
  if (status === "open") return "wait";
  if (lookup === "unknown") return status === "pending" ? "doubt" : "wait";
  if (simulated) return "send";
  if (status === "pending") return age === "young" ? "send" : age === "old" ? "expire" : "wait";
  return windowPassed ? "lose" : "wait";
}
