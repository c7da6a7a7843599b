import { platform } from "#platform";
import { MINUTE_MS, minuteOf } from "../../../src/core/time.ts";
import { venueBase } from "../../../src/feed/live/endpoint.ts";
import { VenueRest, type VenueRestDeps } from "../../../src/feed/live/venue-rest.ts";
import type { Venue } from "../../../src/feed/venues/contract.ts";
import type { Market, MarketTrade } from "./venue-server.ts";

export const START = 1_735_689_600_000;
export const at = (minute: number) => START + minute * MINUTE_MS;

/** A trade every 20 s, in tens of which the last five minutes are quiet. */
export function market(minutes: number, more: Partial<Market> = {}): Market {
  const trades: MarketTrade[] = [];
  for (let timeMs = START + 999; timeMs < at(minutes); timeMs += 20_000) {
    const id = 71 + trades.length;
    if (minuteOf(timeMs - START) % (10 * MINUTE_MS) >= 5 * MINUTE_MS) continue;
    trades.push({ id, timeMs, price: `${100 + (id % 7)}`, quantity: "0.5", buyerIsMaker: id % 3 === 0 });
  }
  return { nowMs: at(minutes) + 15_500, trades, ...more };
}

/** Waits without waiting: what is asked for is remembered, the clock goes on by it. */
export function quickTime() {
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

export function restOf(venue: Venue, url: string) {
  const time = quickTime();
  return { ...time, rest: new VenueRest(venue, venueBase(venue, url), time.deps) };
}

const SYMBOLS: Readonly<Record<string, string>> = { coinbase: "BTC-USD", kraken: "BTC/USD", okx: "BTC-USDT" };
export const symbolOf = (venue: Venue) => SYMBOLS[venue.id] ?? "BTCUSDT";
