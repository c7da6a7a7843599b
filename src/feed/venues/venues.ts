import { assert } from "../../core/errors.ts";
import { binanceVenue } from "./binance.ts";
import { BYBIT } from "./bybit.ts";
import { COINBASE } from "./coinbase.ts";
import type { Venue, VenueId } from "./contract.ts";
import { KRAKEN } from "./kraken.ts";
import { OKX } from "./okx.ts";

/** Every exchange whose protocol is known here. The order is that in which a recording's frames are tried. */
export const VENUES: readonly Venue[] = [
  binanceVenue("binance-spot"),
  binanceVenue("binance-usdm"),
  COINBASE,
  KRAKEN,
  BYBIT,
  OKX,
];

export function venueOf(id: VenueId): Venue {
  const venue = VENUES.find((one) => one.id === id);
  assert(venue !== undefined, `${id} is a venue`);
  return venue;
}

/** The symbols that are taken where none are named, in the venue's own words. */
export function defaultSymbols(venue: Venue): readonly string[] {
  return ["BTC", "ETH", "SOL"].map((base) => venue.symbolOf({ base, quote: "USDT" }));
}
