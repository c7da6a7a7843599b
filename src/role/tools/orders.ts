import { platform } from "#platform";
import { toRfc3339 } from "../../core/time.ts";
import { readAllOrders } from "../../execution/orders.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { refuseUnknownRunner } from "./known-runners.ts";
import { printJson, printTable } from "./print.ts";

export interface OrdersOptions {
  readonly runner: string | undefined;
  readonly json: boolean;
  readonly data: string | undefined;
}

/** Prints every order of the data folder's journals, oldest decision first. */
export async function runOrders(options: OrdersOptions): Promise<number> {
  const folder = dataFolder(options.data);
  refuseUnknownRunner(folder, options.runner);
  const orders = readAllOrders(platform, folder.path).filter(
    (order) => options.runner === undefined || order.runner === options.runner,
  );
  if (options.json) printJson(orders.map((order) => ({ ...order })));
  else if (orders.length > 0) printTable(orders.map((order) => ({ ...order, openTime: toRfc3339(order.openTime) })));
  else process.stderr.write(`fabric: no orders in ${folder.journal}\n`);
  return 0;
}
