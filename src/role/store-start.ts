import type { Log, Timers } from "../core/env.ts";
import { isPassing } from "../core/errors.ts";
import type { StoreReader, StoreView } from "../store/contract.ts";

interface Patience {
  readonly timers: Timers;
  readonly log: Log;
}

const LOOK_MS = 50;
/** So many looks in vain are worth a word: a second. */
const PATIENT_LOOKS = 20;
/** So many failures of one read are worth another warning: ten seconds. */
const FAILURES_PER_WARNING = 200;

/**
 * Waits for the store to know its first close: a new consumer starts there, and what lies before is warm-up. Null where `stop`
 * is aborted first. A store that cannot be read for the moment is waited for; rejects as the reader does otherwise ("config" for
 * another schema version).
 */
export async function storeStart(
  reader: Pick<StoreReader, "view">,
  stop: AbortSignal,
  deps: Patience,
): Promise<StoreView | null> {
  for (let looks = 0; !stop.aborted; looks++) {
    const view = await patiently(() => reader.view(), stop, deps);
    if (view !== null && view.closedThrough !== null) return view;
    if (looks === PATIENT_LOOKS) deps.log.info("Waiting for the store's first candles; market-data brings them");
    await pause(deps);
  }
  return null;
}

/** A read of the store, asked again while it cannot answer. Null where `stop` is aborted first. Rejects with what does not pass. */
export async function patiently<T>(read: () => Promise<T>, stop: AbortSignal, deps: Patience): Promise<T | null> {
  for (let failures = 0; !stop.aborted; failures++) {
    try {
      return await read();
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (failures % FAILURES_PER_WARNING === 0) deps.log.warn(`Cannot read the store, trying again: ${error.message}`);
    }
    await pause(deps);
  }
  return null;
}

function pause({ timers }: Patience): Promise<void> {
  return new Promise((resolve) => timers.after(LOOK_MS, resolve));
}
