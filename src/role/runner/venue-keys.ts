import { statSync } from "node:fs";
import { platform } from "#platform";
import { FabricError } from "../../core/errors.ts";
import type { VenueKeys } from "../../execution/binance/signing.ts";

/**
 * The venue's keys out of their file: the API key on the first line, its secret on the second. Throws FabricError
 * "missing-input" where there is none, "refused" where others may read it, "config" where it holds something else; never
 * showing what it holds.
 */
export function readVenueKeys(path: string): VenueKeys {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat)
    throw new FabricError("missing-input", `Cannot read the venue's keys: there is no file ${path} (key-file)`);
  if (!stat.isFile()) throw new FabricError("config", `Cannot read the venue's keys: ${path} is not a file (key-file)`);
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    throw new FabricError(
      "refused",
      `Cannot use the venue's keys: ${path} has mode ${mode}, and nobody but its owner may read it; chmod 600 it`,
    );
  }
  const [apiKey = "", secret = "", ...more] = platform.files
    .readText(path)
    .split("\n")
    .map((line) => line.trim());
  if (apiKey === "" || secret === "" || more.some((line) => line !== ""))
    throw new FabricError(
      "config",
      `Cannot use the venue's keys: expected two lines in ${path}, the API key and its secret (key-file)`,
    );
  return { apiKey, secret };
}
