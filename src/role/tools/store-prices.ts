import { platform } from "#platform";
import { closeTimeOf } from "../../core/candle.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import type { StoreReader } from "../../store/contract.ts";
import { declareRole } from "../../store/guard.ts";
import { openStoreReader } from "../../store/reader.ts";

export interface StorePrice {
  readonly price: number;
  /** End of the minute that closed there, epoch ms. */
  readonly atMs: number;
}

/** Runs `read` on the data folder's published store, and closes it. */
export async function withStore<T>(dataFolder: string, read: (reader: StoreReader) => Promise<T>): Promise<T> {
  declareRole("command");
  const reader = openStoreReader({ folder: dataFolder }, platform);
  try {
    return await read(reader);
  } finally {
    await reader.close();
  }
}

/** The newest close of each symbol that the store of this id knows; says on stderr where it cannot be read. */
export async function newestPrices(
  dataFolder: string,
  storeId: string,
  symbols: readonly string[],
): Promise<ReadonlyMap<string, StorePrice>> {
  const prices = new Map<string, StorePrice>();
  try {
    await withStore(dataFolder, async (reader) => {
      if ((await reader.view())?.storeId !== storeId) return;
      for (const symbol of symbols) {
        const [newest] = await reader.latest(symbol, 1);
        if (newest) prices.set(symbol, { price: newest.close, atMs: closeTimeOf(newest.openTime) });
      }
    });
  } catch (error) {
    if (!(error instanceof FabricError)) throw error;
    process.stderr.write(`fabric: no prices from the store: ${messageOf(error)}\n`);
  }
  return prices;
}
