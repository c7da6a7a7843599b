import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Candle, candleFault } from "../../src/core/candle.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import type { Trade, VenueCandle } from "../../src/feed/contract.ts";
import { differs, hasSamePrices, mergeKline } from "../../src/feed/kline-merge.ts";
import { MarketIngest } from "../../src/feed/market-ingest.ts";
import { Collected, quietLog } from "./support.ts";
import { naiveCandle, ScriptedFeed, VirtualTime } from "./virtual-world.ts";

const START = 1_735_689_600_000;
const BTC = "BTCUSDT";
const MINUTES = 4;
const UNTELLABLE = ["quoteVolume", "trades", "takerBuyVolume", "takerBuyQuoteVolume"] as const;
type Untellable = (typeof UNTELLABLE)[number];

/** No venue tells what takers bought but Binance, which tells everything. */
const untoldFigures = fc
  .subarray<Untellable>(["quoteVolume", "trades"])
  .map((figures): Untellable[] => [...figures, "takerBuyVolume", "takerBuyQuoteVolume"]);
const trades = fc
  .array(
    fc.record({
      offset: fc.integer({ min: 0, max: MINUTES * MINUTE_MS - 1 }),
      ticks: fc.integer({ min: 1, max: 300 }),
      lots: fc.integer({ min: 1, max: 100_000 }),
      buyerIsMaker: fc.boolean(),
      lost: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((rows) => {
    const market = rows.sort((one, more) => one.offset - more.offset);
    return market.map(({ offset, ticks, lots, buyerIsMaker, lost }, at) => {
      const price = (ticks / 100).toFixed(2);
      const trade = { symbol: BTC, id: at + 1, price, quantity: (lots / 1000).toFixed(3), timeMs: START + offset };
      return { trade: { ...trade, buyerIsMaker } satisfies Trade, lost };
    });
  });

/** The venue's candle without some figures. */
function silent(candle: Candle, untold: readonly Untellable[]): VenueCandle {
  return { ...candle, ...Object.fromEntries(untold.map((figure) => [figure, 0])), untold };
}

const [whole, half] = [1, 2]
  .map((count) =>
    naiveCandle(
      BTC,
      START,
      [1, 2].slice(0, count).map((id) => {
        return { symbol: BTC, id, price: `10${id}`, quantity: "1.5", timeMs: START + id, buyerIsMaker: false };
      }),
    ),
  )
  .reverse() as [Candle, Candle];

describe("A venue's kline that does not tell everything", () => {
  test("takes what was seen where volumes agree, and nothing where they do not or prices differ", () => {
    const kline = silent(whole, UNTELLABLE);
    const told = (seen: Candle | null) => mergeKline(kline, seen, hasSamePrices);
    expect(told(whole)).toEqual({ candle: whole, isUntold: false });
    const bare = { candle: { ...whole, quoteVolume: 0, trades: 0, takerBuyVolume: 0, takerBuyQuoteVolume: 0 } };
    for (const seen of [null, half, { ...whole, high: 200 }, { ...whole, openTime: START + MINUTE_MS }])
      expect(told(seen)).toEqual({ ...bare, isUntold: true });
    // A venue may open a minute with the previous close.
    expect(told({ ...whole, open: 102 }).isUntold).toBe(false);
    const opened = { ...kline, open: 100, low: 100 };
    expect(mergeKline(opened, whole, hasSamePrices).candle).toEqual({ ...whole, open: 100, low: 100 });
    expect(mergeKline({ ...opened, low: 99 }, whole, hasSamePrices).isUntold).toBe(true);
    expect("untold" in told(whole).candle).toBe(false);
  });

  test("leaves nothing untold in a minute without volume", () => {
    const flat = silent({ ...whole, open: 102, high: 102, low: 102, volume: 0 }, UNTELLABLE);
    expect(mergeKline(flat, null).isUntold).toBe(false);
  });

  test("keeps a part within its whole where the venue's quote volume is cut", () => {
    const cut = { ...silent(whole, ["takerBuyVolume", "takerBuyQuoteVolume"]), quoteVolume: whole.quoteVolume - 0.01 };
    const { candle } = mergeKline(cut, whole);
    expect([candle.takerBuyQuoteVolume, candleFault(candle)]).toEqual([cut.quoteVolume, null]);
  });

  test("differs from a row by what it tells alone", () => {
    expect(differs(silent(whole, UNTELLABLE), whole)).toBe(false);
    expect(differs(silent(whole, ["quoteVolume"]), { ...whole, trades: 7 })).toBe(true);
    expect(differs(silent({ ...whole, close: 101 }, UNTELLABLE), whole)).toBe(true);
  });

  test("never gets an invented figure, and every one of a minute that was wholly seen", async () => {
    await fc.assert(
      fc.asyncProperty(trades, untoldFigures, fc.boolean(), async (rows, untold, opensWithClose) => {
        const market = rows.map(({ trade }) => trade);
        const { out, counters } = await play(
          rows.filter(({ lost }) => !lost).map(({ trade }) => trade),
          market,
          untold,
          opensWithClose,
        );
        let bare = 0;
        for (const row of out.candles.filter(({ openTime }) => openTime < START + MINUTES * MINUTE_MS)) {
          const truth = naiveCandle(BTC, row.openTime, market) as Candle;
          const own = rows.filter(
            ({ trade }) => trade.timeMs >= row.openTime && trade.timeMs < row.openTime + MINUTE_MS,
          );
          const isSeen = own.every(({ lost }) => !lost);
          const open = opensWithClose ? row.open : truth.open;
          const [high, low] = [Math.max(truth.high, open), Math.min(truth.low, open)];
          expect(row).toMatchObject({ open, high, low, close: truth.close, volume: truth.volume });
          for (const figure of UNTELLABLE) {
            if (!untold.includes(figure) || isSeen) expect(row[figure]).toBe(truth[figure]);
            else expect(row[figure]).toBe(0);
          }
          if (!isSeen) bare++;
          expect(candleFault(row)).toBe(null);
        }
        expect(counters["klines.untold.total"]).toBe(bare);
        expect(out.revised).toEqual([]);
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});

/** Plays what was heard over a venue without ids that count: each minute waits for the venue's kline. */
async function play(
  heard: readonly Trade[],
  market: readonly Trade[],
  untold: readonly Untellable[],
  opensWithClose = false,
) {
  const time = new VirtualTime(START);
  const feed = Object.assign(new ScriptedFeed(time, market), { idsCount: false });
  const honest = feed.klines.bind(feed);
  feed.klines = async (symbol, from, to) =>
    (await honest(symbol, from, to)).map((candle) => {
      const before = opensWithClose ? naiveCandle(symbol, candle.openTime - MINUTE_MS, market) : null;
      const open = before?.close ?? candle.open;
      const [high, low] = [Math.max(candle.high, open), Math.min(candle.low, open)];
      return silent({ ...candle, open, high, low }, untold);
    });
  const out = new Collected();
  const ingest = new MarketIngest(
    {
      ...{ symbols: [BTC], heads: new Map(), closedThrough: null, historyMinutes: 0 },
      emit: (batch) => {
        out.batches.push(batch);
        return "accepted";
      },
      revise: (candles) => out.revised.push(...candles),
    },
    { feed, clock: time.clock, timers: time.timers, random: time.random, log: quietLog },
  );
  const done = ingest.run();
  feed.sink?.onConnected([BTC]);
  feed.sink?.onHeardSince?.([BTC], START);
  for (const trade of heard) {
    await time.moveTo(trade.timeMs);
    feed.sink?.onTrade(trade);
  }
  const end = START + MINUTES * MINUTE_MS;
  await time.moveTo(end + 1000);
  feed.sink?.onQuiet([BTC], end + 1000);
  await time.moveTo(end + 40_000);
  const { counters } = ingest.state();
  await ingest.stop();
  await done;
  return { out, counters };
}
