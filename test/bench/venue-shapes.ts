import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { FrameReader } from "../../src/feed/binance/frame-reader.ts";
import type { Trade } from "../../src/feed/contract.ts";
import type { VenueId } from "../../src/feed/venues/contract.ts";

/** One kind of trade frame as its venue documents or sends it, a trade each. */
export interface FrameShape {
  readonly venue: VenueId;
  readonly name: string;
  /** The venue's symbol of a base asset against USDT. */
  symbolOf(base: string): string;
  write(trade: Trade): string;
}

const iso = (timeMs: number, id: number) => new Date(timeMs).toISOString().replace("Z", `${String(id).slice(-3)}Z`);
const plain = (base: string) => `${base}USDT`;
const dashed = (base: string) => `${base}-USDT`;
const slashed = (base: string) => `${base}/USDT`;

export const SHAPES: readonly FrameShape[] = [
  {
    venue: "binance-spot",
    name: "trade",
    symbolOf: plain,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${timeMs + 1},"s":"${symbol}","t":${id},` +
      `"p":"${price}","q":"${quantity}","T":${timeMs},"m":${buyerIsMaker},"M":true}}`,
  },
  {
    venue: "binance-usdm",
    name: "trade",
    symbolOf: plain,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${timeMs},"T":${timeMs},"s":"${symbol}","t":${id},` +
      `"p":"${price}","q":"${quantity}","X":"MARKET","m":${buyerIsMaker}}}`,
  },
  {
    venue: "coinbase",
    name: "match",
    symbolOf: dashed,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `{"type":"match","trade_id":${id},"maker_order_id":"27fff20b-af29-4f45-8744-56dd1ef5${1000 + (id % 9000)}",` +
      `"taker_order_id":"1da6ce16-c8da-4732-9f71-6049f4c6${1000 + (id % 9000)}","side":"${buyerIsMaker ? "buy" : "sell"}","size":"${quantity}",` +
      `"price":"${price}","product_id":"${symbol}","sequence":${id},"time":"${iso(timeMs, id)}"}`,
  },
  {
    venue: "coinbase",
    name: "market_trades",
    symbolOf: dashed,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `{"channel":"market_trades","client_id":"","timestamp":"${iso(timeMs + 100, id)}","sequence_num":${id % 10_000},"events":[{"type":"update","trades":[` +
      `{"product_id":"${symbol}","trade_id":"${id}","price":"${price}","size":"${quantity}","time":"${iso(timeMs, id)}","side":"${buyerIsMaker ? "BUY" : "SELL"}"}]}]}`,
  },
  {
    venue: "kraken",
    name: "v1 trade",
    symbolOf: slashed,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `[${(id % 900) + 100},[["${price}","${quantity}","${Math.floor(timeMs / 1000)}.${String(1000 + (timeMs % 1000)).slice(1)}${String(id).slice(-3)}",` +
      `"${buyerIsMaker ? "s" : "b"}","m",""]],"trade","${symbol}"]`,
  },
  {
    venue: "kraken",
    name: "v2 trade",
    symbolOf: slashed,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `{"channel":"trade","type":"update","data":[{"symbol":"${symbol}","side":"${buyerIsMaker ? "sell" : "buy"}","price":${price},"qty":${quantity},` +
      `"ord_type":"market","trade_id":${id},"timestamp":"${iso(timeMs, id)}"}]}`,
  },
  {
    venue: "bybit",
    name: "publicTrade",
    symbolOf: plain,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `{"topic":"publicTrade.${symbol}","ts":${timeMs + 1},"type":"snapshot","data":[{"i":"229000000${id}","T":${timeMs},"p":"${price}","v":"${quantity}",` +
      `"S":"${buyerIsMaker ? "Sell" : "Buy"}","seq":${id},"s":"${symbol}","BT":false,"RPI":false}]}`,
  },
  {
    venue: "okx",
    name: "trades",
    symbolOf: dashed,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `{"arg":{"channel":"trades","instId":"${symbol}"},"data":[{"instId":"${symbol}","tradeId":"${id}","px":"${price}","sz":"${quantity}",` +
      `"side":"${buyerIsMaker ? "sell" : "buy"}","ts":"${timeMs}"}]}`,
  },
  {
    venue: "okx",
    name: "trades-all",
    symbolOf: dashed,
    write: ({ symbol, id, price, quantity, timeMs, buyerIsMaker }) =>
      `{"arg":{"channel":"trades-all","instId":"${symbol}"},"data":[{"instId":"${symbol}","tradeId":"${id}","px":"${price}","sz":"${quantity}",` +
      `"side":"${buyerIsMaker ? "sell" : "buy"}","ts":"${timeMs}","source":"0"}]}`,
  },
];

/** The frames of a recording of one stream, stamps taken off. */
export function recordedLines(file: string): readonly string[] {
  const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
  return lines.map((line) => line.slice(line.indexOf("{")));
}

/** The trades of recorded Binance frames. */
export function recordedTrades(file: string): readonly Trade[] {
  const reader = new FrameReader();
  return recordedLines(file).flatMap((line) => {
    const frame = reader.read(line);
    return frame.type === "trades" ? [frame.trades[0]] : [];
  });
}

/** What a client does with a frame, each more than the one before; the second is for comparison. */
export const MODES = ["receive", "JSON.parse", "reader", "candles"] as const;
export type Mode = (typeof MODES)[number];

/** Made-up assets, named as long as BTC. */
export function benchSymbols(shape: FrameShape, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => shape.symbolOf(`Q${String.fromCharCode(65 + (at % 26))}${at}`));
}

/** A busy market's exchange time between two trades of all symbols: 100 symbols have 400 trades a minute each. */
const SPACING_MS = 1.5;

/** The same prices, quantities and sides over many symbols, whose ids count on each by themselves. */
export function* spreadTrades(
  recorded: readonly Trade[],
  count: number,
  symbolCount: number,
  shape: FrameShape,
): Iterable<Trade> {
  const symbols = benchSymbols(shape, symbolCount);
  const ids = symbols.map((_, at) => 3_735_000_000 + at * 10_000_000);
  const began = recorded[0]?.timeMs ?? 0;
  let chance = 1;
  for (let at = 0; at < count; at++) {
    chance = (Math.imul(chance, 1_103_515_245) + 12_345) >>> 0;
    const of = (chance >>> 8) % symbolCount;
    const [trade, symbol, id] = [recorded[at % recorded.length], symbols[of], ids[of]];
    if (trade === undefined || symbol === undefined || id === undefined) return;
    ids[of] = id + 1;
    yield { ...trade, symbol, id, timeMs: began + Math.floor(at * SPACING_MS) };
  }
}
