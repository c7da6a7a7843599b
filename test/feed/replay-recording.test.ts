import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Candle } from "../../src/core/candle.ts";
import { FabricError } from "../../src/core/errors.ts";
import { MINUTE_MS } from "../../src/core/time.ts";
import { ReplayFeed } from "../../src/feed/replay/replay-feed.ts";
import { ReplayPace } from "../../src/feed/replay/replay-pace.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { countOf, fullMinutes, liveFeed, runLive, START, SYMBOLS, startExchange, Wire } from "./live-support.ts";
import { RecordedFeed } from "./recording-support.ts";
import { type Collected, collect, deps, replay } from "./support.ts";
import { VirtualTime } from "./virtual-world.ts";

const isWhole = ({ provenance }: Candle) => provenance === "complete" || provenance === "empty";
const nameOf = ({ symbol, openTime }: Candle) => `${symbol} ${openTime}`;

/** Whole minutes of the replay, each held against the live run's row of it; without what still waited for klines when it was stopped. */
function wholeOnBoth(played: Collected, live: Collected): readonly Candle[] {
  const rows = new Map(live.candles.map((candle) => [nameOf(candle), candle]));
  const newest = new Map(live.candles.map(({ symbol, openTime }) => [symbol, openTime]));
  const whole = played.candles.filter((row) => isWhole(row) && row.openTime <= (newest.get(row.symbol) ?? 0));
  for (const candle of whole) expect(candle).toEqual(rows.get(nameOf(candle)) as Candle);
  return whole;
}

function recorded(wire: Wire, port: number): RecordedFeed {
  return new RecordedFeed({ venue: "binance-spot", symbols: SYMBOLS, openSocket: wire.openSocket }, (openSocket) =>
    liveFeed(port, { openSocket }),
  );
}

/** A hand-made recording: notes as objects, messages as text, a second apart. */
function linesOf(parts: readonly (string | object)[], fromMs = START): string {
  return parts
    .map((part, at) => {
      const ns = BigInt(fromMs + at * 1000) * 1_000_000n;
      return typeof part === "string"
        ? `${ns}${part.startsWith("#") ? "" : " "}${part}`
        : `# ${ns} ${JSON.stringify(part)}`;
    })
    .join("\n");
}

const header = (venue: string, ...symbols: string[]) => ({ note: "recording", format: 1, venue, symbols });
const connected = (group: number, ...symbols: string[]) => ({ note: "connected", group, symbols });
const spot = (symbol: string, id: number, offsetMs: number) =>
  `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${START + offsetMs},"s":"${symbol}","t":${id},` +
  `"p":"100.${id}","q":"0.5","T":${START + offsetMs},"m":false,"M":true}}`;

const shown = (candles: readonly Candle[]) =>
  candles.map((row) => [(row.openTime - START) / MINUTE_MS, row.provenance, row.trades]);

describe("A replay of a recording", () => {
  test("made beside a live run gives exactly the candles that the live run stored, minute by whole minute", async () => {
    using folder = tempFolder();
    const exchange = startExchange(300);
    const feed = recorded(new Wire(), exchange.port);
    // Two connections of their own, as two processes would have: one records, the other aggregates.
    const recording = feed.run({ onTrade() {}, onQuiet() {}, onConnected() {}, onInterrupted() {} });
    await using live = runLive(liveFeed(exchange.port));
    await eventually(() => fullMinutes(live.out) >= 15, 20_000);
    await feed.stop();
    await recording;
    await live.ingest.stop();
    await exchange.stop();
    const { out } = await replay([feed.save(folder.join("a.gz"))], SYMBOLS);
    const whole = wholeOnBoth(out, live.out);
    expect(whole.length).toBeGreaterThan(30);
    // Besides them there is what the recording's beginning and end cut into, a minute each.
    for (const symbol of SYMBOLS) {
      const rows = out.of(symbol);
      expect(rows.slice(1, -1).every(isWhole)).toBe(true);
      expect(rows.map(({ openTime }) => openTime)).toEqual(
        rows.map((_, at) => (rows[0]?.openTime ?? 0) + at * MINUTE_MS),
      );
    }
    expect(out.gaps).toEqual([]);
  });

  test("doubts what the live run doubted: cut connections, unreadable messages and lost ones leave no minute silently whole", async () => {
    using folder = tempFolder();
    const exchange = startExchange(300);
    const wire = new Wire();
    const feed = recorded(wire, exchange.port);
    await using live = runLive(feed as unknown as Parameters<typeof runLive>[0]);
    for (let cuts = 1; cuts <= 3; cuts++) {
      const before = fullMinutes(live.out);
      await eventually(() => fullMinutes(live.out) >= before + 4, 20_000);
      wire.cut();
      await eventually(() => live.ingest.state().counters["interruptions.total"] === cuts, 10_000);
      await eventually(() => feed.facts().connected, 10_000);
    }
    let unread = 0;
    wire.change = (text) =>
      text.includes('"btcusdt@trade"') && unread++ % 60 === 0 ? `${text.slice(0, 40)}\n"` : text;
    await eventually(() => unread > 120, 20_000);
    wire.change = (text) => text;
    let lost = 0;
    wire.lose = (text) => text.includes('"ethusdt@trade"') && lost++ % 60 === 0;
    await eventually(() => lost > 120, 20_000);
    await live.ingest.stop();
    await exchange.stop();

    const { out, feed: played } = await replay([feed.save(folder.join("a.gz"))], SYMBOLS);
    const whole = wholeOnBoth(out, live.out);
    expect(whole.length).toBeGreaterThan(10);
    expect(played.facts().counters["interruptions.total"]).toBe(3);
    const wholeNames = new Set(whole.map(nameOf));
    const filled = live.out.candles.filter(({ provenance }) => provenance === "backfilled");
    expect(filled.length).toBeGreaterThan(3);
    expect(filled.filter((candle) => wholeNames.has(nameOf(candle)))).toEqual([]);
    expect(countOf(out, "partial") + out.gaps.length).toBeGreaterThan(3);
    expect(played.facts().counters["lines.bad.total"]).toBeGreaterThan(0);
  });

  test("gives the same rows as fast as it can and in its own rhythm", async () => {
    using folder = tempFolder();
    const exchange = startExchange(600);
    const feed = recorded(new Wire(), exchange.port);
    await using live = runLive(feed as unknown as Parameters<typeof runLive>[0]);
    await eventually(() => fullMinutes(live.out) >= 12, 20_000);
    await live.ingest.stop();
    await exchange.stop();
    const path = feed.save(folder.join("a.gz"));
    const fast = await replay([path], SYMBOLS);
    for (const speed of [2, 600]) {
      const paced = await ReplayFeed.open({ files: [path], symbols: SYMBOLS, speed }, deps);
      const { ingest, out } = collect(paced, SYMBOLS);
      await ingest.run();
      expect(out.candles).toEqual(fast.out.candles);
      expect(out.gaps).toEqual(fast.out.gaps);
    }
  });

  test("takes an interruption for one although the trades around it are close: the minute is partial, not whole", async () => {
    using folder = tempFolder();
    const parts = [
      header("binance-spot", "BTCUSDT"),
      connected(1, "BTCUSDT"),
      { note: "heard", group: 1, timeMs: START },
      spot("BTCUSDT", 1, 59_000),
      spot("BTCUSDT", 2, 61_000),
      spot("BTCUSDT", 3, 121_000),
      { note: "interrupted", group: 1, reason: "cut" },
      connected(1, "BTCUSDT"),
      { note: "heard", group: 1, timeMs: START + 122_000 },
      spot("BTCUSDT", 5, 122_500),
      spot("BTCUSDT", 6, 181_000),
      spot("BTCUSDT", 7, 241_000),
    ];
    writeFileSync(folder.join("a.txt"), linesOf(parts));
    const { out } = await replay([folder.join("a.txt")], ["BTCUSDT"]);
    expect(shown(out.candles)).toEqual([
      [0, "partial", 1],
      [1, "complete", 1],
      [2, "partial", 2],
      [3, "complete", 1],
      [4, "partial", 1],
    ]);
    // Where no id is missing across it, the same interruption leaves the minute whole, as it does live.
    writeFileSync(
      folder.join("b.txt"),
      linesOf(parts).replace('"t":5', '"t":4').replace('"t":6', '"t":5').replace('"t":7', '"t":6'),
    );
    const bridged = await replay([folder.join("b.txt")], ["BTCUSDT"]);
    expect(shown(bridged.out.candles)[2]).toEqual([2, "complete", 2]);
  });

  test("keeps what was seen before an interruption that lasts to its end, and each connection's interruptions to its symbols", async () => {
    using folder = tempFolder();
    const parts = [
      header("binance-spot", "BTCUSDT", "ETHUSDT"),
      connected(1, "BTCUSDT"),
      connected(2, "ETHUSDT"),
      spot("BTCUSDT", 1, 59_000),
      spot("ETHUSDT", 1, 59_000),
      spot("BTCUSDT", 2, 61_000),
      spot("ETHUSDT", 2, 61_000),
      spot("BTCUSDT", 3, 121_000),
      { note: "interrupted", group: 1, reason: "cut" },
      spot("BTCUSDT", 4, 122_000),
      spot("ETHUSDT", 3, 121_000),
      spot("ETHUSDT", 4, 181_000),
    ];
    writeFileSync(folder.join("a.txt"), linesOf(parts));
    const { out, ingest } = await replay([folder.join("a.txt")], ["BTCUSDT", "ETHUSDT"]);
    expect(shown(out.of("BTCUSDT"))).toEqual([
      [0, "partial", 1],
      [1, "complete", 1],
      [2, "partial", 1],
    ]);
    expect(shown(out.of("ETHUSDT"))).toEqual([
      [0, "partial", 1],
      [1, "complete", 1],
      [2, "complete", 1],
      [3, "partial", 1],
    ]);
    expect(ingest.state().counters["strays.total"]).toBe(1);
  });

  test("leaves out symbols that were refused then or are not in it, so that the others' minutes are closed through all the same", async () => {
    using folder = tempFolder();
    const parts = [
      header("binance-spot", "BTCUSDT", "ETHUSDT"),
      { note: "refused", symbols: ["ETHUSDT"], reason: "unknown" },
      connected(1, "BTCUSDT"),
      spot("BTCUSDT", 1, 59_000),
      spot("BTCUSDT", 2, 61_000),
      spot("BTCUSDT", 3, 121_000),
    ];
    writeFileSync(folder.join("a.txt"), linesOf(parts));
    const { out, ingest } = await replay([folder.join("a.txt")], ["BTCUSDT", "ETHUSDT", "SOLUSDT"]);
    expect(out.candles.length).toBe(3);
    expect(ingest.state().closedThrough).toBe(START + 2 * MINUTE_MS);
  });

  test("does not believe a time an hour ahead of all that was told, as the live feed did not; the notes' own times are the venue's", async () => {
    using folder = tempFolder();
    const ahead = 2 * 3_600_000;
    const parts = [
      header("binance-spot", "BTCUSDT"),
      connected(1, "BTCUSDT"),
      spot("BTCUSDT", 1, 59_000),
      spot("BTCUSDT", 2, 61_000),
      spot("BTCUSDT", 99, ahead),
      spot("BTCUSDT", 3, 121_000),
      spot("BTCUSDT", 4, 181_000),
    ];
    writeFileSync(folder.join("a.txt"), linesOf(parts));
    const stray = await replay([folder.join("a.txt")], ["BTCUSDT"]);
    expect(stray.out.candles.map(({ openTime }) => (openTime - START) / MINUTE_MS)).toEqual([0, 1, 2, 3]);
    expect(stray.feed.facts().counters["lines.bad.total"]).toBe(1);
    const told = [
      ...parts.slice(0, 4),
      { note: "interrupted", group: 1, reason: "cut" },
      connected(1, "BTCUSDT"),
      { note: "heard", group: 1, timeMs: START + ahead - 1000 },
      spot("BTCUSDT", 3, ahead),
      spot("BTCUSDT", 4, ahead + 61_000),
    ];
    writeFileSync(folder.join("b.txt"), linesOf(told));
    const later = await replay([folder.join("b.txt")], ["BTCUSDT"]);
    expect(later.feed.facts().counters["lines.bad.total"]).toBe(0);
    expect(later.feed.facts().counters["trades.total"]).toBe(4);
  });

  test("takes a trade once that two connections of a venue without ids tell, and trades that were asked for by id", async () => {
    using folder = tempFolder();
    const bybit = (price: number, offsetMs: number) =>
      `{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":${START + offsetMs},"data":[{"T":${START + offsetMs},"s":"BTCUSDT","S":"Buy","v":"0.5","p":"${price}","i":"x${price}","BT":false}]}`;
    const overlap = [
      header("bybit", "BTCUSDT"),
      { note: "opened", connection: 1, address: "wss://x" },
      connected(1, "BTCUSDT"),
      bybit(100, 61_000),
      { note: "opened", connection: 2, address: "wss://x" },
      `#1 ${bybit(101, 62_000)}`,
      `#2 ${bybit(101, 62_000)}`,
      `#2 ${bybit(102, 63_000)}`,
      `#1 ${bybit(102, 63_000)}`,
      { note: "closed", connection: 1, reason: "closed by us" },
      bybit(103, 64_000),
    ];
    writeFileSync(folder.join("a.txt"), linesOf(overlap));
    const once = await replay([folder.join("a.txt")], ["BTCUSDT"]);
    expect(shown(once.out.candles)).toEqual([[1, "partial", 4]]);
    expect(once.feed.facts().counters["overlap.total"]).toBe(2);

    const trade = { symbol: "BTCUSDT", id: 3, price: "1.5", quantity: "2", timeMs: START + 62_000, buyerIsMaker: true };
    const repaired = [
      header("binance-spot", "BTCUSDT"),
      connected(1, "BTCUSDT"),
      spot("BTCUSDT", 1, 59_000),
      spot("BTCUSDT", 2, 61_000),
      spot("BTCUSDT", 4, 63_000),
      { note: "repaired", trade },
      spot("BTCUSDT", 5, 121_000),
    ];
    writeFileSync(folder.join("b.txt"), linesOf(repaired));
    const filled = await replay([folder.join("b.txt")], ["BTCUSDT"]);
    expect(shown(filled.out.candles)[1]).toEqual([1, "complete", 3]);
    expect(filled.out.candles[1]?.low).toBe(1.5);
  });

  test("cut off in its last piece it is played up to the cut, and nothing listened between it and the next one", async () => {
    using folder = tempFolder();
    const exchange = startExchange(300);
    const feed = recorded(new Wire(), exchange.port);
    await using live = runLive(feed as unknown as Parameters<typeof runLive>[0]);
    await eventually(() => fullMinutes(live.out) >= 8, 20_000);
    const whole = gunzipSync(Uint8Array.from(await Bun.file(feed.save(folder.join("a.gz"))).bytes()));
    await eventually(() => fullMinutes(live.out) >= 16, 20_000);
    await live.ingest.stop();
    await exchange.stop();
    const bytes = await Bun.file(feed.save(folder.join("b.gz"))).bytes();
    writeFileSync(folder.join("b.gz"), bytes.subarray(0, bytes.length - 30));
    const { out, feed: played } = await replay([folder.join("b.gz")], SYMBOLS);
    expect(wholeOnBoth(out, live.out).length).toBeGreaterThan(20);
    expect(played.facts().counters["files.damaged.total"]).toBe(1);
    // The first half in front of the second: their ids meet, so that only what both lack is missing.
    writeFileSync(folder.join("half.txt"), whole);
    const twice = await replay([folder.join("half.txt"), folder.join("b.gz")], SYMBOLS);
    expect(wholeOnBoth(twice.out, live.out).length).toBeGreaterThan(10);
    expect(twice.feed.facts().counters["interruptions.total"]).toBe(1);
  });

  test("of a later format, or of a venue that is not known, is refused by name", async () => {
    using folder = tempFolder();
    for (const [name, note] of [
      ["later.txt", { ...header("kraken", "BTC/USD"), format: 2 }],
      ["other.txt", header("mtgox", "BTCUSD")],
    ] as const) {
      writeFileSync(folder.join(name), linesOf([note]));
      const failed = await replay([folder.join(name)], ["BTCUSDT"]).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(FabricError);
      expect((failed as FabricError).code).toBe("bad-data");
      expect((failed as FabricError).message).toContain("expected a recording of format 1");
    }
  });
});

describe("The pace of a replay", () => {
  test("follows the recorded times at its speed, and waits neither for a damaged one nor between files", async () => {
    const time = new VirtualTime(1_000_000);
    const pace = new ReplayPace(10, time);
    const waits: number[] = [];
    const until = async (timeMs: number) => {
      const from = time.now;
      const wait = pace.until(timeMs);
      let isOver = wait === null;
      void wait?.then(() => {
        isOver = true;
      });
      for (let at = from; !isOver; ) {
        at += 1;
        await time.moveTo(at);
      }
      waits.push(time.now - from);
    };
    for (const timeMs of [START, START + 1000, START + 1500, START + 900 * 86_400_000, START + 2500])
      await until(timeMs);
    pace.restart();
    for (const timeMs of [START + 600_000, START + 601_000]) await until(timeMs);
    expect(waits).toEqual([0, 100, 50, 0, 0, 0, 100]);
  });
});
