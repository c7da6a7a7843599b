import { platform } from "#platform";
import { toRfc3339 } from "../../core/time.ts";
import { type JournaledPosition, readAllPositions } from "../../execution/positions.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { refuseUnknownRunner } from "./known-runners.ts";
import { printJson, printTable } from "./print.ts";
import { newestPrices, type StorePrice } from "./store-prices.ts";

export interface PositionsOptions {
  readonly runner: string | undefined;
  readonly json: boolean;
  readonly data: string | undefined;
}

/** Prints what every runner of the data folder holds by its journal, at the store's newest close. */
export async function runPositions(options: PositionsOptions): Promise<number> {
  const folder = dataFolder(options.data);
  refuseUnknownRunner(folder, options.runner);
  const positions = readAllPositions(platform, folder.path).filter(
    ({ runner }) => options.runner === undefined || runner === options.runner,
  );
  const prices = new Map<string, ReadonlyMap<string, StorePrice>>();
  for (const storeId of new Set(positions.map((position) => position.storeId))) {
    const symbols = new Set(
      positions.filter((position) => position.storeId === storeId).map(({ book }) => book.symbol),
    );
    prices.set(storeId, await newestPrices(folder.path, storeId, [...symbols]));
  }
  const rows = positions.map((position) => rowOf(position, prices.get(position.storeId)?.get(position.book.symbol)));
  if (options.json) printJson(rows);
  else if (rows.length > 0)
    printTable(
      rows.map((row) => ({ ...row, lastPriceAt: row.lastPriceAt === null ? null : toRfc3339(row.lastPriceAt) })),
    );
  else process.stderr.write(`fabric: no positions in ${folder.journal}\n`);
  return 0;
}

function rowOf({ runner, mode, book, adjustments }: JournaledPosition, last: StorePrice | undefined) {
  const { symbol, quantity, averagePrice, realisedPnl, unrealisedPnl } = book.row(last?.price ?? null);
  return {
    runner,
    mode,
    symbol,
    quantity,
    averagePrice,
    realisedPnl,
    unrealisedPnl: last ? unrealisedPnl : null,
    lastPrice: last?.price ?? null,
    lastPriceAt: last?.atMs ?? null,
    adjustments,
  };
}
