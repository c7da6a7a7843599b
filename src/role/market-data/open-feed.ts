import { platform } from "#platform";
import type { Log } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import type { MarketFeed } from "../../feed/contract.ts";
import { LiveFeed } from "../../feed/live/live-feed.ts";
import { ReplayFeed } from "../../feed/replay/replay-feed.ts";
import { readSimState } from "../../feed/sim/sim-state.ts";
import type { Venue, VenueId } from "../../feed/venues/contract.ts";
import { defaultSymbols } from "../../feed/venues/venues.ts";
import type { DataFolder } from "../lifecycle/data-folder.ts";
import { venueNamed } from "../venue-named.ts";
import type { MarketDataOptions } from "./market-data.ts";
import { parquetRows } from "./parquet-rows.ts";
import { SIM_URL, simNetwork } from "./sim-address.ts";

const DEFAULT_VENUE: VenueId = "binance-spot";

/** The symbols asked for, or the default three. */
export function symbolsOf(options: MarketDataOptions): readonly string[] {
  return options.symbols ?? defaultSymbols(venueOf(options));
}

function venueOf({ venue }: MarketDataOptions): Venue {
  return venueNamed(venue ?? DEFAULT_VENUE);
}

/** Checks what needs no I/O: the venue, and flags that do not go together. Throws "usage". */
export function checkFeedOptions(options: MarketDataOptions): void {
  venueOf(options);
  if (options.feed === "replay" && options.files.length === 0) throw usage("--feed replay needs at least one --file");
  if (options.feed !== "replay" && options.files.length > 0)
    throw usage(`--file goes with --feed replay, not with ${options.feed}`);
  if (options.feed !== "replay" && options.stay) throw usage("--stay goes with --feed replay");
  if (options.feed === "replay" && options.url !== undefined) throw usage("--url does not go with --feed replay");
}

/**
 * The feed that was asked for. Throws "usage", "missing-input", "bad-data", "refused" where the folder's simulated exchange is another
 * venue: its store would be bound to the wrong one for good.
 */
export async function openFeed(options: MarketDataOptions, folder: DataFolder, log: Log): Promise<MarketFeed> {
  const symbols = symbolsOf(options);
  const { clock, timers, random, files } = platform;
  if (options.feed === "replay") {
    return ReplayFeed.open(
      { files: options.files, symbols, speed: options.speed },
      { files, clock, timers, log, parquetRows },
    );
  }
  const bySim = options.feed === "sim" && options.url === undefined;
  if (bySim) refuseOtherSim(folder.path, venueOf(options));
  const network = bySim ? simNetwork(folder.run) : { openSocket: platform.openSocket, httpGet: platform.httpGet };
  const url = bySim ? SIM_URL : options.url;
  return new LiveFeed(
    { venue: venueOf(options), symbols, ...(url === undefined ? {} : { url }) },
    { ...network, clock, timers, random, log },
  );
}

function refuseOtherSim(folder: string, venue: Venue): void {
  const state = readSimState(folder, platform.files);
  const held = state === null ? venue.id : (state.venue ?? DEFAULT_VENUE);
  if (held === venue.id) return;
  throw new FabricError(
    "refused",
    `Cannot take the trades of ${folder} as ${venue.id}: its simulated exchange is ${held}; name it with --venue ${held}`,
  );
}

function usage(message: string): FabricError {
  return new FabricError("usage", message);
}
