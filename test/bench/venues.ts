/**
 * Trade frames of every venue through its reader and through tardis-dev's mapper, beside bare JSON.parse of the same lines in the
 * same run: `bun test/bench/venues.ts [ROUNDS]`. All three start from the same texts; the mapper's side includes the JSON.parse
 * that it needs. Frames are the recorded ones (MARKET_RECORDINGS); where none were recorded (Kraken v2, Bybit v5, Coinbase's
 * market_trades, OKX's trades-all) they are of the documented shape, filled with Binance's recorded trades, and marked so.
 * Medians over rounds that take turns, so that all meet the same machine.
 */
import { existsSync } from "node:fs";
import type { VenueId } from "../../src/feed/venues/contract.ts";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { SPOT, USDM } from "../feed/support.ts";
import { capturePath, receivedTexts } from "../feed/venues/captures.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { rank } from "./figures.ts";
import { difference, installTardis, type TradesMapper } from "./tardis.ts";
import { recordedLines, recordedTrades, SHAPES } from "./venue-shapes.ts";

const rounds = Number(process.argv[2] ?? 15);
/** Frames of one round. */
const FRAMES = 40_000;
const SPOT_FILE = `${SPOT}/spot_btcusdt.trades.ws.txt.gz`;
const USDM_FILE = `${USDM}/usdm_btcusdt.trades.ws.txt.gz`;

interface Input {
  readonly venue: VenueId;
  readonly name: string;
  readonly recorded: boolean;
  readonly texts: readonly string[];
}

const readerOf = (venue: VenueId) => {
  const found = VENUES.find((one) => one.id === venue);
  if (found === undefined) throw new Error(`${venue} is no venue`);
  return found.reader();
};

/**
 * Enough frames for a round. Few were recorded, and JSON.parse is twice as fast on a text whose every word it has just met, so the last
 * digits of longer numbers (ids, times, prices) are counted on: lengths and shape stay, and all sides get the same lines.
 */
function many(texts: readonly string[]): readonly string[] {
  const out: string[] = [];
  for (let at = 0; at < FRAMES; at++) {
    const digits = String(100 + (Math.floor(at / texts.length) % 900));
    const text = (texts[at % texts.length] ?? "").replace(/\d{3}(?=[",}Z])/g, (found) =>
      texts.length > FRAMES / 4 ? found : digits,
    );
    out.push(Buffer.from(text).toString());
  }
  return out;
}

function recorded(venue: VenueId, name: string, file: string): Input {
  return { venue, name, recorded: true, texts: existsSync(file) ? recordedLines(file) : [] };
}

function captured(venue: VenueId, name: string, file: string): Input {
  const reader = readerOf(venue);
  const texts = existsSync(capturePath(file)) ? receivedTexts(file) : [];
  return { venue, name, recorded: true, texts: texts.filter((text) => reader.read(text).type === "trades") };
}

/** Frames of a venue's documented shape that tell the recorded spot trades. */
function documented(venue: VenueId, name: string): Input {
  const shape = SHAPES.find((one) => one.venue === venue && one.name === name);
  const trades = existsSync(SPOT_FILE) ? recordedTrades(SPOT_FILE) : [];
  const texts = trades.flatMap((trade) => shape?.write({ ...trade, symbol: shape.symbolOf("BTC") }) ?? []);
  return { venue, name, recorded: false, texts };
}

const inputs: readonly Input[] = [
  recorded("binance-spot", "trade", SPOT_FILE),
  recorded("binance-usdm", "trade", USDM_FILE),
  captured("binance-usdm", "aggTrade", "BINANCE_FUTURES.ws.1.0"),
  captured("coinbase", "match", "COINBASE.ws.28.0"),
  documented("coinbase", "market_trades"),
  captured("kraken", "v1 trade", "KRAKEN.ws.48.0"),
  documented("kraken", "v2 trade"),
  documented("bybit", "publicTrade"),
  captured("okx", "trades", "OKX.ws.1.0"),
  documented("okx", "trades-all"),
];

function mapped(mapper: TradesMapper, line: string, now: Date) {
  const message: unknown = JSON.parse(line);
  return mapper.canHandle(message) ? [...(mapper.map(message, now) ?? [])] : [];
}

/** What the two make of the same texts, in words. */
function agreement(venue: VenueId, mapper: TradesMapper, texts: readonly string[]): string {
  const reader = readerOf(venue);
  const differences = new Map<string, number>();
  let same = 0;
  const note = (what: string) => differences.set(what, (differences.get(what) ?? 0) + 1);
  for (const text of texts) {
    const frame = reader.read(text);
    if (frame.type !== "trades") continue;
    const theirs = mapped(mapper, text, new Date(0));
    const found = difference(frame.trades, theirs);
    if (frame.history.length > 0 && theirs.length === 0)
      note("trades before the subscription: ours told apart, theirs left out");
    else if (found === null) same += theirs.length;
    else note(found);
  }
  return [
    `${same} trades the same`,
    ...[...differences].map(([what, count]) => `${count} frames differ: ${what}`),
  ].join("; ");
}

function measure(venue: VenueId, texts: readonly string[], mapper: TradesMapper | null) {
  const lines = many(texts);
  const reader = readerOf(venue);
  const now = new Date();
  const counts = [0, 0, 0];
  const runs: readonly (() => number)[] = [
    () => {
      let parsed = 0;
      for (const line of lines) if (JSON.parse(line) !== null) parsed++;
      return parsed;
    },
    () => {
      let read = 0;
      for (const line of lines) if (reader.read(line).type === "trades") read++;
      return read;
    },
    () => {
      if (mapper === null) return 0;
      let seen = 0;
      for (const line of lines) {
        const message: unknown = JSON.parse(line);
        if (!mapper.canHandle(message)) continue;
        for (const trade of mapper.map(message, now) ?? []) if (trade.price >= 0) seen++;
      }
      return seen;
    },
  ];
  const rates: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    for (const shift of [0, 1, 2]) {
      // What one leaves behind for the collector is not always paid by the same next one.
      const at = (round + shift) % 3;
      const began = performance.now();
      counts[at] = (counts[at] ?? 0) + (runs[at]?.() ?? 0);
      rates[at]?.push(lines.length / (performance.now() - began) / 1000);
    }
  }
  if (counts[0] !== counts[1]) throw new Error(`${venue}: ${(counts[0] ?? 0) - (counts[1] ?? 0)} frames are no trades`);
  // Round by round: what slows the machine down slows all.
  const ratio = (of: readonly number[]) =>
    rank(
      of.map((value, at) => value / (rates[0][at] ?? Number.NaN)),
      0.5,
    );
  return {
    bare: rank(rates[0], 0.5),
    ours: { rate: rank(rates[1], 0.5), ratio: ratio(rates[1]) },
    theirs: { rate: rank(rates[2], 0.5), ratio: ratio(rates[2]) },
  };
}

using folder = tempFolder();
const tardis = await installTardis(folder.path);
if (typeof tardis === "string") console.log(`SKIPPED: tardis-dev's side, which cannot be installed: ${tardis}`);

const side = ({ rate, ratio }: { rate: number; ratio: number }) =>
  `${rate.toFixed(2)} M/s ${ratio.toFixed(2)} x`.padEnd(18);
console.log(
  `${"venue".padEnd(29)}${"frames".padEnd(17)}${"JSON.parse".padEnd(12)}${"ours".padEnd(18)}${"tardis-dev".padEnd(18)}trades of both`,
);
for (const { venue, name, recorded, texts } of inputs) {
  const title = `${venue.padEnd(14)}${name.padEnd(15)}`;
  if (texts.length === 0) {
    console.log(`${title}SKIPPED: no recordings`);
    continue;
  }
  const found = typeof tardis === "string" ? null : tardis(venue);
  const mapper = found !== null && texts.some((text) => found.canHandle(JSON.parse(text))) ? found : null;
  const { bare, ours, theirs } = measure(venue, texts, mapper);
  const says = mapper === null ? "" : agreement(venue, mapper, texts);
  console.log(
    `${title}${(recorded ? `${texts.length} recorded` : "documented").padEnd(17)}${`${bare.toFixed(2)} M/s`.padEnd(12)}${side(ours)}` +
      `${mapper === null ? "no mapper for it".padEnd(18) : side(theirs)}${says}`,
  );
}
