import { FabricError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { parseSymbols } from "../../core/symbol.ts";
import type { AssetPair, Venue } from "../../feed/venues/contract.ts";
import { splitPair } from "../../feed/venues/fields.ts";
import { VENUES } from "../../feed/venues/venues.ts";
import { printJson, printTable, type Row } from "./print.ts";

export interface VenuesOptions {
  readonly venue: string | undefined;
  /** Pairs such as BTC/USDT,ETH/USD. */
  readonly symbols: string | undefined;
  readonly json: boolean;
}

const NAMING =
  "A pair is BASE/QUOTE in upper case under names that are the same everywhere (BTC, not XBT); a store's rows keep the venue's own symbol";
/** Any minute shows the shape of the address. */
const EXAMPLE_MINUTE = 1_735_689_600_000;

/** Prints the venues, one venue's rules, or what each venue calls some pairs. Throws "usage" for a venue or pair that is none. */
export async function runVenues(options: VenuesOptions): Promise<number> {
  const venues = options.venue === undefined ? VENUES : [venueNamed(options.venue)];
  const rows =
    options.symbols !== undefined
      ? pairRows(venues, options.symbols)
      : options.json || options.venue !== undefined
        ? venues.flatMap(ruleRows)
        : venues.map(venueRow);
  if (options.json) {
    printJson(rows);
    return 0;
  }
  printTable(rows, options.symbols === undefined ? undefined : ["pair", "venue", "symbol"]);
  if (options.symbols !== undefined) process.stderr.write(`fabric: ${NAMING}\n`);
  return 0;
}

function venueNamed(id: string): Venue {
  const venue = VENUES.find((one) => one.id === id);
  if (venue !== undefined) return venue;
  const ids = VENUES.map((one) => one.id);
  throw new FabricError("usage", `Unknown venue "${id}": expected ${ids.join(", ")}${didYouMean(id, ids)}`);
}

function venueRow(venue: Venue): Row {
  const { from, everyMs } = venue.ping;
  return {
    venue: venue.id,
    title: venue.title,
    "BTC/USDT is": venue.symbolOf({ base: "BTC", quote: "USDT" }),
    "trade ids": venue.tradeIds,
    ping: `${from === "venue" ? "its own" : "ours"}, every ${everyMs / 1000} s`,
    "empty minute": venue.emptyMinutes,
    rules: venue.rules.length,
  };
}

function ruleRows(venue: Venue): readonly Row[] {
  const stream = { rule: "stream address", value: venue.streamUrl, source: venue.rules[0]?.source ?? "" };
  return [stream, ...venue.rules].map(({ rule: name, value, source }) => ({
    venue: venue.id,
    rule: name,
    value,
    source,
  }));
}

function pairRows(venues: readonly Venue[], text: string): readonly Row[] {
  return parseSymbols(text).flatMap((name) => {
    const pair = splitPair(name, "/");
    if (pair === null) {
      throw new FabricError("usage", `Bad pair "${name}": expected BASE/QUOTE such as BTC/USDT`);
    }
    return venues.map((venue) => pairRow(venue, name, pair));
  });
}

function pairRow(venue: Venue, name: string, pair: AssetPair): Row {
  const symbol = venue.symbolOf(pair);
  return {
    pair: name,
    venue: venue.id,
    symbol,
    stream: venue.streamUrl,
    subscribe: venue
      .subscribe([symbol])
      .map((request) => request.text)
      .join("\n"),
    klines: venue.klineUrl(symbol, EXAMPLE_MINUTE, EXAMPLE_MINUTE),
  };
}
