import { expect, test } from "bun:test";
import { platform } from "#platform";
import { FabricError } from "../../src/core/errors.ts";
import type { Venue } from "../../src/feed/venues/contract.ts";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { type KlinePage, venueKlines } from "../../src/role/audit/venue-klines.ts";

const START = Date.UTC(2025, 0, 1);
const at = (minute: number) => START + minute * 60_000;

/** What each venue answers for these minutes, in its documented shape and order, at most `most` of them. */
const ANSWERS: Readonly<Record<string, (minutes: readonly number[]) => unknown>> = {
  "binance-usdm": (minutes) =>
    minutes.map((time) => [time, "10", "12", "9", "11", "3", time + 59_999, "31", 5, "1", "10", "0"]),
  bybit: (minutes) => ({
    retCode: 0,
    result: { list: minutes.toReversed().map((time) => [`${time}`, "10", "12", "9", "11", "3", "31"]) },
  }),
  coinbase: (minutes) => minutes.toReversed().map((time) => [time / 1000, 9, 12, 10, 11, 3]),
  okx: (minutes) => ({
    code: "0",
    data: minutes.toReversed().map((time) => [`${time}`, "10", "12", "9", "11", "3", "31", "31", "1"]),
  }),
};
/** What each may be asked for in one answer, and how its addresses name the ends (in ms, both inclusive as given here). */
const MOST: Readonly<Record<string, number>> = { "binance-usdm": 1000, bybit: 1000, coinbase: 300, okx: 100 };
const ENDS: Readonly<Record<string, (query: URLSearchParams) => readonly [number, number]>> = {
  "binance-usdm": (query) => [Number(query.get("startTime")), Number(query.get("endTime"))],
  bybit: (query) => [Number(query.get("start")), Number(query.get("end"))],
  coinbase: (query) => [Number(query.get("start")) * 1000, Number(query.get("end")) * 1000],
  okx: (query) => [Number(query.get("before")) + 1, Number(query.get("after")) - 1],
};

/** A venue's server that has a kline for each minute of `0` to `held - 1`. */
function server(venue: Venue, held: number, status = 200) {
  const pauses: number[] = [];
  let requests = 0;
  const deps = {
    clock: platform.clock,
    timers: {
      ...platform.timers,
      after(delayMs: number, run: () => void) {
        pauses.push(delayMs);
        return platform.timers.after(0, run);
      },
    },
    httpGet(url: string) {
      requests++;
      const [from, to] = ENDS[venue.id]?.(new URL(url).searchParams) ?? [0, 0];
      const all = Array.from({ length: held }, (_, minute) => at(minute)).filter((time) => time >= from && time <= to);
      const most = MOST[venue.id] ?? 0;
      // Asked for more than it gives, a venue keeps one end of it: nobody should ask.
      const body = JSON.stringify(ANSWERS[venue.id]?.(all.slice(0, most)));
      return Promise.resolve({ status, headers: {}, body });
    },
  };
  return { deps, pauses, requests: () => requests };
}

async function gather(pages: AsyncGenerator<KlinePage>) {
  const candles = [];
  let untold: readonly string[] = [];
  for await (const page of pages) {
    candles.push(...page.candles);
    if (page.candles.length > 0) untold = [...page.untold];
  }
  return { times: candles.map(({ openTime }) => openTime), untold };
}

for (const venue of VENUES.filter(({ id }) => ANSWERS[id] !== undefined)) {
  test(`${venue.title}'s klines come page by page, each minute once and in order, with what it does not tell`, async () => {
    const held = 2345;
    const { deps, pauses, requests } = server(venue, held);
    const found = await gather(venueKlines(venue, "BTC-USDT", { from: at(3), to: at(held + 500) }, deps));
    expect(found.times).toEqual(Array.from({ length: held - 3 }, (_, index) => at(index + 3)));
    expect(requests()).toBe(Math.ceil((held + 498) / (MOST[venue.id] ?? 1)));
    expect(pauses.length).toBe(requests() - 1);
    expect(found.untold.includes("takerBuyVolume")).toBe(venue.id !== "binance-usdm");
  });

  test(`${venue.title}'s refusal is told (69), and a time of too many requests before any is made (64)`, async () => {
    const { deps, requests } = server(venue, 10, 429);
    const failure = async (to: number) => {
      const error = await gather(venueKlines(venue, "BTC-USDT", { from: 0, to }, deps)).catch((caught) => caught);
      expect(error).toBeInstanceOf(FabricError);
      return `${error.code}: ${error.message}`;
    };
    expect(await failure(at(0))).toStartWith("usage: Too long a time");
    expect(requests()).toBe(0);
    expect(await failure(0)).toBe(`unavailable: No klines of BTC-USDT from ${venue.title}: it answered 429`);
  });
}
