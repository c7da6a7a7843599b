import { platform } from "#platform";
import type { StoreWriter } from "../../store/contract.ts";
import { grantWriter } from "../../store/grant.ts";
import { openStoreWriter } from "../../store/writer.ts";
import { nodeLog } from "../lifecycle/node-log.ts";

/**
 * Opens (or makes) a folder's store for an import, by a process that is its market-data; the caller closes it. Rejects as
 * `openStoreWriter`.
 */
export function openImportStore(folder: string, venue: string): Promise<StoreWriter> {
  const grant = grantWriter("market-data");
  const log = nodeLog("import", () => undefined);
  return openStoreWriter({ folder, venue, grant }, { ...platform, log });
}
