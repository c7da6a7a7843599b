import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseFrame } from "../../src/feed/binance/frame-json.ts";
import { FrameReader } from "../../src/feed/binance/frame-reader.ts";

const SPOT =
  '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}';
const USDM =
  '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}';
const AGGREGATE =
  '{"stream":"akrousdt@aggTrade","data":{"e":"aggTrade","E":1626992742291,"a":14888302,"s":"AKROUSDT","p":"0.01731","q":"312","f":27931348,"l":27931350,"T":1626992742134,"m":true}}';

const reader = new FrameReader();
const number = fc.oneof(
  fc.integer({ min: 0, max: 4_000_000_000 }),
  fc.integer({ min: 1_500_000_000_000, max: 1_900_000_000_000 }),
  fc.constantFrom(0, -1, 1.5, 1e15, 1e16, 9e15, 1e21, null, "7"),
);
const decimal = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(99_999_999)).map(([a, b]) => `${a}.${String(b).padStart(8, "0")}`),
  fc.constantFrom("0", "0.0", "00.1", ".5", "5.", "", "1e5", "-1", "1.2.3", "NaN", "1 ", "\u0661"),
);
const symbol = fc.oneof(
  fc.constantFrom("BTCUSDT", "1000SATSUSDT", "BTCUSD_PERP", "btc", "", 'A"B', "A\\B", "\u5e01USDT"),
);
const truth = fc.constantFrom(true, false, null, "true", 1);

describe("Binance frames", () => {
  test("spot, USD-M and aggregate frames are read in full", () => {
    expect(reader.read(SPOT)).toEqual({
      type: "trades",
      venue: "binance-spot",
      stream: "trade",
      trades: [
        {
          symbol: "BTCUSDT",
          id: 3735683259,
          price: "61837.63000000",
          quantity: "0.02000000",
          timeMs: 1723161255342,
          buyerIsMaker: true,
        },
      ],
      history: [],
      omitted: [],
    });
    expect(reader.read(USDM)).toMatchObject({ type: "trades", venue: "binance-usdm", trades: [{ id: 5266583935 }] });
    expect(reader.read(AGGREGATE)).toMatchObject({
      type: "trades",
      venue: "binance-usdm",
      stream: "aggTrade",
      trades: [{ id: 27931348, lastId: 27931350 }],
    });
  });

  test("a venue's refusal is told in its own words where these are words, and never through lists nested ten thousand deep", () => {
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    const error = (text: string) => (reader.read(text) as { readonly error?: unknown }).error;
    expect(error('{"code":2,"msg":"Invalid request","id":9}')).toBe("Invalid request (code 2)");
    expect(error(`{"code":${deep},"msg":${deep},"id":9}`)).toBe("no reason given (code unknown)");
    expect(error(`{"error":{"code":1,"msg":"${"x".repeat(1000)}"},"id":9}`)).toBe(`${"x".repeat(300)} (code 1)`);
  });

  test("a row that is no market trade, or has no price or quantity, is left out by its id", () => {
    for (const text of [
      USDM.replace("MARKET", "INSURANCE_FUND"),
      USDM.replace('"0.006"', '"0"'),
      SPOT.replace('"61837.63000000"', '"0.00000000"'),
    ]) {
      expect(reader.read(text)).toMatchObject({ type: "omitted", symbol: "BTCUSDT" });
    }
  });

  test("answers, other streams and rubbish are told apart", () => {
    expect(reader.read('{"result":null,"id":3}')).toEqual({ type: "reply", id: 3, result: null, error: null });
    expect(reader.read('{"code":2,"msg":"Invalid request","id":4}')).toMatchObject({
      id: 4,
      error: "Invalid request (code 2)",
    });
    expect(reader.read('{"error":{"code":3,"msg":"Bad"},"id":5}')).toMatchObject({ id: 5, error: "Bad (code 3)" });
    expect(reader.read('{"stream":"x@depth","data":{"e":"depthUpdate","E":1723161256322}}')).toEqual({
      type: "other",
      eventTimeMs: 1723161256322,
    });
    for (const text of [
      "",
      "{",
      "null",
      "7",
      "[]",
      '"x"',
      SPOT.slice(0, -1),
      `${SPOT}x`,
      SPOT.replace("true,", "1,"),
    ]) {
      expect(reader.read(text).type).toBe("malformed");
    }
  });

  test("the scanner and JSON.parse agree on every frame, whatever its values", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.tuple(number, symbol, number, decimal, decimal, number, truth, truth),
        fc.constantFrom("MARKET", "INSURANCE_FUND", "NA"),
        (usdm, [E, s, t, p, q, T, m, M], X) => {
          const data = usdm ? { e: "trade", E, T, s, t, p, q, X, m } : { e: "trade", E, s, t, p, q, T, m, M };
          const text = JSON.stringify({ stream: `${s.toLowerCase()}@trade`, data });
          expect(reader.read(text)).toEqual(parseFrame(text));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("the scanner and JSON.parse agree on frames with any stretch changed, cut or repeated", () => {
    const patch = fc.oneof(
      fc.constantFrom("", " ", '"', "\\", "{", "}", ",", ":", "0", "9", ".", "@", "true", "null", "\u0000", "\u00e9"),
      fc.string({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(SPOT, USDM, AGGREGATE), fc.nat(200), fc.nat(6), patch, (frame, at, cut, put) => {
        const text = frame.slice(0, at) + put + frame.slice(at + cut);
        expect(reader.read(text)).toEqual(parseFrame(text));
        expect(reader.read(`123 ${text}`, 4)).toEqual(parseFrame(text));
      }),
      { numRuns: 5000 },
    );
  });
});
