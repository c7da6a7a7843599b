import { describe, expect, test } from "bun:test";
import { platform } from "#platform";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { eventually } from "../../support/eventually.ts";
import { openLive } from "./live-bench.ts";

/** Frames that carry trades, at any venue. */
const IS_TRADES =
  /"e":"trade"|market_trades","client|"channel":"trade","type":"update"|"topic":"publicTrade|"trades-all","instId":"[^"]*"\},"data"/;

// One suite, the same titles, for every venue: its simulated exchange on a real socket, and the market's own list for a judge.
for (const venue of VENUES) {
  const idsCount = venue.tradeIds !== "none";
  // Kraken's one REST request a second, which its simulated exchange insists on, too, is little at 60 times real speed.
  const speed = venue.id === "kraken" ? 10 : 60;

  describe(`${venue.title}, live`, () => {
    test("gives the market's own candles, and proves them whole where ids count", async () => {
      await using live = openLive(venue);
      await eventually(() => live.minutes() >= 6, 25_000, "candles");
      expect(live.faults()).toEqual([]);
      expect(live.feed.facts()).toMatchObject({ connected: true, speed: 60, trouble: null });
      expect(live.count("complete.total") > 0).toBe(idsCount);
      expect(live.count("reconnects.total")).toBe(0);
    }, 40_000);

    test("stays exact on a day with lost, repeated and reordered messages and cut connections", async () => {
      await using live = openLive(venue, { speed, badDay: "drop=0.01,repeat=0.02,reorder=0.02,cut=0.15" });
      await eventually(() => live.minutes() >= speed / 5, 50_000, "candles");
      expect(live.faults()).toEqual([]);
    }, 70_000);

    test("stays exact where feeds freeze, closes are announced, messages are cut off, trades come late and ids jump", async () => {
      await using live = openLive(venue, {
        speed,
        badDay: "freeze=0.1:20,shutdown=0.1,malformed=0.01,late=0.01,id-jump=0.003",
      });
      await eventually(() => live.minutes() >= speed / 5, 50_000, "candles");
      expect(live.faults()).toEqual([]);
    }, 70_000);
  });
}

for (const venue of VENUES.filter((one) => one.rest.tradesUrl !== null && one.tradeIds !== "none")) {
  test(`${venue.title}: trades that got lost on the wire are asked for by their ids, and their minutes are whole`, async () => {
    let seen = 0;
    await using live = openLive(venue, {
      speed: 10,
      openSocket: (url, handlers) =>
        platform.openSocket(url, {
          ...handlers,
          onMessage: (text) => {
            if (!IS_TRADES.test(text) || ++seen % 40 !== 0) handlers.onMessage(text);
          },
        }),
    });
    await eventually(() => live.minutes() >= 3, 40_000, "candles");
    expect(live.faults()).toEqual([]);
    expect(live.count("repair.trades.total")).toBeGreaterThan(0);
    expect(live.count("complete.total")).toBeGreaterThan(0);
  }, 60_000);
}
