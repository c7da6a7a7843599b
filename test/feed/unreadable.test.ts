import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { platform } from "#platform";
import type { HttpGet } from "../../src/core/env.ts";
import { parseFrame } from "../../src/feed/binance/frame-json.ts";
import { LiveFeed } from "../../src/feed/live/live-feed.ts";
import { RecentCount } from "../../src/feed/live/recent-count.ts";
import { DEFAULT_START_MS, simTruth } from "../../src/feed/sim/truth.ts";
import { venueOf } from "../../src/feed/venues/venues.ts";
import { eventually } from "../support/eventually.ts";
import { countOf, faults, fullMinutes, liveFeed, runLive, SYMBOLS, startExchange, Wire } from "./live-support.ts";
import { deps } from "./support.ts";

/** Ways in which a trade's frame can come to be no trade that anyone could read or believe. */
const GARBLES: readonly ((text: string) => string)[] = [
  (text) => text.slice(0, text.length / 2),
  () => "\u0000",
  () => "{}",
  (text) => text.replace('"data"', '"dada"'),
  (text) => text.replace('"e":"trade"', '"e":"fill"'),
  (text) => text.replace('"e":"trade",', ""),
  (text) => text.replace(/"t":(\d+)/, '"t":"$1"'),
  (text) => text.replace(/"p":"/, '"p":"-'),
  (text) => text.replace(/"q":"[^"]*"/, '"q":null'),
  (text) => text.replace(/"T":\d+/, '"T":946598400000'),
  (text) => text.replace(/"T":(\d+)/, (_, time) => `"T":${Number(time) + 10 * 86_400_000}`),
  (text) => text.replace(/"T":(\d+)/, (_, time) => `"T":${Number(time) + 50 * 60_000}`),
  (text) => text.replace(/"s":"[^"]*"/, '"s":"NOSUCHUSDT"'),
  (text) => text.replace(/"s":"[^"]*"/, '"s":7'),
];

const isTrade = (text: string) => text.includes('"e":"trade"');

describe("Messages that cannot be read", () => {
  test("never make a minute complete or empty that was not, whichever they are and however many", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            after: fc.integer({ min: 0, max: 60 }),
            run: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 200, max: 600 })),
          }),
          {
            minLength: 5,
            maxLength: 12,
          },
        ),
        fc.infiniteStream(fc.nat(GARBLES.length - 1)),
        async (stretches, ways) => {
          const spoilt = stretches.flatMap(({ after, run }) => [
            ...new Array<boolean>(after).fill(false),
            ...new Array<boolean>(run).fill(true),
          ]);
          let seen = 0;
          const exchange = startExchange(240);
          const wire = new Wire();
          wire.change = (text) => {
            if (!isTrade(text) || spoilt[seen++ % spoilt.length] !== true) return text;
            return GARBLES[ways.next().value ?? 0]?.(text) ?? "";
          };
          await using run = runLive(liveFeed(exchange.port, { openSocket: wire.openSocket }));
          await eventually(() => fullMinutes(run.out) >= 12, 30_000, "candles");
          expect(faults(run.out)).toEqual([]);
          expect(run.out.revised).toEqual([]);
          expect(run.feed.facts().counters["unreadable.total"]).toBeGreaterThan(0);
          expect(run.feed.facts().trouble).toMatch(/^\d+ unreadable frames in the last minute$/);
          await exchange.stop();
        },
      ),
      { numRuns: 4 },
    );
  }, 150_000);

  test("in place of every trade leave each minute to the venue's klines, asked for about once each", async () => {
    const exchange = startExchange(240);
    const wire = new Wire();
    wire.change = (text) => (isTrade(text) ? text.replace('"p":', '"price":') : text);
    await using run = runLive(liveFeed(exchange.port, { openSocket: wire.openSocket }));
    await eventually(() => fullMinutes(run.out) >= 8, 30_000, "candles");
    expect(faults(run.out)).toEqual([]);
    expect(countOf(run.out, "empty") + countOf(run.out, "complete")).toBe(0);
    const { counters } = run.ingest.state();
    expect(counters["backfill.requests.total"]).toBeLessThan(3 * run.out.candles.length);
    await exchange.stop();
  }, 60_000);

  test("in place of every trade, where the venue has no klines either, yield partial rows and gaps only", async () => {
    const exchange = startExchange(240);
    const wire = new Wire();
    let broken = false;
    wire.change = (text) => (broken && isTrade(text) ? "?" : text);
    const httpGet: HttpGet = (url, ...more) =>
      platform.httpGet(broken && url.includes("/klines") ? url.replace("/klines", "/none") : url, ...more);
    const feed = new LiveFeed(
      { venue: venueOf("binance-spot"), symbols: SYMBOLS, url: `ws://127.0.0.1:${exchange.port}` },
      { ...deps, openSocket: wire.openSocket, httpGet },
    );
    await using run = runLive(feed, { backfillWaitMs: 200 });
    await eventually(() => fullMinutes(run.out) >= 4, 30_000, "candles");
    broken = true;
    await eventually(() => run.out.gaps.length >= 6, 30_000, "gaps");
    const open = Math.min(...run.out.gaps.map((gap) => gap.fromOpenTime));
    expect(run.out.candles.filter((row) => row.openTime > open && row.provenance !== "partial")).toEqual([]);
    await exchange.stop();
  }, 60_000);

  test("are those of a trade stream and those of no known kind; answers and other events are not", () => {
    const unreadable = (text: string) => {
      const frame = parseFrame(text);
      return frame.type === "malformed" ? (frame.symbol ?? "any") : null;
    };
    expect(unreadable("rubbish")).toBe("any");
    expect(unreadable("{}")).toBe("any");
    expect(unreadable('{"stream":"btcusdt@trade","data":{"e":"fill"}}')).toBe("BTCUSDT");
    expect(unreadable('{"stream":"btcusdt@trade","data":[]}')).toBe("BTCUSDT");
    expect(unreadable('{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":"x"}}')).toBe("BTCUSDT");
    expect(unreadable('{"stream":"btcusdt@trade","data":{"e":"trade","s":"ETHUSDT","t":"x"}}')).toBe("any");
    for (const text of [
      '{"result":null,"id":3}',
      '{"error":{"code":2,"msg":"no"},"id":null}',
      '{"code":2,"msg":"no"}',
      '{"e":"serverShutdown","E":1735689600000}',
      '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT"}}',
      '{"stream":"btcusdt@kline_1m","data":{"e":"kline"}}',
    ])
      expect(unreadable(text)).toBeNull();
  });

  test("count for the minute after them", () => {
    const count = new RecentCount();
    for (const at of [500, 900, 30_000]) count.add(at);
    expect(count.total(59_999)).toBe(3);
    expect(count.total(60_000)).toBe(1);
    expect(count.total(500_000)).toBe(0);
  });
});

describe("A quiet connection", () => {
  test("closes no minute while the venue does not tell its time, and all of them once it does", async () => {
    const exchange = startExchange(240);
    let restUp = true;
    const wire = new Wire();
    const httpGet: HttpGet = (url, ...more) => platform.httpGet(restUp ? url : url.replace("/api/", "/down/"), ...more);
    const feed = new LiveFeed(
      { venue: venueOf("binance-spot"), symbols: SYMBOLS, url: `ws://127.0.0.1:${exchange.port}` },
      { ...deps, openSocket: wire.openSocket, httpGet },
    );
    await using run = runLive(feed);
    await eventually(() => fullMinutes(run.out) >= 3, 30_000, "candles");
    restUp = false;
    wire.lose = isTrade;
    const { quiet, asked } = { quiet: feed.facts().counters["quiet.total"], asked: exchange.exchangeTimeMs() };
    await eventually(() => exchange.exchangeTimeMs() > asked + 6 * 60_000, 20_000, "quiet minutes");
    const after = feed.facts().counters["quiet.total"] ?? 0;
    // One answer may have been under way.
    expect(after - (quiet ?? 0)).toBeLessThanOrEqual(1);
    expect(feed.facts().connected).toBe(true);
    restUp = true;
    await eventually(() => (feed.facts().counters["quiet.total"] ?? 0) > after, 20_000, "a quiet proof");
    await exchange.stop();
  }, 60_000);
});

describe("A simulated market", () => {
  test("is refused where its trades would lie outside the times that the adapter believes", () => {
    for (const startMs of [Date.UTC(1999, 11, 31), Date.UTC(2097, 0, 1), DEFAULT_START_MS + 1]) {
      expect(() => simTruth({ seed: 1, symbols: SYMBOLS, startMs, minutes: 1 })).toThrow(
        /the start must be a whole minute from 2009-01-01T00:00Z to 2096-10-02T07:06Z/,
      );
    }
  });
});
