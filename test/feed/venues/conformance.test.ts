import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FabricError } from "../../../src/core/errors.ts";
import { isSymbol } from "../../../src/core/symbol.ts";
import { MINUTE_MS } from "../../../src/core/time.ts";
import { refusedSymbols } from "../../../src/feed/venues/contract.ts";
import { VENUES } from "../../../src/feed/venues/venues.ts";
import { AT, DOCUMENTED, MINUTE } from "./documented.ts";

const patches = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "0",
    "9",
    "00",
    ".",
    "-",
    "/",
    "e1",
    "1e-7",
    "true",
    "null",
  ),
  fc.constantFrom("\u0000", "\u00e9", "\\u0041", "99999999999999999", "x", "X", "Z", '","', '",'),
  fc.string({ maxLength: 3 }),
);
const RULES = [
  "symbol",
  "trades",
  "trade ids",
  "taker side",
  "left out",
  "ping",
  "forced close",
  "refused subscription",
];

const REST_RULES = [
  "untold figures",
  "clock",
  "newest trades",
  "trades by id",
  "unknown symbol",
  "requests to the venue",
  "refused requests",
];

// One suite, the same titles, for every venue.
for (const venue of VENUES) {
  const documented = DOCUMENTED[venue.id];
  const read = (text: string) => venue.reader().read(text);

  describe(`Venue ${venue.id}`, () => {
    test("an asset pair has one symbol, upper case, and comes back from it", () => {
      const { pair, symbol } = documented;
      expect(venue.symbolOf(pair)).toBe(symbol);
      expect(isSymbol(symbol)).toBe(true);
      for (const base of ["BTC", "ETH", "1000SATS", "DOGE", "USDC"]) {
        for (const quote of ["USDT", "EUR", "BTC", "USD"]) {
          if (base === quote) continue;
          expect(venue.assetsOf(venue.symbolOf({ base, quote }))).toEqual({ base, quote });
        }
      }
    });

    test("subscriptions name every symbol once, in order, within the venue's limits", () => {
      const symbols = Array.from({ length: 1200 }, (_, at) => venue.symbolOf({ base: `COIN${at}`, quote: "USDT" }));
      const requests = venue.subscribe(symbols);
      expect(requests.flatMap((request) => request.symbols)).toEqual(symbols);
      for (const { text, symbols: some } of requests) {
        expect(some.length).toBeLessThanOrEqual(venue.limits.symbolsPerRequest);
        expect(text.length).toBeLessThanOrEqual(venue.limits.requestCharacters);
        for (const symbol of some) expect(text.toUpperCase()).toContain(symbol);
        expect(() => JSON.parse(text)).not.toThrow();
      }
      const ids = requests.map((request) => request.requestId).filter((id) => id !== null);
      expect(new Set(ids).size).toBe(ids.length);
      expect(venue.subscribe([])).toEqual([]);
    });

    test("a documented trade frame is read in full, scanned or not, wherever it stands in a line", () => {
      for (const { text, stream, read: trades, ...numbered } of documented.trades) {
        const frame = { type: "trades", venue: venue.id, stream, trades, history: [], omitted: [], ...numbered };
        expect(read(text)).toEqual(frame as never);
        expect(venue.reader().read(`1735689661.5: ${text}`, 14)).toEqual(frame as never);
        // A blank that JSON does not mind keeps the scanner out.
        expect(read(` ${text}`)).toEqual(frame as never);
      }
    });

    test("an acknowledged subscription is an ack", () => {
      const [request] = venue.subscribe([documented.symbol]);
      const frame = read(documented.ack);
      expect(frame.type).toBe("ack");
      if (frame.type !== "ack") return;
      expect(frame.symbols.includes(documented.symbol) || frame.requestId === request?.requestId).toBe(true);
    });

    test("a rejected subscription names the symbol", () => {
      const frame = read(documented.rejected);
      expect(frame.type).toBe("rejected");
      if (frame.type !== "rejected") return;
      expect(refusedSymbols(frame, venue.subscribe([documented.symbol]))).toEqual([documented.symbol]);
      expect(frame.reason.length).toBeGreaterThan(5);
      expect(refusedSymbols({ type: "rejected", symbols: [], requestId: null, reason: "" }, [])).toEqual([]);
    });

    test("the answer to a probe is told from all else, and lists what is subscribed where it lists anything", () => {
      for (const text of documented.answers) {
        const frame = read(text);
        expect(venue.probe.answers(frame, 1)).toBe(true);
        if (venue.probe.lists) expect(frame).toMatchObject({ type: "ack", symbols: [documented.symbol] });
      }
      for (const text of [...documented.heartbeats, ...documented.others, documented.rejected])
        expect(venue.probe.answers(read(text), 1)).toBe(false);
      expect(venue.probe.text(7)).not.toBe("");
    });

    test("a heartbeat is no trade, nor is what else the venue sends", () => {
      for (const text of documented.heartbeats) expect(read(text).type).toBe("heartbeat");
      for (const text of documented.others) expect(read(text).type).toBe("other");
      if (documented.closing !== null) expect(read(documented.closing).type).toBe("closing");
    });

    test("a row without a quantity is left out, with its reason", () => {
      const frame = read(documented.zero);
      expect(frame).toMatchObject({ type: "trades", trades: [], history: [] });
      if (frame.type !== "trades") return;
      expect(frame.omitted).toMatchObject([{ symbol: documented.symbol, timeMs: MINUTE + 61_123 }]);
      expect(frame.omitted[0]?.reason).toContain("quantity");
      expect(frame.omitted[0]?.firstId).toBe(documented.trades[0]?.read[0]?.id as number);
    });

    test("what cannot be read is malformed with a reason, never an error", () => {
      const sound = documented.trades[0]?.text ?? "";
      const deep = "[".repeat(50_000);
      const broken = [sound.slice(0, -1), `${sound}x`, sound.replace("100.50", "-1"), sound.replace("100.50", "1e")];
      for (const text of ["", "{", "7", "null", '"x"', "{}", deep, deep + "]".repeat(50_000), ...broken]) {
        const frame = read(text);
        expect(frame.type).toBe("malformed");
        if (frame.type === "malformed") expect(frame.reason).not.toBe("");
      }
    });

    test("a trade frame that is changed anywhere is read alike by walking its fields and by JSON.parse", () => {
      const texts = [...documented.trades.map(({ text }) => text), documented.zero];
      const reader = venue.reader();
      fc.assert(
        fc.property(fc.constantFrom(...texts), fc.nat(400), fc.nat(8), patches, (text, where, cut, put) => {
          const at = where % (text.length + 1);
          const changed = text.slice(0, at) + put + text.slice(at + cut);
          // A blank that JSON does not mind keeps everything but JSON.parse out.
          expect(reader.read(changed)).toEqual(reader.read(` ${changed}`));
          expect(reader.read(`17 ${changed}`, 3)).toEqual(reader.read(changed));
        }),
        { seed: 20_261_124, numRuns: 3000 },
      );
    });

    test("klines are read oldest first, and only those that are final", () => {
      const klines = venue.klines(documented.symbol, documented.klines, MINUTE + 150_000);
      expect(klines.map(({ candle }) => candle.openTime)).toEqual([MINUTE, MINUTE + MINUTE_MS]);
      const { volume, quoteVolume, trades } = documented.kline;
      const [first] = klines;
      expect(first?.candle).toMatchObject({
        symbol: documented.symbol,
        ...{ open: 100, high: 102, low: 99, close: 101, volume },
        ...{ quoteVolume: quoteVolume ?? 0, trades: trades ?? 0, provenance: "backfilled" },
      });
      expect(first?.untold.includes("quoteVolume")).toBe(quoteVolume === null);
      expect(first?.untold.includes("trades")).toBe(trades === null);
      expect(() => venue.klines(documented.symbol, "{}", MINUTE)).toThrow(/Cannot read the klines of/);
      const url = new URL(venue.klineUrl(documented.symbol, MINUTE, MINUTE + MINUTE_MS));
      expect(url.protocol).toBe("https:");
    });

    test("every REST address is the venue's own and names the symbol as REST does", () => {
      const { rest } = venue;
      const range = { fromId: 5, throughId: 9, fromTimeMs: MINUTE };
      const urls = [rest.newestTradesUrl(documented.symbol), rest.tradesUrl?.(documented.symbol, range)];
      const klines = venue.klineUrl(documented.symbol, MINUTE, MINUTE);
      const named = (url: string) =>
        decodeURIComponent(url).includes(venue.id === "kraken" ? "XBTUSD" : documented.symbol);
      for (const url of [klines, ...urls.filter((one) => one !== undefined)]) expect(named(url)).toBe(true);
      for (const url of [rest.timeUrl, rest.symbolsUrl, ...urls])
        if (url) expect(new URL(url).origin).toBe(new URL(klines).origin);
    });

    test("refusals for asking too much are told from other answers, and keep to what the venue says", () => {
      const { rest } = venue;
      for (const { status, body } of documented.tooMuch) {
        expect(rest.pauseMs(status, body, 7)).toBe(7000);
        expect(rest.pauseMs(status, body, null)).toBeGreaterThanOrEqual(1000);
      }
      const elsewhere = "<H1>403 ERROR</H1> configured to block access from your country.";
      if (venue.id !== "binance-spot" && venue.id !== "binance-usdm")
        expect(rest.pauseMs(403, elsewhere, null)).toBe(null);
      for (const body of ["", "{}", "[]", "null", documented.klines, documented.unknownSymbol.body]) {
        expect(rest.pauseMs(200, body, null)).toBe(null);
        expect(rest.pauseMs(500, body, null)).toBe(null);
        expect(rest.isUnknownSymbol(200, body)).toBe(
          body === documented.unknownSymbol.body && documented.unknownSymbol.status === 200,
        );
      }
      expect(rest.isUnknownSymbol(documented.unknownSymbol.status, documented.unknownSymbol.body)).toBe(true);
    });

    test("trades of REST are read oldest first, without those of no quantity", () => {
      const { body, read: trades } = documented.restTrades;
      expect(venue.rest.trades(documented.symbol, body)).toEqual(trades);
      expect(() => venue.rest.trades(documented.symbol, body.replaceAll("100.50", "1e3"))).toThrow(
        /Cannot read the trades/,
      );
      expect(() => venue.rest.trades(documented.symbol, "{}")).toThrow(/Cannot read the trades of/);
      expect(() => venue.rest.time("{}")).toThrow(/Cannot read the venue's time/);
      const { timeMs, precisionMs } = venue.rest.time(documented.time);
      expect(timeMs <= AT && AT <= timeMs + precisionMs).toBe(true);
    });

    test("an answer that is changed anywhere is read or refused as bad data, and never anything else", () => {
      const { rest } = venue;
      const bodies = [documented.klines, documented.restTrades.body, documented.time, documented.unknownSymbol.body];
      const readers: readonly ((body: string) => unknown)[] = [
        (body) => rest.time(body),
        (body) => rest.symbols(body),
        (body) => rest.trades(documented.symbol, body),
        (body) => venue.klines(documented.symbol, body, MINUTE + 150_000),
      ];
      const readAll = (body: string) => {
        for (const reader of readers) {
          try {
            reader(body);
          } catch (error) {
            expect(error).toBeInstanceOf(FabricError);
            expect(error).toMatchObject({ code: "bad-data" });
            expect((error as Error).message.length).toBeLessThan(500);
          }
        }
        const pause = rest.pauseMs(200, body, null);
        expect(pause === null || pause > 0).toBe(true);
        expect(typeof rest.isUnknownSymbol(400, body)).toBe("boolean");
      };
      fc.assert(
        fc.property(fc.constantFrom(...bodies), fc.nat(1000), fc.nat(8), patches, (body, where, cut, put) => {
          const at = where % (body.length + 1);
          readAll(body.slice(0, at) + put + body.slice(at + cut));
        }),
        { seed: 20_261_124, numRuns: 3000 },
      );
      const deep = "[".repeat(50_000) + "]".repeat(50_000);
      for (const body of [deep, `{"data":${deep},"code":"0"}`, `{"error":${deep},"result":${deep}}`, `[${deep}]`])
        readAll(body);
    });

    test("every rule names its source, and those that are figures agree with what is done", () => {
      const names = venue.rules.map(({ rule }) => rule);
      for (const name of [...RULES, ...REST_RULES, "klines", "empty minutes", "rate limit"])
        expect(names).toContain(name);
      for (const { value, source } of venue.rules) expect(value !== "" && source !== "").toBe(true);
      expect(new Set(names).size).toBe(names.length);
      const told = (name: string) => venue.rules.find(({ rule }) => rule === name)?.value ?? "";
      expect(told("messages to the venue")).toStartWith(`${venue.limits.messagesPerSecond} a second`);
      const { symbolsPerConnection, symbolsPerRequest } = venue.limits;
      if (told("streams per connection") !== "") expect(told("streams per connection")).toBe(`${symbolsPerConnection}`);
      if (told("symbols per request") !== "") expect(told("symbols per request")).toStartWith(`${symbolsPerRequest}`);
      expect(told("empty minutes")).toContain(venue.emptyMinutes);
      const [kline] = venue.klines(documented.symbol, documented.klines, MINUTE + 150_000);
      const words = { trades: "count", quoteVolume: "quote volume", takerBuyVolume: "takers' part" };
      for (const [figure, word] of Object.entries(words))
        expect(told("untold figures").includes(word)).toBe(kline?.untold.some((one) => one === figure) === true);
      expect(told("untold figures") === "none").toBe(kline?.untold.length === 0);
      expect(told("klines")).toContain(`${venue.rest.klineMinutes} `);
      expect(told("requests to the venue")).toStartWith(`${venue.rest.requestsPerSecond} a second`);
      expect(told("trades by id").startsWith("none")).toBe(venue.rest.tradesUrl === null);
      expect(told("symbols") === "").toBe(venue.rest.symbolsUrl === null);
      if (venue.rest.cost !== null) expect(told("requests to the venue")).toContain(`above ${venue.rest.cost.atMost}`);
      expect(told("trade ids").includes("none")).toBe(venue.tradeIds !== "count");
    });
  });
}
