import { join } from "node:path";
import * as v from "valibot";
import type { Files } from "../../core/env.ts";
import { FabricError, messageOf } from "../../core/errors.ts";
import type { VenueId } from "../../feed/venues/contract.ts";
import { defaultSymbols } from "../../feed/venues/venues.ts";
import { sweepTemporaries } from "../lifecycle/temporaries.ts";
import { venueNamed } from "../venue-named.ts";

const DEFAULT_VENUE = "binance-spot";
/** A folder of before there were several venues names none. */
const Memory = v.object({
  venue: v.optional(v.string(), DEFAULT_VENUE),
  seed: v.number(),
  speed: v.number(),
  symbols: v.array(v.string()),
});

/** The market that a data folder belongs to: a second `up` continues the same one. */
export type MarketMemory = v.InferOutput<typeof Memory> & { readonly venue: VenueId };

const MEMORY_FILE = "up.json";

const DEFAULTS = { seed: 1, speed: 60 };

/** What was asked for, where anything was. */
export interface MarketWish {
  /** Whose protocol the simulated exchange speaks. */
  readonly venue: string | undefined;
  readonly seed: number | undefined;
  readonly speed: number | undefined;
  readonly symbols: readonly string[] | undefined;
}

/**
 * The folder's market: what it remembers, else the wish completed by the defaults, which it then remembers. Throws "refused" with
 * the remedy where the wish names another market, "config" where the file is not ours, "usage" for a venue that is not known.
 */
export function rememberMarket(folder: string, files: Files, wish: MarketWish): MarketMemory {
  const path = join(folder, MEMORY_FILE);
  sweepTemporaries(folder, MEMORY_FILE, files);
  const known = files.stat(path) ? read(path, files) : null;
  if (!known) {
    const venue = venueNamed(wish.venue ?? DEFAULT_VENUE);
    const market = {
      venue: venue.id,
      seed: wish.seed ?? DEFAULTS.seed,
      speed: wish.speed ?? DEFAULTS.speed,
      symbols: [...(wish.symbols ?? defaultSymbols(venue))],
    };
    files.writeDurably(path, `${JSON.stringify(market, null, 2)}\n`);
    return market;
  }
  for (const key of ["venue", "seed", "speed", "symbols"] as const) {
    const wanted = wish[key];
    if (wanted !== undefined && comparable(wanted) !== comparable(known[key])) {
      throw new FabricError(
        "refused",
        `Cannot continue the market in ${folder} with --${key} ${String(wanted)}: it runs with ${String(known[key])}; leave --${key} out, or choose another --data`,
      );
    }
  }
  return known;
}

/** The order of symbols does not matter. */
function comparable(value: number | string | readonly string[]): string {
  return typeof value === "object" ? [...value].sort().join(",") : `${value}`;
}

function read(path: string, files: Files): MarketMemory {
  try {
    const market = v.parse(Memory, JSON.parse(files.readText(path)));
    return { ...market, venue: venueNamed(market.venue).id };
  } catch (error) {
    throw new FabricError(
      "config",
      `Cannot read ${path}: expected seed, speed and symbols as JSON (${messageOf(error)})`,
      { cause: error },
    );
  }
}
