import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import { verifyStore } from "../../store/verify.ts";
import { dataFolder } from "../lifecycle/data-folder.ts";
import { printable } from "../tools/print.ts";
import { takeMarketPlace } from "./market-place.ts";

export interface VerifyOptions {
  readonly json: boolean;
  readonly data: string | undefined;
}

/** sysexits.h: the data is at fault. */
const EXIT_FAULTY = 65;

/**
 * Reads all of a data folder's store and tells of each check; 0 where all hold, 65 where one does not. It takes the market-data
 * role and its name for that time: throws "unavailable" naming the pid while such a node runs.
 */
export async function runVerify(options: VerifyOptions): Promise<number> {
  const folder = dataFolder(options.data);
  if (platform.files.stat(folder.path) === null)
    throw new FabricError("missing-input", `Cannot verify ${folder.path}: there is no such data folder`);
  using _place = takeMarketPlace(folder, "verify the store", "unannounced");
  const report = await verifyStore(folder.path, platform.files);
  const ok = report.checks.every((check) => check.ok);
  if (options.json) process.stdout.write(`${JSON.stringify({ ok, ...report }, null, 2)}\n`);
  else {
    const width = Math.max(...report.checks.map((check) => check.id.length));
    for (const { id, ok: holds, detail } of report.checks)
      process.stdout.write(`${holds ? "ok   " : "FAULT"}  ${id.padEnd(width)}  ${printable(detail)}\n`);
    const { storeId, venue, rows, symbols, segments } = report;
    process.stdout.write(
      `\n${ok ? "the store is sound" : "the store is at fault"}: ${rows} candles of ${symbols} symbols in ${segments} segments, store ${storeId}, venue ${venue}\n`,
    );
  }
  return ok ? 0 : EXIT_FAULTY;
}
