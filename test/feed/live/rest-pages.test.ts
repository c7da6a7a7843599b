import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MINUTE_MS } from "../../../src/core/time.ts";
import type { VenueCandle } from "../../../src/feed/contract.ts";
import { withAbsent } from "../../../src/feed/live/absent-minutes.ts";
import { flatCandle } from "../../../src/feed/minute-fold.ts";
import type { Venue } from "../../../src/feed/venues/contract.ts";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { at, market, restOf, START, symbolOf } from "./rest-support.ts";
import { type Market, type MarketTrade, serveVenue } from "./venue-server.ts";

const ID_VENUES = VENUES.filter(({ rest }) => rest.tradesUrl !== null);

describe("Trades by id", () => {
  for (const venue of ID_VENUES) {
    test(`of ${venue.id} are exactly the range that was asked for, from pages of any size that overlap or not`, async () => {
      const held: Market & { trades: MarketTrade[]; tradesAPage?: number } = { nowMs: at(60), trades: [] };
      await using server = serveVenue(venue.id, held);
      const plans = fc.record({
        // Many of one ms: a page that goes by time begins with some that are had already.
        steps: fc.array(fc.constantFrom(0, 0, 0, 1, 30, 20_000), { minLength: 1, maxLength: 120 }),
        page: fc.integer({ min: 1, max: 60 }),
        from: fc.nat(119),
        through: fc.nat(119),
        early: fc.constantFrom(0, 1, 50_000),
      });
      await fc.assert(
        fc.asyncProperty(plans, async ({ steps, page, from, through, early }) => {
          let timeMs = START;
          held.trades = steps.map((step, index) => {
            timeMs += step;
            return { id: 1000 + index, timeMs, price: "2.5", quantity: "1", buyerIsMaker: index % 2 === 0 };
          });
          held.tradesAPage = page;
          const [first, last] = [Math.min(from, through), Math.max(from, through)];
          const wanted = held.trades.slice(first, last + 1);
          const fromTimeMs = (wanted[0]?.timeMs ?? timeMs) - early;
          const { rest } = restOf(venue, server.url);
          const found = await rest.tradesById(symbolOf(venue), {
            fromId: 1000 + first,
            throughId: 1000 + last,
            fromTimeMs,
          });
          const all = wanted.map((trade) => ({ symbol: symbolOf(venue), ...trade }));
          expect(rest.requests).toBeLessThanOrEqual(20);
          // As much as twenty pages hold, from the end at which they begin; a page of one ms alone leads no further.
          const isCut = rest.requests === 20 || (venue.id === "kraken" && hasBunch(held.trades, page));
          const isFirst = venue.rest.tradesFrom === "first";
          expect(found).toEqual(isFirst ? all.slice(0, found.length) : all.slice(all.length - found.length));
          if (!isCut) expect(found.length).toBe(all.length);
        }),
        { numRuns: 150, seed: 20_261_124 },
      );
    }, 30_000);
  }

  test("leave out what the venue has no trade for, and go on behind it", async () => {
    for (const venue of ID_VENUES) {
      const trades = market(30).trades.filter(({ id }) => id % 5 !== 0);
      await using server = serveVenue(venue.id, { nowMs: at(30), trades, tradesAPage: 4 });
      const { rest } = restOf(venue, server.url);
      const found = await rest.tradesById(symbolOf(venue), { fromId: 75, throughId: 100, fromTimeMs: START });
      expect(found.map(({ id }) => id)).toEqual(trades.map(({ id }) => id).filter((id) => id >= 75 && id <= 100));
    }
  });
});

/** Whether a page may hold nothing but trades of one ms. */
function hasBunch(trades: readonly MarketTrade[], page: number): boolean {
  return trades.some(({ timeMs }, index) => trades[index + page - 1]?.timeMs === timeMs);
}

describe("Minutes that a venue leaves out", () => {
  const minutes = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });
  const row = (minute: number): VenueCandle => {
    const close = 100 + minute;
    return { ...flatCandle("A-B", at(minute), close), volume: 1, trades: 0, untold: ["trades"] };
  };

  test("are flat at the previous close between present ones and once they are settled, and nothing is made up before", () => {
    fc.assert(
      fc.property(minutes, fc.nat(12), fc.nat(20), fc.option(fc.constant(7)), (isThere, from, lateS, closeBefore) => {
        const rows = isThere.flatMap((there, minute) => (there ? [row(minute)] : []));
        const through = isThere.length - 1;
        const venueTimeMs = at(isThere.length) + lateS * 1000;
        const candles = withAbsent("A-B", rows, { from: at(from), through: at(through), closeBefore, venueTimeMs });
        const newest = isThere.lastIndexOf(true);
        let expected = 0;
        for (let minute = from; minute <= through; minute++) {
          const last = isThere.lastIndexOf(true, minute);
          const close = last >= 0 ? 100 + last : closeBefore;
          const isSettled = minute < newest || at(minute) + MINUTE_MS + 10_000 <= venueTimeMs;
          if (!isThere[minute] && !isSettled) break;
          if (close === null) continue;
          const candle = candles[expected++];
          expect(candle).toMatchObject({ openTime: at(minute), close, volume: isThere[minute] ? 1 : 0 });
          if (!isThere[minute]) expect([candle?.provenance, candle?.untold]).toEqual(["backfilled", undefined]);
        }
        expect(candles.length).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("are filled across pages, and the newest one stays out until it has been over for ten seconds", async () => {
    const venue = VENUES.find(({ id }) => id === "coinbase") as Venue;
    const trades = market(700).trades.filter(({ timeMs }) => timeMs < at(100) || timeMs > at(690));
    const held = { nowMs: at(700) + 5000, trades };
    await using server = serveVenue("coinbase", held);
    const { rest } = restOf(venue, server.url);
    // 695 to 699 are quiet.
    const early = await rest.klines("BTC-USD", at(98), at(699), held.nowMs);
    expect(early.map(({ openTime }) => openTime)).toEqual(Array.from({ length: 601 }, (_, index) => at(98 + index)));
    expect(new Set(early.slice(10, 590).map(({ close, volume }) => `${close} ${volume}`)).size).toBe(1);
    expect((await rest.klines("BTC-USD", at(698), at(699), held.nowMs + 5000)).length).toBe(2);
    // Further back than an answer reaches nobody knows the price, since there are trades behind it.
    expect(await rest.klines("BTC-USD", at(600), at(600), held.nowMs)).toEqual([]);
  });

  test("are flat at the newest trade's price however long ago that was, and stay out where there is none", async () => {
    const venue = VENUES.find(({ id }) => id === "coinbase") as Venue;
    const trades = market(700).trades.filter(({ timeMs }) => timeMs < at(100));
    const held = { nowMs: at(700) + 15_000, trades };
    await using server = serveVenue("coinbase", held);
    const { rest } = restOf(venue, server.url);
    const quiet = await rest.klines("BTC-USD", at(650), at(699), held.nowMs);
    expect(quiet.map(({ openTime }) => openTime)).toEqual(Array.from({ length: 50 }, (_, index) => at(650 + index)));
    const price = Number(trades.at(-1)?.price);
    expect(new Set(quiet.map(({ open, close, volume }) => `${open} ${close} ${volume}`))).toEqual(
      new Set([`${price} ${price} 0`]),
    );
    held.trades = [];
    expect(await rest.klines("BTC-USD", at(650), at(699), held.nowMs)).toEqual([]);
  });
});
