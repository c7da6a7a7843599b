import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { readRecordedLine } from "../../../src/feed/replay/recorded-line.ts";
import { ReplayFeed } from "../../../src/feed/replay/replay-feed.ts";
import type { Venue, VenueFrame, VenueId } from "../../../src/feed/venues/contract.ts";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { deps, hasRecordings, recordings, replay } from "../support.ts";
import { CAPTURES, captureLines, capturePath, receivedTexts, taggedMessages } from "./captures.ts";

const venueOf = (id: VenueId): Venue => VENUES.find((venue) => venue.id === id) as Venue;

/** How often each outcome came; trades, history and rows left out by the row. */
function outcomes(venue: VenueId, lines: readonly string[]): Readonly<Record<string, number>> {
  const reader = venueOf(venue).reader();
  const counts: Record<string, number> = {};
  const add = (name: string, by = 1) => {
    if (by > 0) counts[name] = (counts[name] ?? 0) + by;
  };
  for (const line of lines) {
    const frame = readRecordedLine(reader, line);
    if (frame === null) add("bad");
    else if (frame === "note") add(frame);
    else if (frame.type !== "trades") add(frame.type);
    else {
      expect(frame.venue).toBe(venue);
      add("trades", frame.trades.length);
      add("history", frame.history.length);
      add("omitted", frame.omitted.length);
    }
  }
  return counts;
}

describe.skipIf(!hasRecordings)("Recorded traffic of the known venues", () => {
  test("every line of every capture is a trade, known data or a note, and the trades are as many as the recorders counted", () => {
    const found = Object.fromEntries(CAPTURES.map(({ venue, file }) => [file, outcomes(venue, captureLines(file))]));
    for (const counts of Object.values(found)) {
      expect(counts.bad).toBeUndefined();
      expect(counts.malformed).toBeUndefined();
      expect(counts.rejected).toBeUndefined();
    }
    expect(found).toMatchObject({
      "BINANCE.ws.1.0": { trades: 2, other: 263 },
      "BINANCE_US.ws.1.0": { trades: 11 },
      "BINANCE_FUTURES.ws.1.0": { trades: 91 },
      "COINBASE.ws.28.0": { trades: 97, history: 10, ack: 3 },
      "KRAKEN.ws.48.0": { trades: 10, ack: 10, heartbeat: 30 },
      "KRAKEN.ws.49.0": { ack: 10, heartbeat: 31 },
      "KRAKEN.ws.50.0": { ack: 10, heartbeat: 31, other: 4280 },
      "OKX.ws.1.0": { trades: 74, ack: 18 },
      // The API that ended in 2023, whose topics are other data here.
      "BYBIT.ws.25.0": { ack: 16, other: 3326 },
      "BYBIT.ws.26.0": { ack: 4, other: 1094 },
    });
  });

  test("every tagged message is a trade or known data, and every tagged trade of a live protocol is read", () => {
    const messages = taggedMessages();
    expect(messages.length).toBeGreaterThan(150);
    const trades: Record<string, number> = {};
    for (const { venue, kind, raw } of messages) {
      const frame = venueOf(venue).reader().read(raw);
      expect([raw.slice(0, 80), frame.type]).not.toEqual([raw.slice(0, 80), "malformed"]);
      if (frame.type === "trades") trades[venue] = (trades[venue] ?? 0) + 1;
      // Coinbase's are not tagged.
      if (frame.type === "trades" && kind !== "") expect(kind).toBe("trade");
    }
    expect(trades).toEqual({ "binance-usdm": 5, coinbase: 1, kraken: 1, okx: 6 });
  });

  test("Kraken's recorded control frames are told apart, and the refusal names its symbol", () => {
    const lines = readFileSync(`${recordings}/ws-messages/kraken_v2_control_frames.jsonl`, "utf8").trim().split("\n");
    const frames = lines.map((line) => venueOf("kraken").reader().read(line));
    expect(frames.map(({ type }) => type)).toEqual(["other", "ack", "rejected", "heartbeat", "other"]);
    expect(frames[2]).toMatchObject({ symbols: ["XBT/USDT"], reason: "Currency pair not supported XBT/USDT" });
  });

  test("a recording is replayed as its own venue's, without being told which", async () => {
    const symbols: Readonly<Record<string, readonly string[]>> = {
      "BINANCE_US.ws.1.0": ["OMGBUSD"],
      "BINANCE_FUTURES.ws.1.0": ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"],
      "COINBASE.ws.28.0": ["SKL-USD", "BAND-GBP", "YFI-BTC", "SKL-BTC", "BAND-BTC", "NMR-EUR", "DASH-BTC", "NU-GBP"],
      "KRAKEN.ws.48.0": ["XMR/USD", "BTC/CHF", "ADA/BTC", "GRT/ETH", "WAVES/EUR", "ETH/CHF", "SC/EUR", "OMG/USD"],
      "OKX.ws.1.0": ["BTC-USDT", "BTC-USD-220527"],
    };
    for (const [file, names] of Object.entries(symbols)) {
      const { feed, out } = await replay([capturePath(file)], names);
      const capture = CAPTURES.find((one) => one.file === file);
      expect(feed.venue).toBe(capture?.venue as VenueId);
      const { counters } = feed.facts();
      expect(counters["lines.bad.total"]).toBe(0);
      const folded = out.candles.reduce((sum, candle) => sum + candle.trades, 0);
      expect(folded).toBeGreaterThan(0);
      // Half a minute of a market is no whole minute of it.
      for (const { provenance } of out.candles) expect(provenance).toBe("partial");
      if (file.startsWith("OKX")) expect([counters["trades.total"], counters["history.total"]]).toEqual([71, 3]);
      if (file.startsWith("COINBASE")) expect(counters["history.total"]).toBe(10);
    }
  });

  test("a capture whose protocol has ended is refused by name", async () => {
    const options = { files: [capturePath("BYBIT.ws.25.0")], symbols: ["BCHUSDT"], speed: "max" as const };
    await expect(ReplayFeed.open(options, deps)).rejects.toMatchObject({ code: "bad-data" });
  });

  test("mutated frames are read, classified or malformed with a reason, and never throw", () => {
    for (const venue of VENUES) {
      const texts = CAPTURES.filter((capture) => capture.venue === venue.id).flatMap(({ file }) => sample(venue, file));
      expect(texts.length).toBeGreaterThan(10);
      const reader = venue.reader();
      fc.assert(
        fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(12), patches, (text, where, cut, put) => {
          const at = where % (text.length + 1);
          const frame = reader.read(text.slice(0, at) + put + text.slice(at + cut));
          expect(soundness(frame)).toBeNull();
        }),
        { seed: 20_261_124, numRuns: 3000 },
      );
    }
  });
});

const patches = fc.oneof(
  fc.constantFrom(
    "",
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "0",
    "-",
    ".",
    "e9",
    "null",
    "true",
    '"trade"',
    "\u0000",
  ),
  fc.constantFrom("[[[[", '{"price":1e-7}', "99999999999999999999", "\ud800", "XBT/USD", "  "),
  fc.string({ maxLength: 6 }),
);

/** Every trade frame of a capture, and some of the others. */
function sample(venue: Venue, file: string): readonly string[] {
  const reader = venue.reader();
  const texts = receivedTexts(file).filter((text) => text.length < 4000);
  return texts.filter((text, at) => at % 97 === 0 || reader.read(text).type !== "other");
}

/** What is wrong with a frame, or null. */
function soundness(frame: VenueFrame): string | null {
  if (frame.type === "malformed" && frame.reason === "") return "no reason";
  if (frame.type !== "trades") return null;
  const { trades, history, omitted } = frame;
  if (trades.length + history.length + omitted.length === 0) return "an empty trade frame";
  for (const { id, lastId, price, quantity, timeMs, symbol } of [...trades, ...history]) {
    if (id !== null && !(Number.isSafeInteger(id) && id >= 0 && (lastId ?? id) >= id)) return `id ${id}`;
    for (const decimal of [price, quantity])
      if (!/^\d+(\.\d+)?$/.test(decimal) || !(Number(decimal) > 0)) return decimal;
    if (!Number.isSafeInteger(timeMs)) return `time ${timeMs}`;
    if (symbol === "" || symbol !== symbol.toUpperCase()) return symbol;
  }
  return null;
}
