import { expect, test } from "bun:test";
import { platform } from "#platform";
import { FabricError } from "../../src/core/errors.ts";
import { venueBase } from "../../src/feed/live/endpoint.ts";
import type { Venue } from "../../src/feed/venues/contract.ts";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { type KlinePage, openVenueKlines, venueKlines } from "../../src/role/audit/venue-klines.ts";
import { type MarketTrade, serveVenue } from "../feed/live/venue-server.ts";

const START = Date.UTC(2025, 0, 1);
const at = (minute: number) => START + minute * 60_000;
const SYMBOLS: Readonly<Record<string, string>> = { coinbase: "BTC-USD", kraken: "BTC/USD", okx: "BTC-USDT" };
const symbolOf = (venue: Venue) => SYMBOLS[venue.id] ?? "BTCUSDT";

/** Waits without waiting. */
const deps = {
  ...platform,
  timers: { ...platform.timers, after: (_ms: number, run: () => void) => platform.timers.after(0, run) },
};

/** Two trades a minute, none in every fourth minute. */
function market(minutes: number) {
  const trades: MarketTrade[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    if (minute % 4 === 3) continue;
    for (const timeMs of [at(minute) + 100, at(minute) + 200])
      trades.push({ id: trades.length + 1, timeMs, price: "10.5", quantity: "1.5", buyerIsMaker: true });
  }
  return { nowMs: at(minutes) + 30_000, trades };
}

async function gather(pages: AsyncGenerator<KlinePage>) {
  const times: number[] = [];
  const untold = new Set<string>();
  for await (const page of pages) {
    for (const { openTime } of page.candles) times.push(openTime);
    for (const figure of page.untold) untold.add(figure);
  }
  return { times: times.sort((one, more) => one - more), untold };
}

for (const venue of VENUES) {
  test(`${venue.title}'s klines come whole, each minute once, with what it does not tell`, async () => {
    const held = venue.id === "kraken" ? 600 : 6100;
    await using server = serveVenue(venue.id, market(held));
    const { ask } = venueKlines(venue, venueBase(venue, server.url), deps);
    const { times, untold } = await gather(ask(symbolOf(venue), { from: at(3), to: at(held + 500) }));
    const first = 3;
    expect(times).toEqual(Array.from({ length: held - first }, (_, index) => at(index + first)));
    expect(untold.has("takerBuyVolume")).toBe(!venue.id.startsWith("binance"));
    expect(untold.has("trades")).toBe(["coinbase", "bybit", "okx"].includes(venue.id));
  });

  test(`${venue.title}'s refusal is told (69), and a time of too many requests before any kline is asked for (64)`, async () => {
    await using server = serveVenue(venue.id, market(10));
    const { ask } = venueKlines(venue, venueBase(venue, server.url), deps);
    const failure = async (from: number) => {
      const error = await gather(ask(symbolOf(venue), { from, to: at(9) })).catch((caught) => caught);
      expect(error).toBeInstanceOf(FabricError);
      return `${error.code}: ${error.message}`;
    };
    expect(await failure(0)).toStartWith("usage: Too long a time");
    expect(server.asked.length).toBe(1);
    server.refusals.push(new Response("{}", { status: 429 }));
    expect(await failure(at(0))).toMatch(/^unavailable: No answer from the venue to \S+ at http\S+: it answered 429/);
  });
}

test("a store is held against its own venue alone, at its own address or another", async () => {
  const [spot] = VENUES as readonly [Venue];
  await using server = serveVenue("okx", market(10));
  const ask = await openVenueKlines({ venue: "okx", environment: null }, server.url, "/nowhere");
  expect((await gather(ask("BTC-USDT", { from: at(0), to: at(9) }))).times.length).toBe(10);
  const refused = openVenueKlines({ venue: "okx", environment: "sim:7" }, server.url, "/nowhere");
  await expect(refused).rejects.toMatchObject({ code: "refused" });
  await expect(openVenueKlines({ venue: "nasdaq", environment: null }, undefined, "/")).rejects.toThrow(/venue nasdaq/);
  await expect(openVenueKlines({ venue: spot.id, environment: null }, "http://x", "/")).rejects.toThrow(/Bad --url/);
});
