import { FabricError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { Venue } from "../feed/venues/contract.ts";
import { VENUES } from "../feed/venues/venues.ts";

/** The venue of an id as a user gives it. Throws "usage". */
export function venueNamed(id: string): Venue {
  const venue = VENUES.find((one) => one.id === id);
  if (venue !== undefined) return venue;
  const ids = VENUES.map((one) => one.id);
  throw new FabricError("usage", `Unknown venue "${id}": expected ${ids.join(", ")}${didYouMean(id, ids)}`);
}
