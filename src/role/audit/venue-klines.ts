import { platform } from "#platform";
import type { Candle } from "../../core/candle.ts";
import { FabricError } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import type { VenueCandle } from "../../feed/contract.ts";
import { type VenueBase, venueBase } from "../../feed/live/endpoint.ts";
import { VenueRest, type VenueRestDeps } from "../../feed/live/venue-rest.ts";
import type { Venue } from "../../feed/venues/contract.ts";
import { VENUES } from "../../feed/venues/venues.ts";
import { SIM_URL, simNetwork } from "../market-data/sim-address.ts";
import type { TimeRange } from "./pairs.ts";

/** Klines of a stretch of minutes, and what the venue does not tell of them. */
export interface KlinePage {
  readonly candles: readonly Candle[];
  readonly untold: ReadonlySet<string>;
}

/** Asks a venue for the klines of a symbol, both ends inclusive. */
export type AskKlines = (symbol: string, range: TimeRange) => AsyncGenerator<KlinePage>;

/** Of one symbol; about three quarters of a year at the least generous venue. */
const MAX_REQUESTS = 4000;
/** Minutes put together before they are held against the store. */
const PAGE_MINUTES = 5000;

/**
 * The REST klines of the venue that a store came of, at its own address, at `url`, or of the folder's own simulated exchange. Throws
 * FabricError "usage" for a venue we do not know, "refused" where a simulated market would be held against another one, "unavailable".
 */
export async function openVenueKlines(
  store: { readonly venue: string; readonly environment: string | null },
  url: string | undefined,
  runFolder: string,
): Promise<AskKlines> {
  const venue = VENUES.find(({ id }) => id === store.venue);
  if (!venue) {
    throw new FabricError(
      "usage",
      `Cannot audit against the venue ${store.venue}: its klines cannot be asked for; name a file of them with --against`,
    );
  }
  const held = store.environment;
  const isSim = held?.startsWith("sim:") === true;
  const ownSim = isSim && url === undefined;
  const { clock, timers } = platform;
  const httpGet = ownSim ? simNetwork(runFolder).httpGet : platform.httpGet;
  const klines = venueKlines(venue, venueBase(venue, ownSim ? SIM_URL : url), { httpGet, clock, timers });
  const { environment } = await klines.time();
  if ((isSim || environment.startsWith("sim:")) && environment !== held) {
    throw new FabricError(
      "refused",
      `Cannot audit against the venue: the store holds "${held}" and the venue is "${environment}"; name the right one with --url`,
    );
  }
  return klines.ask;
}

/**
 * A venue's klines, spaced below its public limits; what is not over yet by its own clock is left out. Throws FabricError "usage" for a time of more
 * requests than one audit makes or a symbol that the venue does not have, "unavailable".
 */
export function venueKlines(
  venue: Venue,
  base: VenueBase,
  deps: VenueRestDeps,
): { readonly ask: AskKlines; time(): Promise<{ readonly timeMs: number; readonly environment: string }> } {
  const rest = new VenueRest(venue, base, deps);
  async function* ask(symbol: string, range: TimeRange): AsyncGenerator<KlinePage> {
    const { timeMs } = await rest.time();
    const to = Math.min(range.to, Math.floor(timeMs / MINUTE_MS) * MINUTE_MS - MINUTE_MS);
    const most = MAX_REQUESTS * venue.rest.klineMinutes;
    if ((to - range.from) / MINUTE_MS > most) {
      throw new FabricError(
        "usage",
        `Too long a time: at most ${most} minutes of ${venue.id}; narrow it with --from and --to`,
      );
    }
    for (let from = range.from; from <= to; from += PAGE_MINUTES * MINUTE_MS) {
      const through = Math.min(to, from + (PAGE_MINUTES - 1) * MINUTE_MS);
      yield* byUntold(await rest.klines(symbol, from, through, timeMs));
    }
  }
  return { ask, time: () => rest.time() };
}

/** A quiet minute that the venue leaves out is told in full, its neighbours may not be. */
function* byUntold(candles: readonly VenueCandle[]): Generator<KlinePage> {
  for (const [figures, rows] of Map.groupBy(candles, ({ untold }) => untold?.join() ?? "")) {
    yield { candles: rows, untold: new Set(figures === "" ? [] : figures.split(",")) };
  }
}
