import { describe, expect, test } from "bun:test";
import { platform } from "#platform";
import { MINUTE_MS, minuteOf } from "../../../src/core/time.ts";
import { venueBase } from "../../../src/feed/live/endpoint.ts";
import { VenueRest, type VenueRestDeps } from "../../../src/feed/live/venue-rest.ts";
import type { Venue } from "../../../src/feed/venues/contract.ts";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { type Market, type MarketTrade, serveVenue } from "./venue-server.ts";

const START = 1_735_689_600_000;
const at = (minute: number) => START + minute * MINUTE_MS;

/** A trade every 20 s, in tens of which the last five minutes are quiet. */
function market(minutes: number, more: Partial<Market> = {}): Market {
  const trades: MarketTrade[] = [];
  for (let timeMs = START + 999; timeMs < at(minutes); timeMs += 20_000) {
    const id = 71 + trades.length;
    if (minuteOf(timeMs - START) % (10 * MINUTE_MS) >= 5 * MINUTE_MS) continue;
    trades.push({ id, timeMs, price: `${100 + (id % 7)}`, quantity: "0.5", buyerIsMaker: id % 3 === 0 });
  }
  return { nowMs: at(minutes) + 15_500, trades, ...more };
}

/** Waits without waiting: what is asked for is remembered, the clock goes on by it. */
function quickTime() {
  let now = 0;
  const waits: number[] = [];
  const timers: VenueRestDeps["timers"] = {
    ...platform.timers,
    after(delayMs, run) {
      waits.push(delayMs);
      now += delayMs;
      return platform.timers.after(0, run);
    },
  };
  const clock = { nowMs: () => START + now, monotonicMs: () => now };
  return { waits, pass: (ms: number) => (now += ms), deps: { clock, timers, httpGet: platform.httpGet } };
}

function restOf(venue: Venue, url: string) {
  const time = quickTime();
  return { ...time, rest: new VenueRest(venue, venueBase(venue, url), time.deps) };
}

const SYMBOLS: Readonly<Record<string, string>> = { coinbase: "BTC-USD", kraken: "BTC/USD", okx: "BTC-USDT" };
const symbolOf = (venue: Venue) => SYMBOLS[venue.id] ?? "BTCUSDT";
const unlike = (venue: Venue) => ({
  status: { "binance-spot": 429, "binance-usdm": 418, coinbase: 429, kraken: 200, bybit: 403, okx: 429 }[venue.id],
  body: {
    "binance-spot": { code: -1003, msg: "Too many requests" },
    "binance-usdm": { code: -1003, msg: "Way too many requests; IP banned" },
    coinbase: { message: "Public rate limit exceeded" },
    kraken: { error: ["EAPI:Rate limit exceeded"] },
    bybit: { retCode: 403, retMsg: "access too frequent" },
    okx: { code: "50011", msg: "Rate limit reached." },
  }[venue.id],
});

for (const venue of VENUES) {
  const symbol = symbolOf(venue);

  describe(`The REST interface of ${venue.id}`, () => {
    test("tells the venue's clock, its environment and its speed", async () => {
      const held = market(3, { nowMs: at(3) + 1234 });
      await using server = serveVenue(venue.id, held);
      const { rest } = restOf(venue, server.url);
      const { timeMs, precisionMs, speed, environment } = await rest.time();
      expect(timeMs <= held.nowMs && held.nowMs <= timeMs + precisionMs).toBe(true);
      expect([speed, environment]).toEqual([1, `endpoint:${server.url.slice(5)}`]);
    });

    test("klines come page by page, each minute once and in order, without those that are not over", async () => {
      const minutes = venue.id === "kraken" ? 700 : 1333;
      await using server = serveVenue(venue.id, market(minutes));
      const { rest } = restOf(venue, server.url);
      const klines = await rest.klines(symbol, at(3), at(minutes + 50), at(minutes) + 15_500);
      expect(klines.map(({ openTime }) => openTime)).toEqual(
        Array.from({ length: minutes - 3 }, (_, index) => at(index + 3)),
      );
      const perPage = venue.rest.klineMinutes - (venue.emptyMinutes === "absent" ? 1 : 0);
      expect(rest.requests).toBe(Math.ceil((minutes - 3) / perPage));
      expect(klines[0]).toMatchObject({ symbol, volume: 1.5, provenance: "backfilled" });
      const close = klines[1]?.close as number;
      expect(klines[2]).toMatchObject({ open: close, high: close, low: close, close, volume: 0, trades: 0 });
    });

    test("its newest trade's time is told, and null where there is none", async () => {
      const held = market(4);
      await using server = serveVenue(venue.id, held);
      expect(await restOf(venue, server.url).rest.newestTradeMs(symbol)).toBe(held.trades.at(-1)?.timeMs as number);
      await using empty = serveVenue(venue.id, { nowMs: START, trades: [] });
      expect(await restOf(venue, empty.url).rest.newestTradeMs(symbol)).toBe(null);
    });

    test("trades of a range of ids are had in order, whatever the size of a page, or none are offered", async () => {
      const held = market(30, { tradesAPage: 7 });
      await using server = serveVenue(venue.id, held);
      const { rest } = restOf(venue, server.url);
      const wanted = held.trades.slice(5, 31);
      const range = { fromId: wanted[0]?.id ?? 0, throughId: wanted.at(-1)?.id ?? 0, fromTimeMs: START };
      const trades = await rest.tradesById(symbol, range);
      if (venue.rest.tradesUrl === null) expect([trades, rest.requests]).toEqual([[], 0]);
      else expect(trades).toEqual(wanted.map((trade) => ({ symbol, ...trade })));
    });

    test("a refusal for asking too much is counted, and nothing is sent for as long as the venue says", async () => {
      await using server = serveVenue(venue.id, market(3));
      const { rest, pass } = restOf(venue, server.url);
      const { status, body } = unlike(venue);
      server.refusals.push(Response.json(body, { status, headers: { "retry-after": "30" } }));
      await expect(rest.time()).rejects.toMatchObject({ code: "unavailable" });
      expect([rest.requests, rest.limited]).toEqual([1, 1]);
      await expect(rest.klines(symbol, at(0), at(0), at(3))).rejects.toThrow(/rate limit for 30 s more/);
      pass(29_000);
      await expect(rest.time()).rejects.toThrow(/rate limit for 1 s more/);
      expect(server.asked.length).toBe(1);
      pass(1100);
      await rest.time();
      server.refusals.push(Response.json(body, { status }));
      await expect(rest.time()).rejects.toThrow(new RegExp(`answered ${status}, too many requests`));
      await expect(rest.time()).rejects.toThrow(/we keep to its rate limit/);
    });

    test("requests are spaced below the venue's limit, and those that would wait too long are turned away", async () => {
      await using server = serveVenue(venue.id, market(3));
      const { rest, waits } = restOf(venue, server.url);
      const { requestsPerSecond } = venue.rest;
      for (let request = 0; request < 5; request++) await rest.time();
      // What the answers take is no part of this clock.
      expect(waits.map(Math.round)).toEqual(Array.from({ length: 4 }, () => Math.round(1000 / requestsPerSecond)));
    });

    test("an answer that is none of the documented shape is one clear error", async () => {
      await using server = serveVenue(venue.id, market(3));
      const { rest, pass } = restOf(venue, server.url);
      const ranges = { fromId: 1, throughId: 9, fromTimeMs: START };
      for (const body of [
        "",
        "{",
        "[]]",
        "null",
        "7",
        '{"error":[],"result":7}',
        '[["x"]]',
        '[{"id":1}]',
        "x".repeat(9),
      ]) {
        for (const [what, ask] of [
          ["time", () => rest.time()],
          ["klines", () => rest.klines(symbol, at(0), at(2), at(3))],
          ["newest", () => rest.newestTradeMs(symbol)],
          ["trades", () => rest.tradesById(symbol, ranges)],
        ] as const) {
          if (what === "trades" && venue.rest.tradesUrl === null) continue;
          server.refusals.push(new Response(body));
          pass(5000);
          const error = await ask().catch((caught: unknown) => caught);
          expect(error).toMatchObject({ code: "unavailable" });
          expect((error as Error).message).toMatch(/^No answer from the venue to \/\S+ at http:\/\/127\.0\.0\.1:\d+: /);
        }
      }
      server.refusals.push(new Response("<html>", { status: 502 }));
      await expect(rest.time()).rejects.toThrow(/it answered 502/);
    });

    test("a venue that is gone is told as such", async () => {
      const server = serveVenue(venue.id, market(3));
      await server.stop();
      const { rest } = restOf(venue, server.url);
      await expect(rest.time()).rejects.toMatchObject({ code: "unavailable" });
      expect(rest.requests).toBe(1);
    });
  });
}
