import { describe, expect, test } from "bun:test";
import type { CloseBatch } from "../../src/core/delivery.ts";
import { FabricError } from "../../src/core/errors.ts";
import { MINUTE_MS, minuteOf } from "../../src/core/time.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";
import {
  countOf,
  faults,
  fullMinutes,
  headsOf,
  liveFeed,
  runLive,
  SYMBOLS,
  startExchange,
  Wire,
} from "./live-support.ts";
import { collect, quietLog } from "./support.ts";

describe("A live feed from the simulated exchange", () => {
  for (const speed of [60, 600]) {
    test(`gives exactly the market's own candles at speed ${speed}, history first`, async () => {
      const exchange = startExchange(speed);
      await using run = runLive(liveFeed(exchange.port));
      await eventually(() => fullMinutes(run.out) >= (speed === 60 ? 6 : 40), 20_000, "candles");
      expect(faults(run.out)).toEqual([]);
      expect(run.out.candles[0]?.provenance).toBe("backfilled");
      expect(countOf(run.out, "complete")).toBeGreaterThan(0);
      expect(run.feed.facts()).toMatchObject({ connected: true, speed, environment: exchange.environment });
      await exchange.stop();
    }, 30_000);
  }

  test("closes a minute for all symbols in one batch that says how far every symbol is closed", async () => {
    const exchange = startExchange(120);
    await using run = runLive(liveFeed(exchange.port));
    await eventually(() => fullMinutes(run.out) >= 6, 20_000, "candles");
    const live = run.out.batches.filter((batch) => batch.candles.every((candle) => candle.provenance !== "backfilled"));
    expect(live.length).toBeGreaterThan(2);
    for (const batch of live) {
      expect(batch.candles.map((candle) => candle.symbol).sort()).toEqual(
        Array.from({ length: batch.candles.length / 3 }, () => SYMBOLS)
          .flat()
          .sort(),
      );
      expect(batch.closedThrough).toBe(Math.max(...batch.candles.map((candle) => candle.openTime)));
    }
    await exchange.stop();
  }, 30_000);

  test("stays exact when its connection is cut again and again in the middle of minutes", async () => {
    const exchange = startExchange(120);
    const wire = new Wire();
    await using run = runLive(liveFeed(exchange.port, { openSocket: wire.openSocket }));
    for (let cuts = 0; cuts < 5; cuts++) {
      const before = fullMinutes(run.out);
      await eventually(() => fullMinutes(run.out) >= before + 2, 20_000, "candles between cuts");
      wire.cut();
    }
    await eventually(() => fullMinutes(run.out) >= 16, 20_000, "candles");
    expect(faults(run.out)).toEqual([]);
    expect(run.ingest.state().counters["interruptions.total"]).toBeGreaterThanOrEqual(4);
    expect(run.out.revised).toEqual([]);
    await exchange.stop();
  }, 60_000);

  test("stays exact when the exchange dies and comes back on the same port", async () => {
    using folder = tempFolder();
    const first = startExchange(120, { folder: folder.path });
    await using run = runLive(liveFeed(first.port));
    await eventually(() => fullMinutes(run.out) >= 3, 20_000, "candles");
    await first.stop();
    const second = startExchange(120, { folder: folder.path, port: first.port });
    const before = fullMinutes(run.out);
    await eventually(() => fullMinutes(run.out) >= before + 6, 30_000, "candles after the restart");
    expect(faults(run.out)).toEqual([]);
    await second.stop();
  }, 60_000);

  test("fills trades that got lost on the wire from the venue's klines, and revises what was committed without them", async () => {
    const exchange = startExchange(120);
    const wire = new Wire();
    let trades = 0;
    wire.lose = (text) => text.includes('"e":"trade"') && ++trades % 97 === 0;
    await using run = runLive(liveFeed(exchange.port, { openSocket: wire.openSocket }));
    await eventually(() => fullMinutes(run.out) >= 14, 30_000, "candles");
    wire.lose = () => false;
    const before = fullMinutes(run.out);
    await eventually(() => fullMinutes(run.out) >= before + 3, 20_000, "quiet end");
    const revised = new Map(run.out.revised.map((candle) => [`${candle.symbol} ${candle.openTime}`, candle]));
    const corrected = run.out.batches.map((batch) => ({
      ...batch,
      candles: batch.candles.map((candle) => revised.get(`${candle.symbol} ${candle.openTime}`) ?? candle),
    }));
    run.out.batches.splice(0, Number.POSITIVE_INFINITY, ...corrected);
    expect(faults(run.out)).toEqual([]);
    expect(run.ingest.state().counters["backfilled.total"]).toBeGreaterThan(9);
    await exchange.stop();
  }, 60_000);

  test("continues after a restart from the store's heads: no minute twice, none missing", async () => {
    const exchange = startExchange(120);
    const first = runLive(liveFeed(exchange.port));
    await eventually(() => fullMinutes(first.out) >= 4, 20_000, "candles");
    await first[Symbol.asyncDispose]();
    await using second = runLive(liveFeed(exchange.port), { heads: headsOf(first.out.candles) });
    await eventually(() => second.out.candles.length >= 18, 20_000, "candles after the restart");
    second.out.batches.unshift(...first.out.batches);
    expect(faults(second.out)).toEqual([]);
    await exchange.stop();
  }, 60_000);

  test("stops when the store is full, says so, and fills what it missed once it may go on", async () => {
    const exchange = startExchange(120);
    let full = false;
    const taken: CloseBatch[] = [];
    await using run = runLive(liveFeed(exchange.port), {
      emit: (batch) => {
        if (full) return "full";
        taken.push(batch);
        return "accepted";
      },
    });
    const minutes = () => taken.flatMap((batch) => batch.candles).length / SYMBOLS.length;
    await eventually(() => minutes() >= 5, 20_000, "candles");
    full = true;
    await eventually(() => run.ingest.state().phase === "paused", 20_000, "pause");
    expect(run.ingest.state().reason).toContain("store");
    full = false;
    const candles = taken.flatMap((batch) => batch.candles);
    run.ingest.resume(headsOf(candles), taken.at(-1)?.closedThrough ?? null);
    const before = minutes();
    await eventually(() => minutes() >= before + 5, 20_000, "candles after the pause");
    run.out.batches.push(...taken);
    expect(faults(run.out)).toEqual([]);
    await exchange.stop();
  }, 60_000);

  test("goes on without the symbol that the venue does not have, and says which that is", async () => {
    const exchange = startExchange(120);
    const errors: string[] = [];
    const symbols = [...SYMBOLS, "NOSUCHUSDT"];
    const feed = liveFeed(exchange.port, { symbols });
    const { ingest, out } = collect(
      feed,
      symbols,
      { historyMinutes: 3 },
      { ...quietLog, error: (said) => errors.push(said) },
    );
    const done = ingest.run();
    await eventually(() => fullMinutes(out) >= 3, 20_000, "candles");
    expect(faults(out)).toEqual([]);
    expect(out.batches.at(-1)?.closedThrough).toBe(Math.max(...out.candles.map((candle) => candle.openTime)));
    expect(ingest.state().symbols.map(({ symbol }) => symbol)).toEqual(SYMBOLS);
    expect(errors).toEqual([
      expect.stringMatching(
        /^Cannot go on with NOSUCHUSDT: the venue at .* does not have it; the other symbols go on$/,
      ),
    ]);
    expect(feed.facts()).toMatchObject({
      connected: true,
      trouble: expect.stringMatching(/^the venue refused NOSUCHUSDT: /),
    });
    await ingest.stop();
    await done;
    await exchange.stop();
  }, 30_000);

  test("ends where the venue has none of the symbols, and names them", async () => {
    const exchange = startExchange(60);
    await using run = runLive(liveFeed(exchange.port, { symbols: ["NOSUCHUSDT", "NORTHISUSDT"] }));
    const error = await run.done.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(FabricError);
    expect((error as FabricError).code).toBe("usage");
    expect((error as FabricError).message).toContain("Unknown symbol NOSUCHUSDT, NORTHISUSDT: the venue at");
    await exchange.stop();
  });

  test("refuses to go on when another market answers at the same address", async () => {
    const first = startExchange(120);
    await using run = runLive(liveFeed(first.port));
    await eventually(() => fullMinutes(run.out) >= 1, 20_000, "candles");
    await first.stop();
    const second = startExchange(120, { port: first.port, seed: 8 });
    const error = await run.done.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect((error as FabricError).code).toBe("refused");
    expect((error as FabricError).message).toContain("use another data folder");
    await second.stop();
  }, 30_000);

  test("waits for an exchange that is not there yet", async () => {
    const probe = startExchange(120);
    const { port } = probe;
    await probe.stop();
    await using run = runLive(liveFeed(port));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(run.feed.facts().connected).toBe(false);
    const exchange = startExchange(120, { port });
    await eventually(() => fullMinutes(run.out) >= 2, 20_000, "candles");
    expect(faults(run.out)).toEqual([]);
    await exchange.stop();
  }, 30_000);

  test("gives only final klines, in order", async () => {
    const exchange = startExchange(60);
    const feed = liveFeed(exchange.port);
    const klines = await feed.klines(
      "ETHUSDT",
      minuteOf(exchange.exchangeTimeMs()) - 1499 * MINUTE_MS,
      exchange.exchangeTimeMs() + MINUTE_MS,
    );
    expect(klines.length).toBe(1499);
    expect(
      klines.every((kline, at) => at === 0 || kline.openTime === (klines[at - 1]?.openTime ?? 0) + MINUTE_MS),
    ).toBe(true);
    await exchange.stop();
    await expect(feed.klines("ETHUSDT", 0, MINUTE_MS)).rejects.toMatchObject({ code: "unavailable" });
  });
});
