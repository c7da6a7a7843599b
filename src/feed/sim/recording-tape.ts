import { MINUTE_MS, minuteOf } from "../../core/time.ts";
import { formatScaled, WIRE_DECIMALS } from "./decimal.ts";
import { ExactCandle, type KlineRow } from "./exact-candle.ts";
import type { RecordedFrame, RecordedTrade } from "./recording.ts";
import type { Channels, KlineQuery, RestTrade, Tape, TapeSymbol } from "./tape.ts";

const SCALE = { priceDecimals: WIRE_DECIMALS, quantityDecimals: WIRE_DECIMALS };

/** One symbol's trades by rising id, each id once, and the minutes they prove. */
interface Reel {
  readonly trades: readonly RecordedTrade[];
  readonly minutes: readonly ProvenMinute[];
}

/** Trades `from` to `to` (exclusive) are all there were in the minute; trade `from` - 1 came just before it. */
interface ProvenMinute {
  readonly openTime: number;
  readonly from: number;
  readonly to: number;
}

/** A recording as an exchange plays it: its trade frames as recorded, each when its event time is due. */
export class RecordingTape implements Tape {
  readonly environment = "recording";
  readonly symbols: ReadonlyMap<string, TapeSymbol>;
  /** When the first frame is due. */
  readonly firstMs: number;
  readonly #frames: readonly RecordedFrame[];
  readonly #reels: ReadonlyMap<string, Reel>;
  #next = 0;

  constructor(frames: readonly RecordedFrame[]) {
    this.#frames = frames;
    this.firstMs = frames[0]?.dueMs ?? 0;
    this.#reels = reelsOf(frames);
    const least = formatScaled(1n, WIRE_DECIMALS);
    this.symbols = new Map([...this.#reels.keys()].map((name) => [name, { name, tickSize: least, stepSize: least }]));
  }

  play(afterMs: number, throughMs: number, channels: Channels): number {
    let played = 0;
    for (; this.#next < this.#frames.length; this.#next++) {
      const frame = this.#frames[this.#next];
      if (!frame || frame.dueMs > throughMs) break;
      const channel = frame.dueMs > afterMs ? channels.get(frame.stream) : undefined;
      if (!channel) continue;
      channel.publish(frame.data, frame.combined);
      played++;
    }
    return played;
  }

  klines(symbol: string, query: KlineQuery, nowMs: number): readonly KlineRow[] {
    const reel = this.#reels.get(symbol);
    if (!reel) return [];
    const { startTime, endTime, limit } = query;
    const from = startTime ?? 0;
    const to = Math.min(nowMs, endTime ?? nowMs);
    const found = reel.minutes.filter(({ openTime }) => openTime >= from && openTime <= to);
    const chosen = startTime === null ? found.slice(-limit) : found.slice(0, limit);
    return chosen.map((minute) => candleOf(symbol, reel, minute, nowMs).kline());
  }

  trades(symbol: string, fromId: number | null, limit: number, nowMs: number): readonly RestTrade[] {
    const known = (this.#reels.get(symbol)?.trades ?? []).filter((trade) => trade.count > 0 && trade.timeMs <= nowMs);
    const chosen =
      fromId === null ? known.slice(-limit) : known.filter((trade) => trade.firstId >= fromId).slice(0, limit);
    return chosen.map(restTrade);
  }
}

/** Single trades are preferred to aggregates where a symbol has both. */
function reelsOf(frames: readonly RecordedFrame[]): ReadonlyMap<string, Reel> {
  const bySymbol = new Map<string, Map<number, RecordedTrade>>();
  for (const kind of ["trade", "aggTrade"] as const) {
    const found = new Map<string, Map<number, RecordedTrade>>();
    for (const { trade } of frames) {
      if (trade.kind !== kind || bySymbol.has(trade.symbol)) continue;
      const known = found.get(trade.symbol) ?? new Map<number, RecordedTrade>();
      found.set(trade.symbol, known.set(trade.id, trade));
    }
    for (const [symbol, trades] of found) bySymbol.set(symbol, trades);
  }
  return new Map([...bySymbol].map(([symbol, trades]) => [symbol, reelOf([...trades.values()])]));
}

function reelOf(unsorted: readonly RecordedTrade[]): Reel {
  const trades = [...unsorted].sort((a, b) => a.id - b.id);
  const minutes: ProvenMinute[] = [];
  let start = 0;
  for (let at = 1; at <= trades.length; at++) {
    if (trades[at]?.id === (trades[at - 1]?.id ?? 0) + 1) continue;
    minutes.push(...provenMinutes(trades, start, at));
    start = at;
  }
  return { trades, minutes };
}

/** Minutes that a run of trades without a missing id spans: a trade came before each, and one at or after its end. */
function provenMinutes(trades: readonly RecordedTrade[], start: number, end: number): ProvenMinute[] {
  const proven: ProvenMinute[] = [];
  const last = minuteOf(trades[end - 1]?.timeMs ?? 0);
  let openTime = minuteOf(trades[start]?.timeMs ?? 0) + MINUTE_MS;
  let at = start;
  for (; openTime < last; openTime += MINUTE_MS) {
    while (at < end && (trades[at]?.timeMs ?? 0) < openTime) at++;
    let to = at;
    while (to < end && (trades[to]?.timeMs ?? 0) < openTime + MINUTE_MS) to++;
    proven.push({ openTime, from: at, to });
  }
  return proven;
}

function candleOf(symbol: string, reel: Reel, minute: ProvenMinute, nowMs: number): ExactCandle {
  let before = minute.from - 1;
  while (before > 0 && reel.trades[before]?.count === 0) before--;
  const candle = new ExactCandle(symbol, minute.openTime, SCALE, reel.trades[before]?.price ?? 0n);
  for (const trade of reel.trades.slice(minute.from, minute.to))
    if (trade.count > 0 && trade.timeMs <= nowMs) candle.add(trade);
  return candle;
}

function restTrade(trade: RecordedTrade): RestTrade {
  return {
    id: trade.firstId,
    price: formatScaled(trade.price, WIRE_DECIMALS),
    qty: formatScaled(trade.quantity, WIRE_DECIMALS),
    quoteQty: formatScaled(trade.price * trade.quantity, 2 * WIRE_DECIMALS),
    time: trade.timeMs,
    isBuyerMaker: trade.buyerIsMaker,
    isBestMatch: true,
  };
}
