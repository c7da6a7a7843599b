import { platform } from "#platform";
import type { Candle } from "../../core/candle.ts";
import type { Clock, HttpGet, Timers } from "../../core/env.ts";
import { FabricError } from "../../core/errors.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { binanceEndpoint } from "../../feed/binance/endpoint.ts";
import { BinanceRest } from "../../feed/binance/rest.ts";
import type { Venue } from "../../feed/venues/contract.ts";
import { VENUES } from "../../feed/venues/venues.ts";
import { SIM_URL, simNetwork } from "../market-data/sim-address.ts";
import type { TimeRange } from "./pairs.ts";

/** Klines of a stretch of minutes, and what the venue does not tell of them. */
export interface KlinePage {
  readonly candles: readonly Candle[];
  readonly untold: ReadonlySet<string>;
}

/** Asks a venue for the klines of a symbol, both ends inclusive, in order. */
export type AskKlines = (symbol: string, range: TimeRange) => AsyncGenerator<KlinePage>;

export interface KlineDeps {
  readonly httpGet: HttpGet;
  readonly clock: Clock;
  readonly timers: Timers;
}

const TIMEOUT_MS = 5000;
/** Minutes that one answer holds; the least of them where a venue is not named (OKX's documentation: history-candles, 100). */
const ANSWER_MINUTES: Readonly<Record<string, number>> = {
  "binance-usdm": 1000,
  bybit: 1000,
  coinbase: 300,
  kraken: 720,
};
const LEAST_ANSWER_MINUTES = 100;
/** Between two requests: below every venue's public limit (Kraken's is one a second, the others' ten and more). */
const PAUSE_MS = 250;
const PAUSES_MS: Readonly<Record<string, number>> = { kraken: 1100 };
/** Of one symbol; about three quarters of a year at the least generous venue. */
const MAX_REQUESTS = 4000;
const NOTHING_UNTOLD: ReadonlySet<string> = new Set();

/**
 * The REST klines of the venue that a store came of. Throws FabricError "usage" for a venue we do not know, "refused" where a simulated market
 * would be held against another one, "unavailable".
 */
export async function openVenueKlines(
  store: { readonly venue: string; readonly environment: string | null },
  url: string | undefined,
  runFolder: string,
): Promise<AskKlines> {
  if (store.venue === "binance-spot") return openBinanceSpot(store.environment, url, runFolder);
  const venue = VENUES.find(({ id }) => id === store.venue);
  if (!venue) {
    throw new FabricError(
      "usage",
      `Cannot audit against the venue ${store.venue}: its klines cannot be asked for; name a file of them with --against`,
    );
  }
  if (url !== undefined)
    throw new FabricError("usage", `--url goes with stores of binance-spot, and this is of ${venue.id}`);
  if (store.environment?.startsWith("sim:")) throw otherMarket(store.environment, "live");
  return (symbol, range) => venueKlines(venue, symbol, range, platform);
}

/** Binance's spot market, or a venue that speaks its protocol: the folder's own simulated exchange, or the one at `url`. */
async function openBinanceSpot(held: string | null, url: string | undefined, runFolder: string): Promise<AskKlines> {
  const isSim = held?.startsWith("sim:") === true;
  const ownSim = isSim && url === undefined;
  const get = ownSim ? simNetwork(runFolder).httpGet : platform.httpGet;
  const rest = new BinanceRest(binanceEndpoint(ownSim ? SIM_URL : url), get, platform.clock);
  const { timeMs, environment } = await rest.time();
  if ((isSim || environment.startsWith("sim:")) && environment !== held) throw otherMarket(held, environment);
  return async function* (symbol, { from, to }) {
    for (let next = from; next <= to; ) {
      const candles = await rest.klines(symbol, next, to, timeMs);
      const last = candles.at(-1)?.openTime;
      if (last === undefined) return;
      yield { candles, untold: NOTHING_UNTOLD };
      next = last + MINUTE_MS;
    }
  };
}

/**
 * A venue's klines by its own addresses, page by page with a pause between them; what is not over yet is left out. Throws FabricError
 * "usage" for a time of more requests than one audit makes, "unavailable", "bad-data".
 */
export async function* venueKlines(
  venue: Venue,
  symbol: string,
  range: TimeRange,
  deps: KlineDeps,
): AsyncGenerator<KlinePage> {
  const nowMs = deps.clock.nowMs();
  const to = Math.min(range.to, Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - MINUTE_MS);
  const step = (ANSWER_MINUTES[venue.id] ?? LEAST_ANSWER_MINUTES) * MINUTE_MS;
  if ((to - range.from) / step > MAX_REQUESTS) {
    const minutes = (MAX_REQUESTS * step) / MINUTE_MS;
    throw new FabricError(
      "usage",
      `Too long a time: at most ${minutes} minutes of ${venue.id}; narrow it with --from and --to`,
    );
  }
  for (let from = range.from; from <= to; from += step) {
    if (from > range.from)
      await new Promise<void>((resolve) => deps.timers.after(PAUSES_MS[venue.id] ?? PAUSE_MS, resolve));
    const through = Math.min(to, from + step - MINUTE_MS);
    const { status, body } = await deps.httpGet(venue.klineUrl(symbol, from, through), TIMEOUT_MS);
    if (status !== 200) {
      throw new FabricError("unavailable", `No klines of ${symbol} from ${venue.title}: it answered ${status}`);
    }
    const klines = venue.klines(symbol, body, nowMs);
    const candles = klines
      .map(({ candle }) => candle)
      .filter(({ openTime }) => openTime >= from && openTime <= through);
    yield { candles, untold: new Set(klines[0]?.untold) };
  }
}

function otherMarket(held: string | null, found: string): FabricError {
  return new FabricError(
    "refused",
    `Cannot audit against the venue: the store holds "${held}" and the venue is "${found}"; name the right one with --url`,
  );
}
