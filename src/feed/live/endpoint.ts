import { FabricError } from "../../core/errors.ts";
import type { Venue } from "../venues/contract.ts";

/** Where a venue, or whoever speaks its protocol, is asked. */
export interface VenueBase {
  /** WebSocket address of the trade streams. */
  readonly streamUrl: string;
  /** What stands in place of the origin of the venue's REST addresses, without a trailing slash; null for the venue itself. */
  readonly restOrigin: string | null;
  /** What the store is bound to where the venue does not declare itself simulated. */
  readonly environment: string;
}

/**
 * Derives the addresses from `--url`: ws://h:p/prefix has the venue's streams below it and its REST below http://h:p/prefix.
 * Throws FabricError "usage".
 */
export function venueBase(venue: Pick<Venue, "streamUrl">, url: string | undefined): VenueBase {
  const own = new URL(venue.streamUrl);
  const path = own.pathname.replace(/\/+$/, "");
  const bare = url?.replace(/\/+$/, "");
  if (bare === undefined || bare === venue.streamUrl || bare === `${own.protocol}//${own.host}`)
    return { streamUrl: venue.streamUrl, restOrigin: null, environment: "live" };
  const parsed = URL.canParse(bare) ? new URL(bare) : null;
  if (parsed === null || !/^wss?:$/.test(parsed.protocol) || parsed.host === "" || parsed.search || parsed.hash) {
    const example = `${own.protocol}//${own.host}`;
    throw new FabricError("usage", `Bad --url "${url}": expected a WebSocket address such as ${example}`);
  }
  const given = parsed.pathname.replace(/\/+$/, "");
  const prefix = path !== "" && given.endsWith(path) ? given.slice(0, -path.length) : given;
  const secure = parsed.protocol === "wss:" ? "s" : "";
  return {
    streamUrl: `ws${secure}://${parsed.host}${prefix}${path}`,
    restOrigin: `http${secure}://${parsed.host}${prefix}`,
    environment: `endpoint:${parsed.host}`,
  };
}
