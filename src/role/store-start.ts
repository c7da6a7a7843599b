import type { Log, Timers } from "../core/env.ts";
import type { StoreReader, StoreView } from "../store/contract.ts";

const LOOK_MS = 50;
/** So many looks in vain are worth a word: a second. */
const PATIENT_LOOKS = 20;

/**
 * Waits for the store to know its first close: a new consumer starts there, and what lies before is warm-up. Null where `stop`
 * is aborted first. Rejects as the reader does ("config" for another schema version).
 */
export async function storeStart(
  reader: Pick<StoreReader, "view">,
  stop: AbortSignal,
  deps: { readonly timers: Timers; readonly log: Log },
): Promise<StoreView | null> {
  for (let looks = 0; !stop.aborted; looks++) {
    const view = await reader.view();
    if (view !== null && view.closedThrough !== null) return view;
    if (looks === PATIENT_LOOKS) deps.log.info("Waiting for the store's first candles; market-data brings them");
    await new Promise<void>((resolve) => deps.timers.after(LOOK_MS, resolve));
  }
  return null;
}
