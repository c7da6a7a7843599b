import { describe, expect, test } from "bun:test";
import { platform } from "#platform";
import { venueBase } from "../../../src/feed/live/endpoint.ts";
import { VenueRest, type VenueRestDeps } from "../../../src/feed/live/venue-rest.ts";
import type { Venue } from "../../../src/feed/venues/contract.ts";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { at, market, quickTime, restOf, START, symbolOf } from "./rest-support.ts";
import { serveVenue } from "./venue-server.ts";

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
      // Half of the first answer looks for the price before, where quiet minutes are left out.
      const first = venue.emptyMinutes === "absent" ? venue.rest.klineMinutes / 2 : venue.rest.klineMinutes;
      expect(rest.requests).toBe(1 + Math.ceil((minutes - 3 - first) / venue.rest.klineMinutes));
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
      await expect(rest.time()).rejects.toThrow(/it answered 502$/);
      for (const key of ["msg", "message", "retMsg"]) {
        pass(5000);
        server.refusals.push(Response.json({ [key]: "not offered where you are" }, { status: 451 }));
        await expect(rest.time()).rejects.toThrow(/it answered 451 \(not offered where you are\)$/);
      }
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

describe("A request to a venue", () => {
  const [spot] = VENUES as readonly [Venue];

  test("waits its turn, and is turned away at once where ten seconds of others wait before it; the clock goes first", async () => {
    const kraken = VENUES.find(({ id }) => id === "kraken") as Venue;
    await using server = serveVenue("kraken", market(3));
    let now = 0;
    const turns: { readonly delayMs: number; readonly run: () => void }[] = [];
    const rest = new VenueRest(kraken, venueBase(kraken, server.url), {
      clock: { nowMs: () => START, monotonicMs: () => now },
      timers: {
        ...platform.timers,
        after(delayMs, run) {
          turns.push({ delayMs, run });
          return { cancel() {} };
        },
      },
      httpGet: platform.httpGet,
    });
    const asked = Array.from({ length: 14 }, () => rest.newestTradeMs("BTC/USD"));
    for (const late of await Promise.allSettled(asked.slice(11)))
      expect(String((late as PromiseRejectedResult).reason)).toMatch(/more of our own requests wait than 10 s/);
    const clock = rest.time();
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      expect(turn.delayMs).toBe(1000);
      now += turn.delayMs;
      turn.run();
      if (now === 1000) await clock;
    }
    await Promise.all(asked.slice(0, 11));
    expect([rest.requests, now]).toEqual([12, 11_000]);
    expect(server.asked.map(({ pathname }) => pathname).slice(0, 2)).toEqual(["/0/public/Trades", "/0/public/Time"]);
  });

  test("waits for the next minute where this one's allowance is nearly used up", async () => {
    await using server = serveVenue("binance-spot", market(3));
    const { rest, pass } = restOf(spot, server.url);
    pass(20_000);
    server.refusals.push(Response.json({ serverTime: START }, { headers: { "X-MBX-USED-WEIGHT-1M": "5001" } }));
    await rest.time();
    await expect(rest.time()).rejects.toThrow(/rate limit for 40 s more/);
    expect(rest.limited).toBe(0);
    pass(40_000);
    server.refusals.push(Response.json({ serverTime: START }, { headers: { "x-mbx-used-weight-1m": "5000" } }));
    await rest.time();
    await rest.time();
  });

  test("that asks for a symbol nobody knows is a usage error, and names are checked against the venue's list", async () => {
    await using server = serveVenue("binance-spot", market(3));
    const { rest } = restOf(spot, server.url);
    await expect(rest.klines("NOPE", at(0), at(1), at(3))).rejects.toMatchObject({
      code: "usage",
      message: `Unknown symbol NOPE: the venue at http${server.url.slice(2)} does not have it`,
    });
    expect(await rest.unknownSymbols(["NOPE", "BTCUSDT"])).toEqual(["NOPE"]);
    server.refusals.push(new Response("", { status: 404 }));
    expect(await rest.unknownSymbols(["NOPE", "BTCUSDT"])).toEqual(["NOPE"]);
    const kraken = VENUES.find(({ id }) => id === "kraken") as Venue;
    expect(await restOf(kraken, server.url).rest.unknownSymbols(["NO/PE"])).toEqual([]);
  });

  test("is told as unanswered when no answer comes in time", async () => {
    const { deps } = quickTime();
    const silent: VenueRestDeps["httpGet"] = (url, timeoutMs) => platform.httpGet(url, Math.min(timeoutMs, 50));
    const server = platform.serve({ host: "127.0.0.1", port: 0, fetch: () => new Promise<Response>(() => undefined) });
    const base = venueBase(spot, `ws://127.0.0.1:${server.port}`);
    await expect(new VenueRest(spot, base, { ...deps, httpGet: silent }).time()).rejects.toMatchObject({
      code: "unavailable",
    });
    await server.stop();
  });

  test("goes to the venue's own address unless another stands in its place, and a simulated one says what it is", async () => {
    const urls: string[] = [];
    const httpGet: VenueRestDeps["httpGet"] = async (url) => {
      urls.push(url);
      const headers = { "x-sim-speed": "60", "x-sim-environment": "sim:7" };
      return { status: 200, headers, body: JSON.stringify({ serverTime: START }) };
    };
    const { deps } = quickTime();
    await new VenueRest(spot, venueBase(spot, undefined), { ...deps, httpGet }).time();
    const told = await new VenueRest(spot, venueBase(spot, "wss://h:1/x/stream"), { ...deps, httpGet }).time();
    expect(urls).toEqual(["https://api.binance.com/api/v3/time", "https://h:1/x/api/v3/time"]);
    expect(told).toEqual({ timeMs: START, precisionMs: 0, speed: 60, environment: "sim:7" });
  });
});
