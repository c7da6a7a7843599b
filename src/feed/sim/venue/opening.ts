import { FabricError } from "../../../core/errors.ts";
import { parseScaled, WIRE_DECIMALS } from "../decimal.ts";
import { type AccountKeys, isApiKey } from "./signed-request.ts";

/** Reads `USDT=100000,BTC=1.5` into counts of 10^-8. Throws FabricError "usage" naming what cannot be read. */
export function parseBalances(text: string): ReadonlyMap<string, bigint> {
  const balances = new Map<string, bigint>();
  for (const part of text.split(",")) {
    const [, asset = "", amount = ""] = /^([A-Z0-9]{1,20})=(\S+)$/.exec(part.trim()) ?? [];
    const count = amount.length <= 30 ? parseScaled(amount, WIRE_DECIMALS) : null;
    if (asset === "" || count === null)
      throw new FabricError(
        "usage",
        `Bad --venue-balances: expected ASSET=AMOUNT such as USDT=100000, found "${part}"`,
      );
    if (balances.has(asset)) throw new FabricError("usage", `Bad --venue-balances: ${asset} is given twice`);
    balances.set(asset, count);
  }
  return balances;
}

/** Reads a key file: the API key on its first line, the secret on its second. Throws FabricError "bad-data". */
export function parseKeyFile(path: string, text: string): AccountKeys {
  const [apiKey = "", secret = "", ...more] = text.split("\n").map((line) => line.trim());
  if (isApiKey(apiKey) && secret.length >= 8 && more.every((line) => line === "")) return { apiKey, secret };
  throw new FabricError(
    "bad-data",
    `Cannot use ${path}: expected two lines, an API key and a secret, of 8 or more characters each`,
  );
}
