import { platform } from "#platform";
import { zmqBackend } from "#zmq-backend";
import type { Log } from "../core/env.ts";
import { ZmqMarket } from "../provider/zmq-market.ts";
import type { StoreReader } from "../store/contract.ts";
import { openStoreReader } from "../store/reader.ts";
import type { DataFolder } from "./lifecycle/data-folder.ts";

/** The two rails of a consuming node: a reader, and a subscription for each provider, which stops it. */
export interface Rails {
  readonly reader: StoreReader;
  openMarket(): ZmqMarket;
}

/** Without endpoints of its own a node hears the folder's market-data. Opens nothing yet. */
export function openRails(
  folder: DataFolder,
  symbols: readonly string[] | "all",
  endpoints: readonly string[],
  log: Log,
): Rails {
  const heard = endpoints.length > 0 ? endpoints : [folder.ipcEndpoint("market-data")];
  return {
    reader: openStoreReader({ folder: folder.path }, platform),
    openMarket: () => new ZmqMarket({ symbols, endpoints: heard }, { backend: zmqBackend, clock: platform.clock, log }),
  };
}
