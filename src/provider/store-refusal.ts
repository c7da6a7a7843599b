import { FabricError } from "../core/errors.ts";

/** Throws FabricError "refused" where what was found belongs to another store than the consumer's. */
export function refuseOtherStore(found: string, expected: string | null, what: string): void {
  if (found === expected) return;
  throw new FabricError(
    "refused",
    `Cannot follow the market: ${what} belongs to store ${found}, this consumer follows store ${expected}; ` +
      "point --data and --market at the same market-data node, or start under a new name to follow the other store",
  );
}
