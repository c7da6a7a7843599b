import { expect, test } from "bun:test";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { eventually } from "../support/eventually.ts";
import { fabric, start } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

const MINUTES = 8;

for (const venue of VENUES.filter(({ id }) => id !== "binance-spot")) {
  test(`What was heard of ${venue.id} is what its REST interface tells, and no figure of a minute that was wholly heard is missing`, async () => {
    using folder = tempFolder();
    const data = folder.join("d");
    const symbol = venue.symbolOf({ base: "BTC", quote: "USDT" });
    const common = ["--venue", venue.id, "--symbols", symbol, "--data", data];
    await using sim = start(["sim", "--speed", "300", ...common]);
    await sim.says(/ws:\/\/127\.0\.0\.1:\d+/);
    await using node = start(["market-data", "--feed", "sim", "--history", "5", ...common]);
    const rows = async (where: string) => {
      const sql = `select count(*) n from candle where ${where}`;
      const done = await fabric(["query", sql, "--json", "--data", data]);
      return done.code === 0 ? (JSON.parse(done.out)[0].n as number) : 0;
    };
    // Bybit's ids prove no minute whole: each is the venue's own.
    const live = venue.tradeIds === "none" ? "trades > 0" : "provenance in ('complete', 'empty')";
    await eventually(async () => (await rows(live)) >= MINUTES, 30_000, "minutes that were heard");
    expect(await node.stop()).toBe(0);
    const bare = "volume > 0 and (trades = 0 or quote_volume = 0)";
    // The history, and the minute in which the node began.
    expect(await rows(bare)).toBeLessThanOrEqual(venue.id.startsWith("binance") || venue.id === "kraken" ? 0 : 7);
    const { code, out, err } = await fabric(["audit", "--against", "venue", "--json", "--data", data]);
    expect([code, err]).toEqual([0, ""]);
    const { minutes, equal, explained, wrong } = JSON.parse(out);
    expect([wrong, equal + explained]).toEqual([0, minutes]);
    expect(venue.id === "kraken" ? minutes : equal).toBeGreaterThan(MINUTES);
  }, 60_000);
}
