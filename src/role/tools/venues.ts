import { FabricError } from "../../core/errors.ts";
import { parseSymbols } from "../../core/symbol.ts";
import type { AssetPair, Venue } from "../../feed/venues/contract.ts";
import { splitPair } from "../../feed/venues/fields.ts";
import { VENUES } from "../../feed/venues/venues.ts";
import { venueNamed } from "../venue-named.ts";
import { printJson, printTable, type Row } from "./print.ts";

export interface VenuesOptions {
  readonly venue: string | undefined;
  /** Pairs such as BTC/USDT,ETH/USD. */
  readonly symbols: string | undefined;
  readonly json: boolean;
}

const NAMING =
  "A pair is BASE/QUOTE in upper case under names that are the same everywhere (BTC, not XBT); a store's rows keep the venue's own symbol";
/** Characters of a line; a longer value goes on below itself. */
const RULE_COLUMNS: ReadonlyMap<string, number> = new Map([
  ["rule", 24],
  ["value", 64],
  ["source", 44],
]);
/** Any minute shows the shape of the address. */
const EXAMPLE_MINUTE = 1_735_689_600_000;

/** Prints the venues, one venue's rules, or what each venue calls some pairs. Throws "usage" for a venue or pair that is none. */
export async function runVenues(options: VenuesOptions): Promise<number> {
  const venues = options.venue === undefined ? VENUES : [venueNamed(options.venue)];
  if (options.symbols !== undefined) {
    const rows = pairRows(venues, options.symbols);
    if (options.json) printJson(rows);
    else printTable(rows, ["pair", "venue", "symbol"]);
    if (!options.json) process.stderr.write(`fabric: ${NAMING}\n`);
  } else if (options.json) printJson(venues.flatMap(ruleRows));
  else if (options.venue !== undefined) printTable(venues.flatMap(ruleRows).flatMap(linesOf), [...RULE_COLUMNS.keys()]);
  else printTable(venues.map(venueRow));
  return 0;
}

function venueRow(venue: Venue): Row {
  const { from, everyMs } = venue.ping;
  const told = (name: string) => venue.rules.find(({ rule }) => rule === name)?.value ?? "";
  return {
    venue: venue.id,
    title: venue.title,
    "BTC/USDT is": venue.symbolOf({ base: "BTC", quote: "USDT" }),
    "trade ids": venue.tradeIds,
    "trades by id": venue.rest.tradesUrl === null ? "no" : "yes",
    "klines lack": told("untold figures"),
    "empty minute": venue.emptyMinutes,
    ping: `${from === "venue" ? "its own" : "ours"}, every ${everyMs / 1000} s`,
    rules: venue.rules.length,
  };
}

function ruleRows(venue: Venue): readonly Row[] {
  const sourceOf = (name: string) => venue.rules.find(({ rule }) => rule === name)?.source ?? "";
  const addresses = [
    { rule: "stream address", value: venue.streamUrl, source: sourceOf("symbol") },
    { rule: "REST address", value: new URL(venue.rest.timeUrl).origin, source: sourceOf("clock") },
  ];
  return [...addresses, ...venue.rules].map(({ rule, value, source }) => ({ venue: venue.id, rule, value, source }));
}

/** A rule in as many lines as its longest column needs. */
function linesOf(row: Row): readonly Row[] {
  const columns = [...RULE_COLUMNS].map(([name, width]) => ({ name, lines: wrapped(String(row[name]), width) }));
  const most = Math.max(...columns.map(({ lines }) => lines.length));
  return Array.from({ length: most }, (_, at) =>
    Object.fromEntries(columns.map(({ name, lines }) => [name, lines[at] ?? ""])),
  );
}

/** Broken between words; a longer word stays whole. */
function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
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
