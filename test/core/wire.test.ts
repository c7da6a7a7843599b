import { expect, test } from "bun:test";
import { parseCandleBody, parseEnvelope, parseHeartbeatBody } from "../../src/core/wire.ts";

const ENVELOPE = { v: 1, node: "md", epoch: "life", seq: 1, sentAt: 1 };
const CANDLE = {
  ...ENVELOPE,
  storeId: "store",
  symbol: "BTCUSDT",
  openTime: 1_735_689_600_000,
  closeTime: 1_735_689_659_999,
  open: 100,
  high: 110,
  low: 90,
  close: 105,
  volume: 12,
  quoteVolume: 1230,
  trades: 7,
  takerBuyVolume: 6,
  takerBuyQuoteVolume: 620,
  firstTradeId: 1,
  lastTradeId: 7,
  provenance: "complete",
  commitSeq: 1,
  prevOpenTime: 1_735_689_540_000,
};
const HEARTBEAT = { ...ENVELOPE, storeId: "store", commitSeq: 7, closedThrough: null, exchangeTime: 1.5, speed: 0 };
const DEEP = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;

test("a body of lists nested some ten thousand deep is refused like any other, wherever they stand", () => {
  expect(parseEnvelope(DEEP)).toBe("body is not an object");
  expect(parseEnvelope(`{"v":${DEEP}}`)).toBe("schema version object, expected 1");
  for (const key of ["v", "node", "seq", "storeId", "symbol", "open", "provenance", "prevOpenTime"]) {
    const text = JSON.stringify({ ...CANDLE, [key]: "HERE" }).replace('"HERE"', DEEP);
    expect(typeof parseCandleBody(text)).toBe("string");
  }
  const heartbeat = JSON.stringify({ ...HEARTBEAT, exchangeTime: "HERE" }).replace('"HERE"', DEEP);
  expect(typeof parseHeartbeatBody(heartbeat)).toBe("string");
});

test("a candle is refused where its parts cannot belong together, and a heartbeat with times that no market has", () => {
  expect(parseCandleBody(JSON.stringify(CANDLE))).toEqual(CANDLE as never);
  const candle = (change: object) => parseCandleBody(JSON.stringify({ ...CANDLE, ...change }));
  expect(candle({ takerBuyVolume: 12.1 })).toBe("takers bought more than was traded");
  expect(candle({ takerBuyQuoteVolume: 1231 })).toBe("takers bought more than was traded");
  expect(candle({ firstTradeId: 8 })).toBe("the first trade id is above the last");
  expect(candle({ firstTradeId: null })).toBe("a trade id is not a whole number");
  expect(candle({ firstTradeId: null, lastTradeId: null })).toMatchObject({ symbol: "BTCUSDT" });
  expect(candle({ openTime: 60_000 * 9e8 * 1e5, closeTime: 0 })).toBe("openTime is not the start of a minute");
  expect(candle({ openTime: -60_000, closeTime: -1 })).toBe("openTime is not the start of a minute");
  expect(candle({ symbol: "btcusdt" })).toBe("symbol is not a symbol");
  expect(candle({ storeId: "" })).toBe("storeId is not a name");
  expect(candle({ storeId: "s".repeat(65) })).toBe("storeId is not a name");
  expect(candle({ seq: -1 })).toBe("seq or sentAt is not a number");
  expect(candle({ prevOpenTime: 1 })).toBe("prevOpenTime is neither null nor the start of a minute");

  expect(parseHeartbeatBody(JSON.stringify(HEARTBEAT))).toEqual(HEARTBEAT as never);
  const heartbeat = (change: object) => parseHeartbeatBody(JSON.stringify({ ...HEARTBEAT, ...change }));
  expect(heartbeat({ closedThrough: 60_000 * 1e11 })).toBe("closedThrough is neither null nor the start of a minute");
  expect(heartbeat({ exchangeTime: 1e300 })).toBe("exchangeTime is neither null nor a time");
  expect(heartbeat({ commitSeq: -1 })).toBe("commitSeq is not a count");
  expect(heartbeat({ speed: -1 })).toBe("speed is not a speed");
});
