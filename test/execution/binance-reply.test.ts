import { describe, expect, test } from "bun:test";
import { refuseUnwantedVenue, venueEndpoint } from "../../src/execution/binance/endpoint.ts";
import { readOrder } from "../../src/execution/binance/order-reader.ts";
import { type Reply, readReply } from "../../src/execution/binance/reply.ts";
import { Signer } from "../../src/execution/binance/signing.ts";
import { readRules } from "../../src/execution/binance/symbol-rules.ts";

const error = (code: number, msg = "words") => JSON.stringify({ code, msg });

describe("What an answer of the venue's means", () => {
  const cases: readonly (readonly [string, number, string, Reply["type"]])[] = [
    ["a success", 200, "{}", "ok"],
    ["a success that is not JSON", 200, "<html>", "unclear"],
    ["a refusal with a code", 400, error(-2010), "refused"],
    ["an unknown order", 400, error(-2013), "refused"],
    ["a bad key", 401, error(-2015), "refused"],
    ["a late timestamp", 400, error(-1021), "refused"],
    ["a 4xx without a code (a firewall, a proxy)", 403, "<html>", "unclear"],
    ["a 404 from something in front", 404, "", "unclear"],
    ["a redirect", 302, "", "unclear"],
    ["too many requests", 429, error(-1003), "limited"],
    ["too many requests without a body", 429, "", "limited"],
    ["a ban", 418, error(-1003), "limited"],
    ["-1003 under another status", 400, error(-1003), "limited"],
    ["too many orders", 400, error(-1015), "limited"],
    ["a time-out inside the venue, a 4xx though it is", 408, error(-1007), "unclear"],
    ["an unexpected response inside the venue", 400, error(-1006), "unclear"],
    ["an unknown error", 400, error(-1000), "unclear"],
    ["an internal error", 400, error(-1001), "unclear"],
    ["an overload", 400, error(-1008), "unclear"],
    ["a service that goes", 400, error(-1016), "unclear"],
    ["500", 500, error(-2010), "unclear"],
    [
      "503, status unknown",
      503,
      error(-1000, "Unknown error, please check your request or try again later."),
      "unclear",
    ],
    ["503, service unavailable", 503, "Service Unavailable.", "unclear"],
    ["503, overloaded", 503, error(-1008), "unclear"],
    ["504 from a gateway", 504, "<html>", "unclear"],
    ["a code that is no number", 400, '{"code":"-2010"}', "unclear"],
  ];
  for (const [what, status, body, type] of cases)
    test(`${what} (${status}) is ${type}`, () => {
      expect(readReply({ status, headers: {}, body }).type).toBe(type);
    });

  test("Retry-After is taken in seconds, whatever the header's case, bounded by the longest ban, with a default", () => {
    const retry = (headers: Record<string, string>) => {
      const reply = readReply({ status: 429, headers, body: "" });
      return reply.type === "limited" ? reply.retryAfterMs : null;
    };
    expect(retry({ "retry-after": "7" })).toBe(7000);
    expect(retry({ "Retry-After": "0" })).toBe(0);
    expect(retry({ "retry-after": "99999999" })).toBe(259_200_000);
    expect(retry({ "retry-after": "soon" })).toBe(10_000);
    expect(retry({})).toBe(10_000);
  });
});

describe("Signatures", () => {
  const keys = {
    apiKey: "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    secret: "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
  };

  test("are those of the example in Binance's REST document, plain and percent-encoded", () => {
    const form = (symbol: string) =>
      new Signer(keys).form([
        ["symbol", symbol],
        ["side", "BUY"],
        ["type", "LIMIT"],
        ["timeInForce", "GTC"],
        ["quantity", "1"],
        ["price", "0.1"],
        ["recvWindow", "5000"],
        ["timestamp", "1499827319559"],
      ]);
    expect(form("LTCBTC")).toEndWith("&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
    expect(form("１２３４５６")).toEndWith(
      "&signature=e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    );
  });

  test("are those of the example in Binance's WebSocket API document, sorted by name", () => {
    const signed = new Signer(keys).socketParameters([
      ["symbol", "BTCUSDT"],
      ["side", "SELL"],
      ["type", "LIMIT"],
      ["timeInForce", "GTC"],
      ["quantity", "0.01000000"],
      ["price", "52000.00"],
      ["recvWindow", "100"],
      ["timestamp", "1645423376532"],
    ]);
    expect(signed.signature).toBe("aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24");
    expect(signed.apiKey).toBe(keys.apiKey);
  });

  test("need keys that can be some, and the refusal does not show them", () => {
    for (const bad of ["", "short", "with spaces in it", "with\nline ends", "x".repeat(300)]) {
      for (const pair of [
        { ...keys, apiKey: bad },
        { ...keys, secret: bad },
      ]) {
        let message = "";
        try {
          new Signer(pair);
        } catch (refusal) {
          message = String(refusal);
        }
        expect(message).toContain("expected 8 to 256 visible characters");
        if (bad !== "") expect(message).not.toContain(bad);
      }
    }
  });
});

describe("The venue's address", () => {
  test("gives REST and WebSocket API, and whether money is real there", () => {
    expect(venueEndpoint("https://testnet.binance.vision")).toEqual({
      restUrl: "https://testnet.binance.vision",
      socketUrl: "wss://ws-api.testnet.binance.vision/ws-api/v3",
      host: "testnet.binance.vision",
      kind: "test",
    });
    expect(venueEndpoint("https://api.binance.com/")).toEqual({
      restUrl: "https://api.binance.com",
      socketUrl: "wss://ws-api.binance.com:443/ws-api/v3",
      host: "api.binance.com",
      kind: "live",
    });
    expect(venueEndpoint("ws://127.0.0.1:29000")).toEqual({
      restUrl: "http://127.0.0.1:29000",
      socketUrl: "ws://127.0.0.1:29000/ws-api/v3",
      host: "127.0.0.1:29000",
      kind: "test",
    });
    for (const url of [
      "http://localhost:1",
      "http://[::1]:2",
      "http://sim.localhost:1",
      "https://api1.testnet.binance.vision",
    ])
      expect(venueEndpoint(url).kind).toBe("test");
    for (const url of [
      "https://testnet.binance.vision.evil.com",
      "https://10.0.0.1",
      "https://api.binance.us",
      "https://127.evil.com",
    ])
      expect(venueEndpoint(url).kind).toBe("live");
  });

  test("is a usage error where it is none, where a live one is not encrypted, and never shows a password", () => {
    for (const url of ["", "api.binance.com", "ftp://x", "https://x/path", "https://x?y=1", "https://x#y"])
      expect(() => venueEndpoint(url)).toThrow(/^Bad venue address/);
    expect(() => venueEndpoint("http://api.binance.com")).toThrow("expected https://");
    expect(() => venueEndpoint("http://testnet.binance.vision")).toThrow("expected https://");
    expect(() => venueEndpoint("ws://10.0.0.1:29000")).toThrow("expected https://");
    for (const url of [
      "https://user:hunter2@api.binance.com",
      "https://:hunter2@api.binance.com",
      "http://:hunter2@api.binance.com",
      "https://user:hun/hunter2@api.binance.com",
      "https://user:h@hunter2@api.binance.com",
      "user:hunter2@api.binance.com",
    ]) {
      let message = "";
      try {
        venueEndpoint(url);
      } catch (error) {
        message = String(error);
      }
      expect(message).toContain("Bad venue address");
      expect(message).not.toContain("hunter2");
    }
  });

  test("of Binance's own hosts is one of the document's, each with the WebSocket API's one host", () => {
    for (const name of ["api1", "api2", "api3", "api4", "api-gcp"])
      expect(venueEndpoint(`https://${name}.binance.com`).socketUrl).toBe("wss://ws-api.binance.com:443/ws-api/v3");
    for (const host of [
      "www.binance.com",
      "binance.com",
      "fapi.binance.com",
      "api.binance.com:8443",
      "api.binance.com.",
    ])
      expect(() => venueEndpoint(`https://${host}`)).toThrow("expected one of api.binance.com");
  });

  test("a venue without --live, and a live one that the configuration does not name, are refused with 77", () => {
    const test = venueEndpoint("http://127.0.0.1:1");
    const live = venueEndpoint("https://api.binance.com");
    const refused = (endpoint: typeof test, consent: { live: boolean; liveHost: string | null }) => {
      try {
        refuseUnwantedVenue(endpoint, consent);
        return null;
      } catch (error) {
        return `${(error as { code: string }).code}: ${String(error)}`;
      }
    };
    expect(refused(test, { live: true, liveHost: null })).toBeNull();
    expect(refused(live, { live: true, liveHost: "api.binance.com" })).toBeNull();
    expect(refused(test, { live: false, liveHost: null })).toContain(
      "refused: FabricError: Cannot send orders to 127.0.0.1:1",
    );
    expect(refused(live, { live: false, liveHost: "api.binance.com" })).toContain("needs --live");
    expect(refused(live, { live: true, liveHost: null })).toContain("it names none");
    expect(refused(live, { live: true, liveHost: "testnet.binance.vision" })).toContain(
      "it names testnet.binance.vision",
    );
  });
});

test("An order of before 2022 has no workingTime: it counts from its time", () => {
  const row = {
    orderId: 1,
    clientOrderId: "a",
    status: "FILLED",
    side: "BUY",
    origQty: "1.0",
    executedQty: "1.0",
    time: 7,
  };
  expect(readOrder(row).workingTimeMs).toBe(7);
  expect(readOrder({ ...row, workingTime: 9 }).workingTimeMs).toBe(9);
  expect(() => readOrder({ ...row, status: "DREAMING" })).toThrow('an order status "DREAMING"');
});

test("Filters are read as Binance's document shows them; those that do not concern market orders are left out", () => {
  const rules = readRules({
    baseAsset: "BTC",
    quoteAsset: "USDT",
    filters: [
      { filterType: "PRICE_FILTER", minPrice: "0.01", maxPrice: "1000000", tickSize: "0.01" },
      { filterType: "LOT_SIZE", minQty: "0.00001000", maxQty: "9000.00000000", stepSize: "0.00001000" },
      { filterType: "MARKET_LOT_SIZE", minQty: "0.00000000", maxQty: "87.96421500", stepSize: "0.00000000" },
      { filterType: "MIN_NOTIONAL", minNotional: "10.0", applyToMarket: false, avgPriceMins: 5 },
      {
        filterType: "NOTIONAL",
        minNotional: "5.0",
        applyMinToMarket: true,
        maxNotional: "9000000.0",
        applyMaxToMarket: false,
      },
    ],
  });
  expect(rules).toEqual({
    base: "BTC",
    quote: "USDT",
    tick: "0.01",
    lots: [
      { filter: "LOT_SIZE", least: "0.00001000", most: "9000.00000000", step: "0.00001000" },
      { filter: "MARKET_LOT_SIZE", least: "0.00000000", most: "87.96421500", step: "0.00000000" },
    ],
    notionals: [{ filter: "NOTIONAL", least: "5.0", most: null }],
  });
});
