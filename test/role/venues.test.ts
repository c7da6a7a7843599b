import { describe, expect, test } from "bun:test";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { fabric } from "../support/fabric.ts";

describe("fabric venues", () => {
  test("lists every venue, and as JSON every rule with its value and source", async () => {
    const { code, out } = await fabric(["venues"]);
    expect(code).toBe(0);
    for (const { id, title } of VENUES) expect(out).toMatch(new RegExp(`^${id} +${title}`, "m"));
    const rows = JSON.parse((await fabric(["venues", "--json"])).out) as readonly Record<string, string>[];
    expect(rows.length).toBe(VENUES.reduce((sum, venue) => sum + venue.rules.length + 1, 0));
    for (const row of rows) expect(Object.keys(row)).toEqual(["venue", "rule", "value", "source"]);
    const kraken = JSON.parse((await fabric(["venues", "--venue", "kraken", "--json"])).out) as typeof rows;
    expect(new Set(kraken.map((row) => row.venue))).toEqual(new Set(["kraken"]));
  });

  test("tells what each venue calls an asset pair, and what is sent to ask for its trades", async () => {
    const { code, out, err } = await fabric(["venues", "--symbols", "BTC/USDT", "--json"]);
    expect([code, err]).toEqual([0, ""]);
    const rows = JSON.parse(out) as readonly Record<string, string>[];
    expect(Object.fromEntries(rows.map((row) => [row.venue, row.symbol]))).toEqual({
      "binance-spot": "BTCUSDT",
      "binance-usdm": "BTCUSDT",
      coinbase: "BTC-USDT",
      kraken: "BTC/USDT",
      bybit: "BTCUSDT",
      okx: "BTC-USDT",
    });
    for (const row of rows) expect(row.subscribe?.toUpperCase()).toContain(row.symbol as string);
    const text = await fabric(["venues", "--symbols", "BTC/USDT,ETH/USD", "--venue", "kraken"]);
    expect(text.out).toContain("ETH/USD");
    expect(text.err).toContain("A pair is BASE/QUOTE");
  });

  test("an unknown venue and a name that is no pair are usage errors that say what was expected", async () => {
    const unknown = await fabric(["venues", "--venue", "krakn"]);
    expect([unknown.code, unknown.out]).toEqual([64, ""]);
    expect(unknown.err).toContain('did you mean "kraken"?');
    const bad = await fabric(["venues", "--symbols", "BTCUSDT"]);
    expect(bad.code).toBe(64);
    expect(bad.err).toContain("expected BASE/QUOTE such as BTC/USDT");
  });
});
