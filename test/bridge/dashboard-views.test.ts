import { describe, expect, test } from "bun:test";
import {
  greatestScores,
  nextSorting,
  type RankedRow,
  scoreText,
  sortedRows,
} from "../../src/bridge/dashboard/ranking.ts";
import { hashOf, parseRoute } from "../../src/bridge/dashboard/route.ts";
import { searchSymbols } from "../../src/bridge/dashboard/symbol-search.ts";

describe("The page's address", () => {
  test("Every place has one address, and reads back as itself, also a symbol with a slash.", () => {
    for (const symbol of ["BTCUSDT", "BTC/USDT", "BTC-USDT"]) {
      const route = { view: "market", symbol, timeframe: "4h" } as const;
      expect(parseRoute(hashOf(route))).toEqual(route);
    }
    expect(hashOf({ view: "logs", symbol: "BTCUSDT", timeframe: "1m" })).toBe("#/logs");
    expect(hashOf({ view: "market", symbol: null, timeframe: "1m" })).toBe("#/market");
  });

  test("What is not known leads to the market, and an address of a symbol alone to its chart.", () => {
    const first = { view: "market", symbol: null, timeframe: "1m" } as const;
    for (const hash of ["", "#", "#/", "#/market", "#/market/%E0%A4%A"]) expect(parseRoute(hash)).toEqual(first);
    expect(parseRoute("#ETHUSDT")).toEqual({ ...first, symbol: "ETHUSDT" });
    expect(parseRoute("#/market/ethusdt")).toEqual({ ...first, symbol: "ETHUSDT" });
    expect(parseRoute("#/market/no symbol")).toEqual(first);
    expect(parseRoute("#/market/ETHUSDT/7m")).toEqual({ ...first, symbol: "ETHUSDT" });
    expect(parseRoute("#/nodes/x")).toEqual({ ...first, view: "nodes" });
  });
});

describe("Symbol search", () => {
  const symbols = ["ETHBTC", "BTCUSDT", "BTC/USDT", "BTC-USDC", "XBTEUR", "1000SHIBUSDT"];

  test("Any venue's spelling finds all of them; the whole name first, then beginnings, then the rest.", () => {
    expect(searchSymbols(symbols, "btc/usdt", 9)).toEqual(["BTC/USDT", "BTCUSDT"]);
    expect(searchSymbols(symbols, "BTCUSDT", 9)).toEqual(["BTC/USDT", "BTCUSDT"]);
    expect(searchSymbols(symbols, "btc", 9)).toEqual(["BTC-USDC", "BTC/USDT", "BTCUSDT", "XBTEUR", "ETHBTC"]);
    expect(searchSymbols(symbols, "shib", 9)).toEqual(["1000SHIBUSDT"]);
    expect(searchSymbols(symbols, "doge", 9)).toEqual([]);
  });

  test("Nothing typed finds all, at most as many as are shown.", () => {
    expect(searchSymbols(symbols, "", 2)).toEqual(["1000SHIBUSDT", "BTC-USDC"]);
  });
});

describe("The ranking", () => {
  const row = (rule: string, symbol: string, rank: number, score: number): RankedRow => ({
    ...{ rule, symbol, rank, score, openTime: rank, note: `note ${symbol}`, node: "scanner", receivedAt: 0 },
  });
  const rows = [row("b", "X", 1, 3), row("a", "Y", 2, 9), row("a", "X", 1, 3), row("b", "Z", 2, -1)];
  const shown = (...args: [Parameters<typeof sortedRows>[1], Parameters<typeof sortedRows>[2]]) =>
    sortedRows(rows, ...args).map(({ rule, symbol }) => rule + symbol);
  const all = { rule: null, text: "" };

  test("It is sorted by any column either way; equal rows by rule, then rank.", () => {
    expect(shown(all, { column: "rule", descending: false })).toEqual(["aX", "aY", "bX", "bZ"]);
    expect(shown(all, { column: "score", descending: true })).toEqual(["aY", "aX", "bX", "bZ"]);
    expect(shown(all, { column: "symbol", descending: true })).toEqual(["bZ", "aY", "aX", "bX"]);
  });

  test("It is filtered by rule and by text in symbol, rule or note.", () => {
    expect(shown({ rule: "b", text: "" }, { column: "rank", descending: false })).toEqual(["bX", "bZ"]);
    expect(shown({ rule: null, text: "NOTE z" }, { column: "rank", descending: false })).toEqual(["bZ"]);
  });

  test("Scores keep their first three digits, and are measured against the greatest of their rule.", () => {
    expect([4.9678, -0.25, 0.00093, 0, 1e-12].map(scoreText)).toEqual([
      "4.968",
      "−0.250",
      "0.000930",
      "0.000",
      "0.00000000",
    ]);
    expect([...greatestScores(rows)]).toEqual([
      ["b", 3],
      ["a", 9],
    ]);
  });

  test("A column chosen again turns round; scores begin with the greatest.", () => {
    const byScore = nextSorting({ column: "rule", descending: false }, "score");
    expect(byScore).toEqual({ column: "score", descending: true });
    expect(nextSorting(byScore, "score").descending).toBe(false);
    expect(nextSorting(byScore, "symbol").descending).toBe(false);
  });
});
