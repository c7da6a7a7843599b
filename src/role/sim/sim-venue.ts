import { FabricError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import type { VenueId } from "../../feed/venues/contract.ts";
import { VENUES } from "../../feed/venues/venues.ts";

const ASSETS = ["BTC", "ETH", "SOL"];

/** The venue of --venue, binance-spot unless given, and what it trades unless told: three pairs in its own naming. Throws "usage". */
export function simVenueOf(given = "binance-spot"): { readonly id: VenueId; readonly symbols: readonly string[] } {
  const venue = VENUES.find(({ id }) => id === given);
  if (venue === undefined) {
    const known = VENUES.map(({ id }) => id);
    throw new FabricError(
      "usage",
      `Bad --venue "${given}"${didYouMean(given, known) || `; expected ${known.join(", ")}`}`,
    );
  }
  return { id: venue.id, symbols: ASSETS.map((base) => venue.symbolOf({ base, quote: "USDT" })) };
}
