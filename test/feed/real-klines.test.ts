import { describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../src/core/time.ts";
import { differences, hasRecordings, recordedKlines, replay, SPOT, USDM } from "./support.ts";

const SPOT_FIRST = 1_723_161_300_000;
const SPOT_LAST = 1_723_161_840_000;
const USDM_LAST = 1_723_161_480_000;

describe.skipIf(!hasRecordings)("Real recordings through replay", () => {
  const inputs = [
    { name: "spot trades", folder: SPOT, files: ["spot_btcusdt.trades.ws.txt.gz"], last: SPOT_LAST, fields: 5 },
    {
      name: "spot with every stream, in two files split at midnight",
      folder: SPOT,
      files: ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"],
      last: SPOT_LAST,
      fields: 5,
    },
    { name: "USD-M trades", folder: USDM, files: ["usdm_btcusdt.trades.ws.txt.gz"], last: USDM_LAST, fields: 9 },
    // Its depth messages reach past midnight, so that they prove one minute more than the trades alone.
    {
      name: "USD-M with every stream",
      folder: USDM,
      files: ["usdm_btcusdt_20240808.gz"],
      last: USDM_LAST + MINUTE_MS,
      fields: 9,
    },
  ];
  for (const { name, folder, files, last, fields } of inputs) {
    test(`${name}: every full minute equals the exchange's own kline in all ${fields} fields`, async () => {
      const { out, feed } = await replay(
        files.map((file) => `${folder}/${file}`),
        ["BTCUSDT"],
      );
      const klines = recordedKlines(folder);
      const complete = out.candles.filter((candle) => candle.provenance === "complete");
      const minutes = Array.from(
        { length: (last - SPOT_FIRST) / MINUTE_MS + 1 },
        (_, at) => SPOT_FIRST + at * MINUTE_MS,
      );
      expect(complete.map((candle) => candle.openTime)).toEqual(minutes);
      for (const candle of complete) {
        const kline = klines.get(candle.openTime);
        if (kline === undefined) throw new Error(`no kline for ${candle.openTime}`);
        expect(Object.keys(kline.figures)).toHaveLength(fields);
        expect(differences(candle, kline)).toEqual([]);
      }
      const others = out.candles.filter((candle) => candle.provenance !== "complete");
      expect(others.map((candle) => candle.provenance)).toEqual(others.map(() => "partial"));
      const tail = out.candles.at(-1)?.provenance === "partial" ? [last + MINUTE_MS] : [];
      expect(others.map((candle) => candle.openTime)).toEqual([SPOT_FIRST - MINUTE_MS, ...tail]);
      expect(out.gaps).toEqual([]);
      expect(feed.venue).toBe(folder === SPOT ? "binance-spot" : "binance-usdm");
      expect(feed.facts().counters["lines.bad.total"]).toBe(0);
    });
  }
});
