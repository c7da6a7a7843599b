import { afterEach, describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../../src/core/time.ts";
import { DEFAULT_START_MS, simTruth } from "../../../src/feed/sim/truth.ts";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { eventually } from "../../support/eventually.ts";
import { closeBenches, connect } from "./exchange-bench.ts";
import {
  byTime,
  get,
  heard,
  marketTrades,
  namesOf,
  numbered,
  openVenue,
  pass,
  pathOf,
  readAll,
  SEED,
  subscribed,
  without,
} from "./venue-bench.ts";

afterEach(closeBenches);

for (const venue of VENUES) {
  const symbols = namesOf(venue);
  const [symbol = ""] = symbols;

  describe(`${venue.title}, simulated`, () => {
    test("tells every trade of the market once, in order, as its adapter reads it", async () => {
      const bench = openVenue(venue);
      const client = await subscribed(venue, bench.url);
      await pass(bench, client, 15 * MINUTE_MS, venue);
      const { trades, malformed } = heard(venue, client);
      expect(malformed).toEqual([]);
      const through = DEFAULT_START_MS + 14 * MINUTE_MS;
      // OKX's first row repeats the last trade before.
      const live = trades.filter(({ timeMs }) => timeMs >= DEFAULT_START_MS && timeMs < through).map(numbered);
      const wanted = marketTrades(symbols, 14);
      if (venue.tradeIds === "none" || venue.id === "binance-usdm")
        expect(live.map(without).toSorted(byTime)).toEqual(wanted.map(without).toSorted(byTime));
      else expect(live.toSorted(byTime)).toEqual(wanted.toSorted(byTime));
      for (const one of symbols) {
        const times = trades.filter((trade) => trade.symbol === one).map(({ timeMs }) => timeMs);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }
      expect(wanted.length).toBeGreaterThan(1000);
    });

    test("has klines equal to the market's list in all that the venue tells, and the time", async () => {
      const bench = openVenue(venue);
      bench.clock.step((40 * MINUTE_MS) / 60);
      const truth = [...simTruth({ seed: SEED, symbols, startMs: DEFAULT_START_MS, minutes: 30 })];
      const through = DEFAULT_START_MS + 29 * MINUTE_MS;
      for (const one of symbols) {
        const reply = await get(
          bench.url,
          venue.klineUrl(one, DEFAULT_START_MS, through, bench.exchange.exchangeTimeMs()),
        );
        expect(reply.status).toBe(200);
        expect(reply.headers.get("x-sim-speed")).toBe("60");
        expect(reply.headers.get("x-sim-environment")).toBe("sim:seed=1:start=2025-01-01T00:00Z");
        const klines = venue.klines(one, reply.body, bench.exchange.exchangeTimeMs());
        const told = klines.filter(({ candle }) => candle.openTime >= DEFAULT_START_MS && candle.openTime <= through);
        const rows = truth.filter((row) => row.symbol === one && (venue.emptyMinutes === "flat" || row.trades > 0));
        expect(told.map(({ candle }) => candle.openTime)).toEqual(rows.map(({ openTime }) => openTime));
        told.forEach(({ candle, untold }, at) => {
          const row = rows[at];
          const [before] = truth.filter(
            (other) => other.symbol === one && other.openTime === candle.openTime - MINUTE_MS,
          );
          if (row === undefined) throw new Error("a minute that is not in the list");
          const open = venue.id === "bybit" && before ? before.close : row.open;
          if (venue.id !== "bybit" || before)
            expect([candle.open, candle.high, candle.low]).toEqual([
              open,
              Math.max(open, row.high),
              Math.min(open, row.low),
            ]);
          expect([candle.close, candle.volume]).toEqual([row.close, row.volume]);
          if (!untold.includes("trades")) expect(candle.trades).toBe(row.trades);
          if (!untold.includes("quoteVolume") && venue.id === "kraken")
            expect(Math.abs(candle.quoteVolume - row.quoteVolume)).toBeLessThanOrEqual(0.01 * row.volume);
          else if (!untold.includes("quoteVolume")) expect(candle.quoteVolume).toBe(row.quoteVolume);
        });
      }
    });

    test("tells newest trades, trades by id and its clock over REST as its adapter reads them", async () => {
      const bench = openVenue(venue);
      bench.clock.step((10 * MINUTE_MS) / 60);
      const { rest } = venue;
      const time = rest.time((await get(bench.url, rest.timeUrl)).body);
      const nowMs = bench.exchange.exchangeTimeMs();
      const off = nowMs - time.timeMs;
      expect(off >= 0 && off <= time.precisionMs).toBe(true);
      const wanted = marketTrades(symbols, 11).filter((trade) => trade.symbol === symbol && trade.timeMs <= nowMs);
      const newest = rest.trades(symbol, (await get(bench.url, rest.newestTradesUrl(symbol))).body);
      const last = wanted.at(-1);
      if (last === undefined) throw new Error("a market without trades");
      expect(newest.at(-1)).toMatchObject({ timeMs: last.timeMs, buyerIsMaker: last.buyerIsMaker });
      expect(Number(newest.at(-1)?.price)).toBe(last.price);
      const unknown = await get(bench.url, rest.newestTradesUrl(venue.symbolOf({ base: "NOPE", quote: "USDT" })));
      expect(rest.isUnknownSymbol(unknown.status, unknown.body)).toBe(true);
      if (rest.tradesUrl === null) return;
      const hole = wanted.slice(200, 260);
      const range = { fromId: hole[0]?.id ?? 0, throughId: hole.at(-1)?.id ?? 0, fromTimeMs: hole[0]?.timeMs ?? 0 };
      const page = rest.trades(symbol, (await get(bench.url, rest.tradesUrl(symbol, range))).body).map(numbered);
      expect(page.filter(({ id }) => id !== null && id >= range.fromId && id <= range.throughId)).toEqual(hole);
    });

    test("refuses requests beyond its rate so that its adapter pauses", async () => {
      const { url } = openVenue(venue);
      let pause: number | null = null;
      for (let at = 0; at < 3100 && pause === null; at++) {
        const { status, headers, body } = await get(url, venue.rest.timeUrl);
        const after = headers.get("retry-after");
        pause = venue.rest.pauseMs(status, body, after === null ? null : Number(after));
      }
      expect(pause).toBeGreaterThan(0);
    });

    test("refuses an unknown symbol as the venue does, and the others go on where the venue lets them", async () => {
      const bench = openVenue(venue);
      const nope = venue.symbolOf({ base: "NOPE", quote: "USDT" });
      const client = await connect(bench.url, pathOf(venue));
      for (const request of venue.subscribe([nope, symbol])) client.send(request.text);
      if (venue.id.startsWith("binance")) {
        // Taken without a word.
        await eventually(() => readAll(venue, client).some(({ type }) => type === "ack"), 5000, "an ack");
      } else {
        const refusal = () => readAll(venue, client).find((frame) => frame.type === "rejected");
        await eventually(() => refusal() !== undefined, 5000, "a refusal");
        expect(refusal()).toMatchObject({ type: "rejected", symbols: [nope] });
      }
      await pass(bench, client, MINUTE_MS, venue);
      const { trades } = heard(venue, client);
      const goOn = ["binance-spot", "binance-usdm", "kraken", "okx"].includes(venue.id);
      expect(trades.some((trade) => trade.symbol === symbol)).toBe(goOn);
      expect(trades.some((trade) => trade.symbol === nope)).toBe(false);
    });

    test("closes on a client that sends more messages than it may", async () => {
      const { url } = openVenue(venue);
      const client = await connect(url, pathOf(venue));
      for (let at = 0; at < 200; at++) client.send("{}");
      expect(await client.closed).toContain("too many messages");
    });

    test("answers no address of another venue, and its own stream's only to an upgrade", async () => {
      const { url } = openVenue(venue);
      expect((await get(url, "http://x/nothing/here")).status).toBe(404);
      expect((await get(url, `http://x${pathOf(venue)}`)).status).toBe(426);
      const other = VENUES.find(({ id }) => id !== venue.id && !id.startsWith("binance"));
      if (other) expect((await get(url, other.klineUrl(symbol, 0, 60_000, 1e12))).status).toBe(404);
    });
  });
}
