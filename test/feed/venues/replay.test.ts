import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { MINUTE_MS } from "../../../src/core/time.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { replay } from "../support.ts";

const START = 1_735_689_600_000;
const iso = (offsetMs: number) => new Date(START + offsetMs).toISOString();
const line = (offsetMs: number, text: string) => `${((START + offsetMs + 40) / 1000).toFixed(6)}: ${text}`;
const okx = (id: number, offsetMs: number, channel = "trades-all", instId = "BTC-USDT") =>
  line(
    offsetMs,
    `{"arg":{"channel":"${channel}","instId":"${instId}"},"data":[{"instId":"${instId}","tradeId":"${id}","px":"100.${id}","sz":"0.5","side":"buy","ts":"${START + offsetMs}"}]}`,
  );
const bybit = (offsetMs: number, price: string) =>
  line(
    offsetMs,
    `{"topic":"publicTrade.BTCUSDT","ts":${START + offsetMs},"type":"snapshot","data":[{"i":"2290000000061664327","T":${START + offsetMs},"p":"${price}","v":"0.5","S":"Sell","s":"BTCUSDT","BT":false}]}`,
  );
const match = (id: number, offsetMs: number, type = "match", product = "BTC-USD") =>
  line(
    Math.max(offsetMs, 0),
    `{"type":"${type}","trade_id":${id},"maker_order_id":"a","taker_order_id":"b","side":"sell","size":"0.5","price":"100.${id}","product_id":"${product}","sequence":${id},"time":"${iso(offsetMs)}"}`,
  );

const shown = (candles: readonly { openTime: number; provenance: string; trades: number }[]) =>
  candles.map((row) => [(row.openTime - START) / MINUTE_MS, row.provenance, row.trades]);

async function played(lines: readonly string[], symbols: readonly string[]) {
  using folder = tempFolder();
  writeFileSync(folder.join("capture.txt"), lines.join("\n"));
  return await replay([folder.join("capture.txt")], symbols);
}

describe("Replay of a venue's recording", () => {
  test("ids that count make minutes complete and empty, whichever venue gave them", async () => {
    const { feed, out } = await played(
      [1000, 61_000, 181_000, 241_000].map((at, id) => okx(id + 1, at)),
      ["BTC-USDT"],
    );
    expect(feed.venue).toBe("okx");
    expect(shown(out.candles)).toEqual([
      [0, "partial", 1],
      [1, "complete", 1],
      [2, "empty", 0],
      [3, "complete", 1],
      [4, "partial", 1],
    ]);
    expect(out.candles[1]).toMatchObject({ firstTradeId: 2, lastTradeId: 2, open: 100.2, takerBuyVolume: 0.5 });
  });

  test("without ids nothing proves a minute whole: partial rows without ids, and a gap where nothing traded", async () => {
    const rows: readonly (readonly [number, string])[] = [
      [1000, "100"],
      [61_000, "101"],
      [61_001, "99"],
      [61_001, "102"],
      [181_000, "103"],
      [241_000, "104"],
    ];
    const { feed, out } = await played(
      rows.map(([at, price]) => bybit(at, price)),
      ["BTCUSDT"],
    );
    expect([feed.venue, feed.idsCount]).toEqual(["bybit", false]);
    expect(shown(out.candles)).toEqual([
      [0, "partial", 1],
      [1, "partial", 3],
      [3, "partial", 1],
      [4, "partial", 1],
    ]);
    expect(out.candles[1]).toMatchObject({
      ...{ open: 101, high: 102, low: 99, close: 102, volume: 1.5, takerBuyVolume: 0 },
      ...{ firstTradeId: null, lastTradeId: null },
    });
    expect(out.gaps).toMatchObject([{ fromOpenTime: START + 120_000, toOpenTime: START + 120_000 }]);
  });

  test("trades of before the subscription do not say that we listened then", async () => {
    const late = [match(1, -200_000, "last_match"), match(9, 65_000, "last_match", "ETH-USD"), match(2, 66_000)];
    const { feed, out } = await played([...late, match(3, 121_000), match(4, 181_000)], ["BTC-USD"]);
    expect(feed.venue).toBe("coinbase");
    expect(feed.facts().counters["history.total"]).toBe(2);
    expect(shown(out.candles)).toEqual([
      [1, "partial", 1],
      [2, "complete", 1],
      [3, "partial", 1],
    ]);
  });

  test("OKX's first row after an acknowledged subscription is of before it, once", async () => {
    const ack = line(61_000, '{"event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"}}');
    const rows = [okx(1, -200_000), okx(2, 62_000), ack, okx(3, 121_000), okx(4, 181_000)];
    const { feed, out } = await played([ack, ...rows], ["BTC-USDT"]);
    expect(feed.facts().counters).toMatchObject({ "history.total": 1, "trades.total": 3, "lines.bad.total": 0 });
    expect(shown(out.candles)).toEqual([
      [1, "partial", 1],
      [2, "complete", 1],
      [3, "partial", 1],
    ]);
  });

  test("should OKX's first row be a live trade after all, its minute does not pass for whole without it", async () => {
    const ack = line(500, '{"event":"subscribe","arg":{"channel":"trades-all","instId":"ETH-USDT"}}');
    const eth = (id: number, offsetMs: number) => okx(id, offsetMs, "trades-all", "ETH-USDT");
    const lines = [ack, okx(1, 1000), okx(2, 61_000), okx(3, 121_000), eth(7, 122_000), eth(8, 123_000)];
    const later = [okx(4, 181_000), eth(9, 182_000), okx(5, 241_000), eth(10, 242_000), okx(6, 301_000)];
    const { out } = await played([...lines, ...later], ["BTC-USDT", "ETH-USDT"]);
    expect(shown(out.of("ETH-USDT"))).toEqual([
      [2, "partial", 1],
      [3, "complete", 1],
      [4, "complete", 1],
    ]);
    expect(
      shown(out.of("BTC-USDT"))
        .slice(1, 5)
        .map(([, provenance]) => provenance),
    ).toEqual(Array(4).fill("complete"));
  });

  test("two streams of one symbol, or two venues, are never mixed", async () => {
    const lines = [okx(1, 1000), okx(2, 61_000), okx(2, 61_000, "trades"), bybit(62_000, "7"), okx(3, 121_000)];
    const { feed, out } = await played(lines, ["BTC-USDT", "BTCUSDT"]);
    expect(feed.facts().counters).toMatchObject({ "trades.total": 3, "symbols.other.total": 1 });
    expect(out.of("BTCUSDT")).toEqual([]);
    expect(shown(out.of("BTC-USDT"))[1]).toEqual([1, "complete", 1]);
  });

  test("a symbol that the recording does not hold is refused with those that it does", async () => {
    await expect(played([okx(1, 1000), okx(2, 61_000)], ["BTCUSDT"])).rejects.toThrow(
      /found no trade of BTCUSDT; it holds BTC-USDT of okx/,
    );
  });
});
