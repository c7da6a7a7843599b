import type { VenueId } from "../../feed/venues/contract.ts";
import { defaultSymbols } from "../../feed/venues/venues.ts";
import { venueNamed } from "../venue-named.ts";

/** The venue of --venue and what it trades unless told. Throws "usage". */
export function simVenueOf(given = "binance-spot"): {
  readonly id: VenueId;
  readonly symbols: readonly string[];
} {
  const venue = venueNamed(given);
  return { id: venue.id, symbols: defaultSymbols(venue) };
}
