import { afterEach, describe, expect, test } from "bun:test";
import { platform } from "#platform";
import { MINUTE_MS } from "../../../src/core/time.ts";
import { venueBase } from "../../../src/feed/live/endpoint.ts";
import { VenueRest } from "../../../src/feed/live/venue-rest.ts";
import { DEFAULT_START_MS, simTruth } from "../../../src/feed/sim/truth.ts";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { closeBenches, openBench } from "../sim/exchange-bench.ts";

afterEach(closeBenches);

const MINUTES = 350;
/** Waits without waiting; the exchange's own limits are its protocol's tests. */
const timers = { ...platform.timers, after: (_ms: number, run: () => void) => platform.timers.after(0, run) };

for (const venue of VENUES) {
  describe(`The simulated exchange as ${venue.id}`, () => {
    const symbols = ["BTC", "ETH"].map((base) => venue.symbolOf({ base, quote: "USDT" }));
    const source = { kind: "market", seed: 1, symbols, startMs: DEFAULT_START_MS, folder: null } as const;
    const opened = () => {
      const bench = openBench({ venue: venue.id, source });
      bench.clock.step((MINUTES * MINUTE_MS) / 60 + 500);
      const base = venueBase(venue, `ws://${bench.url}`);
      const rest = new VenueRest(venue, base, { httpGet: platform.httpGet, clock: platform.clock, timers });
      return { bench, rest };
    };

    test("tells all its minutes, quiet ones, too, as its own list has them", async () => {
      const { rest } = opened();
      const { timeMs, precisionMs, speed, environment } = await rest.time();
      expect([speed, environment.startsWith("sim:")]).toEqual([60, true]);
      const truth = [...simTruth({ seed: 1, symbols, startMs: DEFAULT_START_MS, minutes: MINUTES })];
      for (const symbol of symbols) {
        const klines = await rest.klines(symbol, DEFAULT_START_MS, timeMs + MINUTE_MS, timeMs + precisionMs);
        const own = truth.filter((row) => row.symbol === symbol);
        // Before the first trade nobody knows a price.
        const from = venue.emptyMinutes === "absent" ? own.findIndex(({ trades }) => trades > 0) : 0;
        const rows = own.slice(from);
        expect(klines.map(({ openTime }) => openTime)).toEqual(rows.map(({ openTime }) => openTime));
        klines.forEach(({ close, volume, trades, untold = [] }, at) => {
          expect([close, volume]).toEqual([rows[at]?.close as number, rows[at]?.volume as number]);
          if (!untold.includes("trades")) expect(trades).toBe(rows[at]?.trades as number);
        });
      }
    }, 20_000);

    test("gives any range of trades by id, and they make up its minutes", async () => {
      const { rest, bench } = opened();
      const [symbol = ""] = symbols;
      const newest = await rest.newestTradeMs(symbol);
      const nowMs = bench.exchange.exchangeTimeMs();
      expect(newest !== null && newest <= nowMs && newest > nowMs - 5 * MINUTE_MS).toBe(true);
      if (venue.rest.tradesUrl === null) return;
      const truth = [...simTruth({ seed: 1, symbols: [symbol], startMs: DEFAULT_START_MS, minutes: MINUTES })];
      const some = truth.slice(200, 212).filter(({ trades }) => trades > 0);
      const [first, last] = [some[0], some.at(-1)];
      if (!first?.firstTradeId || !last?.lastTradeId) throw new Error("a market without trades");
      const range = { fromId: first.firstTradeId, throughId: last.lastTradeId, fromTimeMs: first.openTime };
      const trades = await rest.tradesById(symbol, range);
      expect(trades.map(({ id }) => id)).toEqual(
        Array.from({ length: range.throughId - range.fromId + 1 }, (_, at) => range.fromId + at),
      );
      for (const { openTime, trades: count, close } of some) {
        const own = trades.filter(({ timeMs }) => timeMs >= openTime && timeMs < openTime + MINUTE_MS);
        expect([own.length, Number(own.at(-1)?.price)]).toEqual([count, close]);
      }
      expect(await rest.unknownSymbols(symbols)).toEqual([]);
    }, 20_000);
  });
}
