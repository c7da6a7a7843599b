import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { fabric } from "../support/fabric.ts";
import { tempFolder } from "../support/temp-folder.ts";

const START = 1_735_689_600_000;
const okx = (id: number, offsetMs: number) =>
  `${(START + offsetMs) / 1000}: {"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"${id}",` +
  `"px":"100.${id}","sz":"0.5","side":"buy","ts":"${START + offsetMs}","source":"0"}]}`;
const kraken = (offsetMs: number) =>
  `${(START + offsetMs) / 1000}: [337,[["100.5","0.25","${(START + offsetMs) / 1000}","b","m",""]],"trade","XBT/USD"]`;

describe("fabric venues", () => {
  test("lists every venue, and as JSON every rule with its value and source", async () => {
    const { code, out } = await fabric(["venues"]);
    expect(code).toBe(0);
    for (const { id, title } of VENUES) expect(out).toMatch(new RegExp(`^${id} +${title}`, "m"));
    const rows = JSON.parse((await fabric(["venues", "--json"])).out) as readonly Record<string, string>[];
    expect(rows.length).toBe(VENUES.reduce((sum, venue) => sum + venue.rules.length + 2, 0));
    for (const row of rows) expect(Object.keys(row)).toEqual(["venue", "rule", "value", "source"]);
    expect(new Set(rows.map(({ venue, rule }) => `${venue} ${rule}`)).size).toBe(rows.length);
    for (const { id, rest } of VENUES) {
      const told = (rule: string) => rows.find((row) => row.venue === id && row.rule === rule);
      for (const rule of rest.rules) expect(told(rule.rule)).toEqual({ venue: id, ...rule });
      expect(rest.timeUrl.startsWith(told("REST address")?.value ?? "none")).toBe(true);
    }
    const kraken = JSON.parse((await fabric(["venues", "--venue", "kraken", "--json"])).out) as typeof rows;
    expect(new Set(kraken.map((row) => row.venue))).toEqual(new Set(["kraken"]));
  });

  test("shows one venue's rules in lines that fit a screen, and leaves no word out", async () => {
    for (const { id, rules } of VENUES) {
      const { code, out } = await fabric(["venues", "--venue", id]);
      expect(code).toBe(0);
      const lines = out.trimEnd().split("\n");
      expect(lines[0]).toMatch(/^rule +value +source$/);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(140);
      const words = (text: string) => text.split(/\s+/).sort();
      const told = words(lines.slice(2).join(" "));
      for (const { rule, value, source } of rules)
        for (const word of words(`${rule} ${value} ${source}`)) expect(told).toContain(word);
    }
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

  test("a recording is replayed into a store of its own venue, and another venue's is refused there", async () => {
    using folder = tempFolder();
    const replay = (file: string, symbols: string) =>
      fabric([
        "market-data",
        "--feed",
        "replay",
        "--file",
        folder.join(file),
        "--symbols",
        symbols,
        "--data",
        folder.join("d"),
      ]);
    writeFileSync(folder.join("okx.txt"), [okx(1, 1000), okx(2, 61_000), okx(3, 121_000)].join("\n"));
    writeFileSync(folder.join("kraken.txt"), [kraken(1000), kraken(61_000)].join("\n"));
    const first = await replay("okx.txt", "BTC-USDT");
    expect([first.code, first.err]).toEqual([0, expect.stringContaining("venue okx")]);
    const sql = "select symbol, provenance, trades from candle order by open_time";
    const rows = JSON.parse((await fabric(["query", sql, "--json", "--data", folder.join("d")])).out) as unknown;
    expect(rows).toEqual([
      { symbol: "BTC-USDT", provenance: "partial", trades: 1 },
      { symbol: "BTC-USDT", provenance: "complete", trades: 1 },
      { symbol: "BTC-USDT", provenance: "partial", trades: 1 },
    ]);
    const second = await replay("kraken.txt", "BTC/USD");
    expect(second.code).toBe(77);
    expect(second.err).toContain('for venue "kraken": it holds venue "okx"');
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
