import { platform } from "#platform";
import type { Log } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import type { MarketFeed } from "../../feed/contract.ts";
import { LiveFeed } from "../../feed/live/live-feed.ts";
import { ReplayFeed } from "../../feed/replay/replay-feed.ts";
import type { Venue, VenueId } from "../../feed/venues/contract.ts";
import { defaultSymbols } from "../../feed/venues/venues.ts";
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

/** The feed that was asked for. Throws "usage", "missing-input", "bad-data". */
export async function openFeed(options: MarketDataOptions, runFolder: string, log: Log): Promise<MarketFeed> {
  const symbols = symbolsOf(options);
  const { clock, timers, random, files } = platform;
  if (options.feed === "replay") {
    return ReplayFeed.open(
      { files: options.files, symbols, speed: options.speed },
      { files, clock, timers, log, parquetRows },
    );
  }
  const bySim = options.feed === "sim" && options.url === undefined;
  const network = bySim ? simNetwork(runFolder) : { openSocket: platform.openSocket, httpGet: platform.httpGet };
  const url = bySim ? SIM_URL : options.url;
  return new LiveFeed(
    { venue: venueOf(options), symbols, ...(url === undefined ? {} : { url }) },
    { ...network, clock, timers, random, log },
  );
}

function usage(message: string): FabricError {
  return new FabricError("usage", message);
}
