/**
 * Trade frames of every venue through its reader, beside bare JSON.parse of the same lines in the same run: `bun test/bench/venues.ts
 * [ROUNDS]`. Frames are the recorded ones (MARKET_RECORDINGS); where none were recorded (Kraken v2, Bybit v5, Coinbase's market_trades,
 * OKX's trades-all) they are of the documented shape, filled with Binance's recorded trades, and marked so. Medians over rounds that take turns, so that both meet the same machine.
 */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { FrameReader } from "../../src/feed/binance/frame-reader.ts";
import type { Trade } from "../../src/feed/contract.ts";
import type { VenueId } from "../../src/feed/venues/contract.ts";
import { VENUES } from "../../src/feed/venues/venues.ts";
import { SPOT, USDM } from "../feed/support.ts";
import { capturePath, receivedTexts } from "../feed/venues/captures.ts";
import { rank } from "./figures.ts";

const rounds = Number(process.argv[2] ?? 15);
/** Frames of one round. */
const FRAMES = 40_000;

interface Input {
  readonly venue: VenueId;
  readonly name: string;
  readonly recorded: boolean;
  readonly texts: readonly string[];
}

function trades(venue: VenueId, texts: readonly string[]): readonly string[] {
  const reader = VENUES.find((one) => one.id === venue)?.reader();
  return texts.filter((text) => reader?.read(text).type === "trades");
}

/**
 * Enough frames for a round. Few were recorded, and JSON.parse is twice as fast on a text whose every word it has just met, so the last
 * digits of longer numbers (ids, times, prices) are counted on: lengths and shape stay, and both sides get the same lines.
 */
function many(texts: readonly string[]): readonly string[] {
  const out: string[] = [];
  for (let at = 0; at < FRAMES; at++) {
    const digits = String(100 + (Math.floor(at / texts.length) % 900));
    const text = (texts[at % texts.length] ?? "").replace(/\d{3}(?=[",}Z])/g, (found) =>
      texts.length > FRAMES / 4 ? found : digits,
    );
    out.push(Buffer.from(text).toString());
  }
  return out;
}

function recordedLines(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
  return lines.map((line) => line.slice(line.indexOf("{")));
}

const captured = (venue: VenueId, file: string) =>
  existsSync(capturePath(file)) ? trades(venue, receivedTexts(file)) : [];
/** Frames of a venue's documented shape that tell the recorded spot trades. */
function shaped(write: (trade: Trade) => string): readonly string[] {
  const reader = new FrameReader();
  return spotLines.flatMap((line) => {
    const frame = reader.read(line);
    return frame.type === "trade" ? [write(frame.trade)] : [];
  });
}

const iso = (timeMs: number, id: number) => new Date(timeMs).toISOString().replace("Z", `${String(id).slice(-3)}Z`);
const MARKET_TRADES = ({ id, price, quantity, timeMs, buyerIsMaker }: Trade) =>
  `{"channel":"market_trades","client_id":"","timestamp":"${iso(timeMs + 100, id)}","sequence_num":${id % 10_000},"events":[{"type":"update","trades":[` +
  `{"product_id":"BTC-USDT","trade_id":"${id}","price":"${price}","size":"${quantity}","time":"${iso(timeMs, id)}","side":"${buyerIsMaker ? "BUY" : "SELL"}"}]}]}`;
const KRAKEN_V2 = ({ id, price, quantity, timeMs, buyerIsMaker }: Trade) =>
  `{"channel":"trade","type":"update","data":[{"symbol":"BTC/USDT","side":"${buyerIsMaker ? "sell" : "buy"}","price":${price},"qty":${quantity},` +
  `"ord_type":"market","trade_id":${id},"timestamp":"${iso(timeMs, id)}"}]}`;
const BYBIT_V5 = ({ id, price, quantity, timeMs, buyerIsMaker }: Trade) =>
  `{"topic":"publicTrade.BTCUSDT","ts":${timeMs + 1},"type":"snapshot","data":[{"i":"229000000${id}","T":${timeMs},"p":"${price}","v":"${quantity}",` +
  `"S":"${buyerIsMaker ? "Sell" : "Buy"}","seq":${id},"s":"BTCUSDT","BT":false,"RPI":false}]}`;
const OKX_ALL = ({ id, price, quantity, timeMs, buyerIsMaker }: Trade) =>
  `{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"${id}","px":"${price}","sz":"${quantity}",` +
  `"side":"${buyerIsMaker ? "sell" : "buy"}","ts":"${timeMs}","source":"0"}]}`;

const spotLines = recordedLines(`${SPOT}/spot_btcusdt.trades.ws.txt.gz`);
const inputs: readonly Input[] = [
  {
    venue: "binance-spot",
    name: "trade",
    recorded: true,
    texts: spotLines,
  },
  {
    venue: "binance-usdm",
    name: "trade",
    recorded: true,
    texts: recordedLines(`${USDM}/usdm_btcusdt.trades.ws.txt.gz`),
  },
  {
    venue: "binance-usdm",
    name: "aggTrade",
    recorded: true,
    texts: captured("binance-usdm", "BINANCE_FUTURES.ws.1.0"),
  },
  { venue: "coinbase", name: "match", recorded: true, texts: captured("coinbase", "COINBASE.ws.28.0") },
  { venue: "coinbase", name: "market_trades", recorded: false, texts: shaped(MARKET_TRADES) },
  { venue: "kraken", name: "v1 trade", recorded: true, texts: captured("kraken", "KRAKEN.ws.48.0") },
  { venue: "kraken", name: "v2 trade", recorded: false, texts: shaped(KRAKEN_V2) },
  { venue: "bybit", name: "publicTrade", recorded: false, texts: shaped(BYBIT_V5) },
  { venue: "okx", name: "trades", recorded: true, texts: captured("okx", "OKX.ws.1.0") },
  { venue: "okx", name: "trades-all", recorded: false, texts: shaped(OKX_ALL) },
];

const perSecond = (count: number, ms: number) => (count / ms) * 1000;

for (const { venue, name, recorded, texts } of inputs) {
  if (texts.length === 0) {
    console.log(`${venue.padEnd(14)}${name.padEnd(15)}SKIPPED: no recordings`);
    continue;
  }
  const lines = many(texts);
  const reader = VENUES.find((one) => one.id === venue)?.reader();
  const ours: number[] = [];
  const bare: number[] = [];
  let read = 0;
  let parsed = 0;
  for (let round = 0; round < rounds; round++) {
    const first = performance.now();
    for (const line of lines) if (reader?.read(line).type === "trades") read++;
    const second = performance.now();
    for (const line of lines) if (JSON.parse(line) !== null) parsed++;
    ours.push(perSecond(lines.length, second - first));
    bare.push(perSecond(lines.length, performance.now() - second));
  }
  if (read !== parsed) throw new Error(`${venue} ${name}: ${parsed - read} frames are no trades`);
  const [fast, plain] = [rank(ours, 0.5), rank(bare, 0.5)];
  // Round by round: what slows the machine down slows both.
  const ratios = ours.map((value, at) => value / (bare[at] ?? Number.NaN));
  console.log(
    `${venue.padEnd(14)}${name.padEnd(15)}${recorded ? `${texts.length} recorded`.padEnd(16) : "documented".padEnd(16)}` +
      `reader ${(fast / 1e6).toFixed(2)} M/s  JSON.parse ${(plain / 1e6).toFixed(2)} M/s  ratio ${rank(ratios, 0.5).toFixed(2)}`,
  );
}
