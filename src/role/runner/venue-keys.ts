import { FabricError } from "../../core/errors.ts";
import type { VenueKeys } from "../../execution/binance/signing.ts";
import { privateLines } from "../private-file.ts";

/**
 * The venue's keys out of their file: the API key on the first line, its secret on the second. Throws what `privateLines` does, and
 * FabricError "config" where the file holds something else; never showing what it holds.
 */
export function readVenueKeys(path: string): VenueKeys {
  const [apiKey = "", secret = "", ...more] = privateLines(path, "the venue's keys", "key-file");
  if (apiKey === "" || secret === "" || more.some((line) => line !== ""))
    throw new FabricError(
      "config",
      `Cannot use the venue's keys: expected two lines in ${path}, the API key and its secret (key-file)`,
    );
  return { apiKey, secret };
}
