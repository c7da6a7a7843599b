import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Candle } from "../../src/core/candle.ts";
import { MINUTE_MS, minuteOf } from "../../src/core/time.ts";
import type { Trade } from "../../src/feed/contract.ts";
import { MarketIngest } from "../../src/feed/market-ingest.ts";
import { Collected, quietLog } from "./support.ts";
import { naiveCandle, ScriptedFeed, VirtualTime } from "./virtual-world.ts";

const START = 1_735_689_600_000;
const SYMBOLS = ["BTCUSDT", "ETHUSDT"];
const MINUTES = 7;
const LATE_MS = 400;

interface Arrival {
  readonly at: number;
  readonly trade: Trade;
}

interface Plan {
  readonly market: readonly Trade[];
  readonly arrivals: readonly Arrival[];
  /** Stretches without a connection, [from, to) in venue time. */
  readonly cuts: readonly (readonly [number, number])[];
  /** Indices of arrivals that get lost without a word. */
  readonly lost: ReadonlySet<number>;
}

const trade = fc.record({
  symbol: fc.constantFrom(...SYMBOLS),
  // Bunched in time, so that there are quiet minutes, bursts, and trades on a minute's very edge.
  offset: fc.oneof(
    fc.integer({ min: 0, max: MINUTES * MINUTE_MS - 1 }),
    fc
      .tuple(fc.integer({ min: 0, max: MINUTES - 1 }), fc.integer({ min: -600, max: 600 }))
      .map(([minute, by]) => Math.min(MINUTES * MINUTE_MS - 1, Math.max(0, minute * MINUTE_MS + by))),
  ),
  price: fc.integer({ min: 1, max: 99_999_999_999 }),
  quantity: fc.integer({ min: 1, max: 10_000_000_000 }),
  buyerIsMaker: fc.boolean(),
  delay: fc.integer({ min: 0, max: LATE_MS }),
  again: fc.option(fc.integer({ min: 0, max: LATE_MS })),
});

function plan(cutCount: number, lossy: boolean): fc.Arbitrary<Plan> {
  return fc
    .record({
      trades: fc.array(trade, { minLength: 1, maxLength: 120 }),
      cuts: fc.array(fc.tuple(fc.integer({ min: 0, max: MINUTES * MINUTE_MS }), fc.integer({ min: 1, max: 90_000 })), {
        maxLength: cutCount,
      }),
      lost: fc.array(fc.nat(240), { maxLength: lossy ? 6 : 0 }),
    })
    .map(({ trades, cuts, lost }) => {
      const ids = new Map<string, number>();
      const market: Trade[] = [];
      const arrivals: Arrival[] = [];
      for (const row of [...trades].sort((left, right) => left.offset - right.offset)) {
        const id = (ids.get(row.symbol) ?? 1000) + 1;
        ids.set(row.symbol, id);
        const one: Trade = {
          symbol: row.symbol,
          id,
          price: decimal(row.price),
          quantity: decimal(row.quantity),
          timeMs: START + row.offset,
          buyerIsMaker: row.buyerIsMaker,
        };
        market.push(one);
        arrivals.push({ at: one.timeMs + row.delay, trade: one });
        if (row.again !== null) arrivals.push({ at: one.timeMs + row.again, trade: one });
      }
      arrivals.sort((left, right) => left.at - right.at);
      return {
        market,
        arrivals,
        cuts: cuts.map(([from, length]) => [START + from, START + from + length] as const),
        lost: new Set(lost),
      };
    });
}

function decimal(mantissa: number): string {
  const digits = String(mantissa).padStart(9, "0");
  return `${digits.slice(0, -8)}.${digits.slice(-8)}`;
}

/** Plays a plan to its end and on, until every minute is put out. */
async function play(given: Plan) {
  const time = new VirtualTime(START);
  const feed = new ScriptedFeed(time, given.market);
  const out = new Collected();
  const ingest = new MarketIngest(
    {
      symbols: SYMBOLS,
      heads: new Map(),
      closedThrough: null,
      historyMinutes: 0,
      emit: (batch) => {
        out.batches.push(batch);
        return "accepted";
      },
      revise: (candles) => out.revised.push(...candles),
    },
    { feed, clock: time.clock, timers: time.timers, random: time.random, log: quietLog },
  );
  const done = ingest.run();
  let connected = false;
  let began: number | null = null;
  const up = (at: number) => !given.cuts.some(([from, to]) => at >= from && at < to);
  const steps = [
    ...given.arrivals.map(({ at, trade }, index) => ({ at, trade: given.lost.has(index) ? null : trade })),
    ...given.cuts.flatMap(([from, to]) => [from, to].map((at) => ({ at, trade: null }))),
    // Once a second something asks, and the venue's answer overtakes no trade.
    ...Array.from({ length: (MINUTES + 2) * 60 }, (_, second) => ({ at: START + second * 1000 + 999, trade: null })),
  ].sort((left, right) => left.at - right.at);
  for (const { at, trade } of steps) {
    await time.moveTo(at);
    if (up(at) !== connected) {
      connected = up(at);
      if (connected) {
        began ??= minuteOf(at);
        feed.sink?.onConnected(SYMBOLS);
        feed.sink?.onHeardSince?.(SYMBOLS, at);
      } else {
        feed.sink?.onInterrupted(SYMBOLS, "cut");
      }
    }
    if (!connected) continue;
    if (trade !== null) feed.sink?.onTrade(trade);
    else feed.sink?.onQuiet(SYMBOLS, at - LATE_MS);
  }
  const end = START + (MINUTES + 4) * MINUTE_MS;
  if (!connected) feed.sink?.onConnected(SYMBOLS);
  feed.sink?.onQuiet(SYMBOLS, end);
  await time.moveTo(end + 60_000);
  const state = ingest.state();
  await ingest.stop();
  await done;
  return { out, state, feed, began: began ?? end };
}

function expectTruth(given: Plan, out: Collected, began: number): void {
  const revised = new Map(out.revised.map((candle) => [`${candle.symbol} ${candle.openTime}`, candle]));
  expect(out.gaps).toEqual([]);
  for (const symbol of SYMBOLS) {
    const candles = out.of(symbol);
    candles.forEach((candle, at) => {
      const before = candles[at - 1];
      if (before !== undefined) expect(candle.openTime).toBe(before.openTime + MINUTE_MS);
    });
    const first = given.market.find((row) => row.symbol === symbol);
    if (first === undefined) continue;
    const minutes = candles.filter((candle) => candle.openTime < START + MINUTES * MINUTE_MS);
    const from = Math.max(began, minuteOf(first.timeMs));
    expect(minutes.map((candle) => candle.openTime)).toEqual(
      Array.from(
        { length: Math.max(0, (START + MINUTES * MINUTE_MS - from) / MINUTE_MS) },
        (_, at) => from + at * MINUTE_MS,
      ),
    );
    for (const candle of minutes) {
      const truth = naiveCandle(symbol, candle.openTime, given.market);
      const shown = revised.get(`${symbol} ${candle.openTime}`) ?? candle;
      expect(figures(shown)).toEqual(figures(truth));
      expect(["complete", "empty", "backfilled"]).toContain(candle.provenance);
      if (shown.provenance === "complete") {
        expect([candle.firstTradeId, candle.lastTradeId]).toEqual([truth?.firstTradeId ?? 0, truth?.lastTradeId ?? 0]);
      }
    }
  }
}

function figures(candle: Candle | null): unknown {
  if (candle === null) return null;
  const { provenance: _, firstTradeId: __, lastTradeId: ___, ...rest } = candle;
  return rest;
}

describe("Minutes out of a feed that shuffles, repeats, breaks and loses", () => {
  test("equal the naive sums when trades come late and twice", async () => {
    await fc.assert(
      fc.asyncProperty(plan(0, false), async (given) => {
        const { out, feed, began } = await play(given);
        expectTruth(given, out, began);
        expect(out.revised).toEqual([]);
        // Only the first minute asks the venue, and a symbol that never traded until the wait is over.
        expect(feed.klineRequests).toBeLessThan(40);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  test("equal the naive sums when the connection breaks at any moment, with nothing to revise", async () => {
    await fc.assert(
      fc.asyncProperty(plan(4, false), async (given) => {
        const { out, began } = await play(given);
        expectTruth(given, out, began);
        expect(out.revised).toEqual([]);
      }),
      { numRuns: 250 },
    );
  }, 60_000);

  test("equal the naive sums once the venue's klines have corrected what got lost without a word", async () => {
    await fc.assert(
      fc.asyncProperty(plan(0, true), async (given) => {
        const { out, began } = await play(given);
        // Without a heard trade on either side no id can tell that one is missing.
        if (knownLosses(given)) expectTruth(given, out, began);
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});

/** Whether every lost trade lies between two of its symbol that were heard, so that the ids show the hole. */
function knownLosses(given: Plan): boolean {
  const heard = given.arrivals.filter((_, index) => !given.lost.has(index)).map((arrival) => arrival.trade);
  return given.arrivals.every(({ trade }, index) => {
    if (!given.lost.has(index)) return true;
    const same = heard.filter((other) => other.symbol === trade.symbol);
    return same.some((other) => other.id < trade.id) && same.some((other) => other.id > trade.id);
  });
}
