import { describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../src/core/time.ts";
import type { Trade } from "../../src/feed/contract.ts";
import type { MarketIngestOptions } from "../../src/feed/ingest-state.ts";
import { MAX_QUEUED_MINUTES, MarketIngest } from "../../src/feed/market-ingest.ts";
import { Collected, quietLog } from "./support.ts";
import { ScriptedFeed, VirtualTime } from "./virtual-world.ts";

const START = 1_735_689_600_000;
const BTC = "BTCUSDT";

function trade(id: number, offsetMs: number, more: Partial<Trade> = {}): Trade {
  return {
    symbol: BTC,
    id,
    price: String(100 + id),
    quantity: "1.5",
    timeMs: START + offsetMs,
    buyerIsMaker: false,
    ...more,
  };
}

async function scene(market: readonly Trade[], more: Partial<MarketIngestOptions> = {}) {
  const time = new VirtualTime(START);
  const feed = new ScriptedFeed(time, market);
  const out = new Collected();
  const ingest = new MarketIngest(
    {
      symbols: [BTC],
      heads: new Map(),
      closedThrough: null,
      historyMinutes: 0,
      emit: (batch) => {
        out.batches.push(batch);
        return "accepted";
      },
      revise: (candles) => out.revised.push(...candles),
      ...more,
    },
    { feed, clock: time.clock, timers: time.timers, random: time.random, log: quietLog },
  );
  void ingest.run();
  const connect = (sinceMs = time.now) => {
    feed.sink?.onConnected([BTC]);
    feed.sink?.onHeardSince?.([BTC], sinceMs);
  };
  const give = async (row: Trade) => {
    await time.moveTo(row.timeMs);
    feed.sink?.onTrade(row);
  };
  const quiet = async (offsetMs: number) => {
    await time.moveTo(START + offsetMs);
    feed.sink?.onQuiet([BTC], START + offsetMs);
  };
  return { time, feed, out, ingest, connect, give, quiet };
}

const shown = (out: Collected) =>
  out.candles.map((row) => [(row.openTime - START) / MINUTE_MS, row.provenance, row.trades]);

describe("Market ingest", () => {
  test("what a connection loses before its first trade shows where the venue told the last one before it", async () => {
    const market = [trade(5, 9000), trade(6, 20_000), trade(7, 70_000), trade(8, 80_000), trade(9, 150_000)];
    const lossy = await scene(market);
    lossy.connect(START + 10_000);
    lossy.feed.sink?.onBefore?.(BTC, 5, START + 9000);
    // 6 and 7 are lost, and the connection answers all the while.
    await lossy.give(trade(8, 80_000));
    await lossy.give(trade(9, 150_000));
    await lossy.quiet(200_000);
    await lossy.time.moveTo(START + 230_000);
    expect(shown(lossy.out)).toEqual([
      [0, "backfilled", 2],
      [1, "backfilled", 2],
      [2, "complete", 1],
    ]);
    const silent = await scene(market);
    silent.connect(START + 10_000);
    silent.feed.sink?.onBefore?.(BTC, 5, START + 9000);
    await silent.quiet(121_000);
    // 6 to 8 are lost: the quiet minute was none, and is corrected.
    await silent.give(trade(9, 150_000));
    await silent.quiet(200_000);
    await silent.time.moveTo(START + 230_000);
    expect(silent.out.revised.map((row) => [(row.openTime - START) / MINUTE_MS, row.trades])).toEqual([[1, 2]]);
  });

  test("a minute without its beginning waits for the venue, newer ones wait behind it, and each comes once", async () => {
    const market = [trade(1, 1000), trade(2, 61_000), trade(3, 121_000)];
    const { out, feed, time, connect, give, quiet } = await scene(market, { backfillWaitMs: 300_000 });
    feed.restUp = false;
    connect(START + 500);
    for (const row of market) await give(row);
    await quiet(181_000);
    expect(out.candles).toEqual([]);
    feed.restUp = true;
    await time.moveTo(START + 190_000);
    expect(shown(out)).toEqual([
      [0, "backfilled", 1],
      [1, "complete", 1],
      [2, "complete", 1],
    ]);
    expect(out.batches.at(-1)?.closedThrough).toBe(START + 2 * MINUTE_MS);
  });

  test("when the wait is over, what was seen is partial, what was not is a gap, and nothing is invented behind a gap", async () => {
    const market = [trade(1, 1000), trade(2, 241_000), trade(3, 301_000)];
    const { out, feed, time, connect, give, quiet } = await scene(market, { backfillWaitMs: 3000 });
    feed.restUp = false;
    connect();
    await give(trade(1, 1000));
    await quiet(61_000);
    await time.moveTo(START + 70_000);
    feed.sink?.onInterrupted([BTC], "cut");
    await time.moveTo(START + 200_000);
    connect();
    await quiet(239_000);
    for (const row of market.slice(1)) await give(row);
    await quiet(361_000);
    await time.moveTo(START + 420_000);
    expect(shown(out)).toEqual([
      [0, "partial", 1],
      [4, "complete", 1],
      [5, "complete", 1],
    ]);
    const lacking = out.gaps.flatMap((gap) => [gap.fromOpenTime - START, gap.toOpenTime - START]);
    expect(lacking.map((ms) => ms / MINUTE_MS)).toEqual([1, 1, 2, 3]);
    expect(out.gaps[0]?.reason).toContain("no answer (waited 3 s)");
  });

  test("a quiet minute is empty at the previous close, and only while the feed proves itself alive", async () => {
    const { out, connect, give, quiet, time } = await scene([trade(1, 1000), trade(2, 61_000)]);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await give(trade(2, 61_000));
    await time.moveTo(START + 400_000);
    expect(shown(out)).toEqual([[0, "complete", 1]]);
    await quiet(240_600);
    expect(shown(out)).toEqual([
      [0, "complete", 1],
      [1, "complete", 1],
      [2, "empty", 0],
      [3, "empty", 0],
    ]);
    expect(out.candles[3]).toMatchObject({ open: 102, high: 102, low: 102, close: 102, volume: 0, firstTradeId: null });
  });

  test("a hole in the ids sends the minutes it touches to the venue and revises the one that was committed", async () => {
    const market = [trade(1, 1000), trade(2, 59_000), trade(3, 61_000), trade(4, 62_000), trade(5, 121_000)];
    const { out, ingest, connect, give, quiet, time } = await scene(market);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await quiet(60_600);
    expect(shown(out)).toEqual([[0, "complete", 1]]);
    await give(trade(4, 62_000));
    await give(trade(5, 121_000));
    await quiet(180_600);
    await time.moveTo(START + 190_000);
    expect(shown(out)).toEqual([
      [0, "complete", 1],
      [1, "backfilled", 2],
      [2, "complete", 1],
    ]);
    expect(out.revised.map((row) => [row.openTime, row.trades])).toEqual([[START, 2]]);
    expect(ingest.state().counters["holes.total"]).toBe(1);
  });

  test("minutes that go missing while older ones are being asked for keep a wait of their own", async () => {
    const { out, feed, connect, quiet, time } = await scene([trade(1, 60_985), trade(2, 120_000)]);
    connect(START);
    await quiet(60_999);
    await time.moveTo(START + 61_000);
    feed.sink?.onInterrupted([BTC], "cut");
    await time.moveTo(START + 120_900);
    connect();
    await quiet(121_999);
    await quiet(182_999);
    await time.moveTo(START + 200_000);
    expect(shown(out)).toEqual([
      [1, "backfilled", 1],
      [2, "backfilled", 1],
    ]);
  });

  test("the venue's clock says from when on trades were heard, also where the first one heard is a late one of a minute before", async () => {
    const [eth, late] = ["ETHUSDT", { ...trade(7, 58_000), symbol: "ETHUSDT" }];
    const market = [trade(1, 58_000), trade(2, 61_000), trade(3, 65_000), late];
    const { out, feed, give, quiet, time } = await scene(market, { symbols: [BTC, eth] });
    await time.moveTo(START + 63_000);
    feed.sink?.onConnected([BTC, eth]);
    feed.sink?.onTrade(late);
    feed.sink?.onHeardSince?.([BTC, eth], START + 63_000);
    await give(trade(3, 65_000));
    await quiet(120_600);
    await time.moveTo(START + 130_000);
    expect(out.of(BTC).map(({ provenance, trades }) => [provenance, trades])).toEqual([
      ["backfilled", 1],
      ["backfilled", 2],
    ]);
  });

  test("ids that are no market trades leave no hole", async () => {
    const { out, feed, connect, give, quiet } = await scene([]);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    feed.sink?.onOmitted?.(BTC, 2, 3, START + 2000);
    await give(trade(4, 3000));
    await quiet(60_600);
    expect(shown(out)).toEqual([[0, "complete", 2]]);
  });

  test("a restart continues without the venue where the ids prove that nothing was missed", async () => {
    const heads = new Map([[BTC, { lastOpenTime: START - MINUTE_MS, lastClose: 100, lastTradeId: 10 }]]);
    const { out, feed, connect, give } = await scene([], { heads });
    feed.restUp = false;
    connect(START + 30_000);
    await give(trade(11, 30_100));
    await give(trade(12, 61_000));
    expect(shown(out)).toEqual([[0, "complete", 1]]);
    expect(feed.klineRequests).toBe(0);
  });

  test("minutes that the store holds are counted as repeats and never put out again", async () => {
    const heads = new Map([[BTC, { lastOpenTime: START + MINUTE_MS, lastClose: 100, lastTradeId: 2 }]]);
    const { out, ingest, connect, give, quiet } = await scene([], { heads });
    connect(START - MINUTE_MS);
    for (const row of [trade(1, 1000), trade(2, 61_000), trade(3, 121_000)]) await give(row);
    await quiet(180_600);
    expect(shown(out)).toEqual([[2, "complete", 1]]);
    expect(ingest.state().counters["repeats.total"]).toBe(2);
  });

  test("a trade that comes after its minute closed is counted, and the minute revised from the venue", async () => {
    const market = [trade(1, 1000), trade(2, 59_900)];
    const { out, ingest, connect, give, quiet, time } = await scene(market);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await quiet(60_600);
    await give(trade(2, 59_900));
    await time.moveTo(START + 70_000);
    expect(ingest.state().counters["late.total"]).toBe(1);
    expect(shown(out)).toEqual([[0, "complete", 1]]);
    expect(out.revised.map((row) => [row.openTime, row.trades])).toEqual([[START, 2]]);
  });

  test("a trade that comes after its minute closed is in that minute's row where it still waits behind a missing one", async () => {
    const market = [trade(1, 1000), trade(2, 61_000), trade(3, 119_900)];
    const { out, ingest, feed, connect, give, quiet, time } = await scene(market, { backfillWaitMs: 1e9 });
    feed.restUp = false;
    connect(START + 100);
    await give(trade(1, 1000));
    await give(trade(2, 61_000));
    await quiet(120_600);
    await give(trade(3, 119_900));
    await quiet(180_600);
    feed.restUp = true;
    await time.moveTo(START + 190_000);
    expect(shown(out)).toEqual([
      [0, "backfilled", 1],
      [1, "backfilled", 2],
      [2, "empty", 0],
    ]);
    expect(out.revised).toEqual([]);
    expect(ingest.state().counters["late.total"]).toBe(1);
  });

  test("a re-check waits until the venue's klines reach the doubted minute", async () => {
    const market = [trade(1, 1000), trade(2, 59_900)];
    const { out, feed, connect, give, quiet, time } = await scene(market);
    const honest = feed.klines.bind(feed);
    let short = 2;
    feed.klines = async (symbol, from, to) => (short-- > 0 ? [] : await honest(symbol, from, to));
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await quiet(60_600);
    await give(trade(2, 59_900));
    await time.moveTo(START + 70_000);
    expect(out.revised.map((row) => [row.openTime, row.trades])).toEqual([[START, 2]]);
  });

  test("the row before an outage is looked at again with what was missed, for trades of it that were told meanwhile", async () => {
    const market = [trade(1, 1000), trade(2, 59_900), trade(3, 62_000)];
    const { out, feed, connect, give, quiet, time } = await scene(market);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await quiet(60_600);
    feed.sink?.onInterrupted([BTC], "the connection was cut");
    await time.moveTo(START + 70_000);
    connect();
    await quiet(120_600);
    await time.moveTo(START + 130_000);
    expect(shown(out)).toEqual([
      [0, "complete", 1],
      [1, "backfilled", 1],
    ]);
    expect(out.revised.map((row) => [row.openTime, row.trades])).toEqual([[START, 2]]);
  });

  test("what a feed lost before it was found dead is looked for as far back as its last trade, behind quiet minutes", async () => {
    const market = [trade(1, 1000), trade(2, 20_000), trade(3, 190_000)];
    const { out, feed, connect, give, quiet, time } = await scene(market);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    // The feed is dead from here on, and answers all the while.
    await quiet(121_000);
    feed.sink?.onInterrupted([BTC], "the feed is dead");
    await time.moveTo(START + 130_000);
    connect();
    await give(trade(3, 190_000));
    await quiet(241_000);
    await time.moveTo(START + 250_000);
    expect(shown(out).slice(0, 3)).toEqual([
      [0, "complete", 1],
      [1, "empty", 0],
      [2, "backfilled", 0],
    ]);
    expect(out.revised.map((row) => [row.openTime, row.trades])).toContainEqual([START, 2]);
  });

  test("rows that were in doubt when their node died are re-checked by the next one, and quiet minutes stand on the corrected close", async () => {
    const market = [trade(1, 1000), trade(2, 59_900)];
    const first = await scene(market);
    first.connect(START - MINUTE_MS);
    await first.give(trade(1, 1000));
    await first.quiet(60_600);
    const stored = first.out.candles;
    await first.ingest.stop();
    const heads = new Map([[BTC, { lastOpenTime: START, lastClose: 101, lastTradeId: 1 }]]);
    const { out, ingest, connect, quiet, time } = await scene(market, { heads });
    ingest.recall(stored);
    await time.moveTo(START + 65_000);
    connect(START + 61_000);
    await quiet(180_600);
    await time.moveTo(START + 190_000);
    expect(out.revised.map((row) => [row.openTime, row.trades, row.close])).toEqual([[START, 2, 102]]);
    expect(out.candles.map(({ openTime, close }) => [openTime - START, close])).toEqual([
      [60_000, 102],
      [120_000, 102],
    ]);
  });

  test("quiet minutes that stood on a close are revised with it where a late trade changes it, and later ones stand on the new one", async () => {
    const market = [trade(1, 1000), trade(2, 59_900)];
    const { out, connect, give, quiet, time } = await scene(market);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await quiet(180_600);
    await give(trade(2, 59_900));
    await time.moveTo(START + 200_000);
    await quiet(240_600);
    expect(out.candles.map(({ openTime, close }) => [openTime - START, close])).toEqual([
      [0, 101],
      [60_000, 101],
      [120_000, 101],
      [180_000, 102],
    ]);
    expect(out.revised.map(({ openTime, close }) => [openTime - START, close])).toEqual([
      [0, 102],
      [60_000, 102],
      [120_000, 102],
    ]);
  });

  test("a kline whose trade count does not fit the ids around it is not final yet", async () => {
    const market = [trade(1, 1000), trade(2, 61_000), trade(3, 62_000), trade(4, 121_000), trade(5, 181_000)];
    const { out, ingest, feed, connect, give, time } = await scene(market);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await give(trade(2, 61_000));
    await give(trade(4, 121_000));
    const honest = feed.klines.bind(feed);
    let early = 2;
    feed.klines = async (symbol, from, to) => {
      const rows = await honest(symbol, from, to);
      return early-- > 0 ? rows.map((row) => ({ ...row, trades: Math.max(0, row.trades - 1) })) : rows;
    };
    await give(trade(5, 181_000));
    await time.moveTo(START + 200_000);
    expect(ingest.state().counters["backfill.mismatches.total"]).toBeGreaterThan(0);
    expect(shown(out).slice(0, 2)).toEqual([
      [0, "complete", 1],
      [1, "backfilled", 2],
    ]);
  });

  test("a kline without volume is not believed of a minute in which trades were seen, neither before nor after its row", async () => {
    const market = [trade(1, 1000), trade(2, 61_000), trade(3, 62_000), trade(5, 181_000)];
    const { out, ingest, feed, connect, give, quiet, time } = await scene(market);
    const honest = feed.klines.bind(feed);
    let lacking = true;
    feed.klines = async (symbol, from, to) =>
      (await honest(symbol, from, to)).map((row) =>
        lacking ? { ...row, open: 1, high: 1, low: 1, close: 1, volume: 0, trades: 0, untold: ["trades"] } : row,
      );
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await give(trade(2, 61_000));
    feed.sink?.onUnreadable?.([BTC], "not JSON");
    await quiet(120_600);
    await time.moveTo(START + 125_000);
    // The row before is looked at in the same request, and stays what it was.
    expect(shown(out)).toEqual([[0, "complete", 1]]);
    expect(ingest.state().counters["backfill.mismatches.total"]).toBeGreaterThan(1);
    lacking = false;
    await time.moveTo(START + 130_000);
    expect(shown(out)).toEqual([
      [0, "complete", 1],
      [1, "backfilled", 2],
    ]);
    expect(out.revised).toEqual([]);
  });

  test("a minute that was given up is asked for again, and revised once the venue has it", async () => {
    const market = [trade(1, 1000), trade(2, 61_000), trade(3, 62_000), trade(4, 121_000)];
    const { out, ingest, feed, connect, give, quiet, time } = await scene(market);
    connect(START - MINUTE_MS);
    await give(trade(1, 1000));
    await give(trade(2, 61_000));
    feed.sink?.onUnreadable?.([BTC], "not JSON");
    feed.restUp = false;
    await quiet(120_600);
    await time.moveTo(START + 140_000);
    expect(shown(out)).toEqual([
      [0, "complete", 1],
      [1, "partial", 1],
    ]);
    await time.moveTo(START + 300_000);
    expect(out.revised).toEqual([]);
    feed.restUp = true;
    await time.moveTo(START + 340_000);
    expect(out.revised.map((row) => [row.openTime, row.trades, row.provenance])).toEqual([
      [START + MINUTE_MS, 2, "backfilled"],
    ]);
    const asked = feed.klineRequests;
    await time.moveTo(START + 900_000);
    expect(feed.klineRequests).toBe(asked);
    expect(ingest.state().counters["revised.total"]).toBe(1);
  });

  test(`at most ${MAX_QUEUED_MINUTES} minutes wait behind one; then it is given up`, async () => {
    const { out, ingest, feed, connect, give } = await scene([], { backfillWaitMs: 1e9 });
    feed.restUp = false;
    connect(START + 100);
    await give(trade(1, 1000));
    for (let minute = 1; minute <= MAX_QUEUED_MINUTES + 2; minute++) await give(trade(minute + 1, minute * MINUTE_MS));
    expect(ingest.state().counters["overflows.total"]).toBe(1);
    expect(shown(out)[0]).toEqual([0, "partial", 1]);
    expect(out.candles.length).toBeGreaterThanOrEqual(MAX_QUEUED_MINUTES);
  });

  test("says per symbol how far it is and what waits", async () => {
    const { ingest, feed, connect, give, quiet } = await scene([]);
    feed.restUp = false;
    connect(START + 100);
    await give(trade(1, 1000));
    await quiet(181_000);
    expect(ingest.state()).toMatchObject({
      phase: "running",
      reason: null,
      symbols: [{ symbol: BTC, connected: true, resolvedThrough: START - MINUTE_MS, lagMs: 3 * MINUTE_MS, waiting: 3 }],
    });
    await ingest.stop();
    expect(ingest.state().phase).toBe("stopped");
  });
});

test("Invariant 2: where the store is full, what was waiting for klines begins anew, and no minute is overtaken by a later one", async () => {
  const market = Array.from({ length: 6 }, (_, at) => trade(at + 1, at * 30_000 + 1000));
  const taken: number[] = [];
  let isFull = false;
  let finalThrough = START;
  const { ingest, time, connect, quiet, feed } = await scene(market, {
    heads: new Map([[BTC, { lastOpenTime: START - MINUTE_MS, lastClose: 100, lastTradeId: null }]]),
    emit: (batch) => {
      if (isFull) return "full";
      taken.push(...batch.candles.map((row) => (row.openTime - START) / MINUTE_MS));
      return "accepted";
    },
  });
  const klines = feed.klines.bind(feed);
  feed.klines = async (symbol, from, to) =>
    (await klines(symbol, from, to)).filter((candle) => candle.openTime <= finalThrough);
  await time.moveTo(START + 2 * MINUTE_MS + 1000);
  connect();
  isFull = true;
  // At 2:02 the venue gives minute 0 and not yet minute 1; before the former is put out, the end of minute 2 is told.
  await time.moveTo(START + 2 * MINUTE_MS + 2001);
  feed.sink?.onQuiet([BTC], START + 3 * MINUTE_MS + 600);
  expect(ingest.state().phase).toBe("paused");
  isFull = false;
  finalThrough = START + 2 * MINUTE_MS;
  ingest.resume(new Map([[BTC, { lastOpenTime: START - MINUTE_MS, lastClose: 100, lastTradeId: null }]]), null);
  await time.moveTo(time.now + 1000);
  connect();
  await quiet(3 * MINUTE_MS + 5000);
  await time.moveTo(time.now + 5000);
  expect(taken).toEqual([0, 1, 2]);
  await ingest.stop();
});
