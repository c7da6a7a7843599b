import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import type { Log } from "../core/env.ts";
import { ZmqMarket } from "../provider/zmq-market.ts";
import type { StoreReader, StoreView } from "../store/contract.ts";
import { openStoreReader } from "../store/reader.ts";
import type { DataFolder } from "./lifecycle/data-folder.ts";

const LOOK_MS = 50;
/** So many looks in vain are worth a word: a second. */
const PATIENT_LOOKS = 20;

/** The two rails of a consuming node. Without endpoints of its own it hears the folder's market-data. */
export function openRails(
  folder: DataFolder,
  symbols: readonly string[] | "all",
  endpoints: readonly string[],
  log: Log,
): { readonly reader: StoreReader; readonly market: ZmqMarket } {
  const reader = openStoreReader({ folder: folder.path }, platform);
  const heard = endpoints.length > 0 ? endpoints : [folder.ipcEndpoint("market-data")];
  const market = new ZmqMarket({ symbols, endpoints: heard }, { backend: zmqBackend, clock: platform.clock, log });
  return { reader, market };
}

/**
 * Waits for the store to know its first close: a new consumer starts there, and what lies before is warm-up. Null where `stop`
 * is aborted first. Rejects as the reader does ("config" for another schema version).
 */
export async function storeStart(reader: StoreReader, stop: AbortSignal, log: Log): Promise<StoreView | null> {
  for (let looks = 0; !stop.aborted; looks++) {
    const view = await reader.view();
    if (view !== null && view.closedThrough !== null) return view;
    if (looks === PATIENT_LOOKS) log.info("Waiting for the store's first candles; market-data brings them");
    await new Promise<void>((resolve) => platform.timers.after(LOOK_MS, resolve));
  }
  return null;
}
