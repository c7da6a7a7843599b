import type { Trade } from "../contract.ts";
import { DECIMAL, FieldCursor, SYMBOL_WORD, shape, TRUTH, WHOLE } from "../field-cursor.ts";
import { type BinanceMarket, type Frame, isPlausible, tradeFrame } from "./frame.ts";
import { parseFrame } from "./frame-json.ts";

const STREAM = "[a-z0-9_]*";
const SPOT = shape`{"stream":"${STREAM}@trade","data":{"e":"trade","E":${WHOLE},"s":"${SYMBOL_WORD}","t":${WHOLE},"p":"${DECIMAL}","q":"${DECIMAL}","T":${WHOLE},"m":${TRUTH},"M":${TRUTH}}}`;
const USDM = shape`{"stream":"${STREAM}@trade","data":{"e":"trade","E":${WHOLE},"T":${WHOLE},"s":"${SYMBOL_WORD}","t":${WHOLE},"p":"${DECIMAL}","q":"${DECIMAL}","X":"MARKET","m":${TRUTH}}}`;
const SPOT_AGGREGATE = shape`{"stream":"${STREAM}@aggTrade","data":{"e":"aggTrade","E":${WHOLE},"s":"${SYMBOL_WORD}","a":${WHOLE},"p":"${DECIMAL}","q":"${DECIMAL}","f":${WHOLE},"l":${WHOLE},"T":${WHOLE},"m":${TRUTH},"M":${TRUTH}}}`;
const USDM_AGGREGATE = shape`{"stream":"${STREAM}@aggTrade","data":{"e":"aggTrade","E":${WHOLE},"a":${WHOLE},"s":"${SYMBOL_WORD}","p":"${DECIMAL}","q":"${DECIMAL}","f":${WHOLE},"l":${WHOLE},"T":${WHOLE},"m":${TRUTH}}}`;

/**
 * Reads Binance's trade frames: those in the exact field orders of the combined spot and USD-M trade and aggTrade streams by walking
 * over their fields, and whatever is not exactly that by JSON.parse. Both give the same answer; the walk only gives it sooner.
 */
export class FrameReader {
  readonly #cursor = new FieldCursor();
  /** The kind of frame that came last: the next one is tried as that first. */
  #last: () => Frame | null = this.#spot;

  /** Reads `text` from `from` on. Never throws. */
  read(text: string, from = 0): Frame {
    this.#cursor.begin(text, from);
    return this.#last() ?? this.#walk() ?? parseFrame(from === 0 ? text : text.slice(from));
  }

  /** A trade in one of the known orders, or null: anything else is JSON.parse's to judge. */
  #walk(): Frame | null {
    for (const kind of [this.#spot, this.#usdm, this.#spotAggregate, this.#usdmAggregate]) {
      if (kind === this.#last) continue;
      const frame = kind.call(this);
      if (frame === null) continue;
      this.#last = kind;
      return frame;
    }
    return null;
  }

  #spot(): Frame | null {
    const c = this.#cursor;
    if (!c.is(SPOT) || SPOT.lastIndex !== c.text.length) return null;
    this.#toEvent('@trade","data":{"e":"trade","E":');
    const eventTimeMs = c.whole();
    c.over(',"s":"');
    const symbol = c.upTo();
    c.over('","t":');
    const id = c.whole();
    c.over(',"p":"');
    const price = c.upTo();
    c.over('","q":"');
    const quantity = c.upTo();
    c.over('","T":');
    const timeMs = c.whole();
    c.over(',"m":');
    const buyerIsMaker = c.truth();
    return framed({ symbol, id, price, quantity, timeMs, buyerIsMaker }, eventTimeMs, "binance-spot");
  }

  #usdm(): Frame | null {
    const c = this.#cursor;
    if (!c.is(USDM) || USDM.lastIndex !== c.text.length) return null;
    this.#toEvent('@trade","data":{"e":"trade","E":');
    const eventTimeMs = c.whole();
    c.over(',"T":');
    const timeMs = c.whole();
    c.over(',"s":"');
    const symbol = c.upTo();
    c.over('","t":');
    const id = c.whole();
    c.over(',"p":"');
    const price = c.upTo();
    c.over('","q":"');
    const quantity = c.upTo();
    c.over('","X":"MARKET","m":');
    const buyerIsMaker = c.truth();
    return framed({ symbol, id, price, quantity, timeMs, buyerIsMaker }, eventTimeMs, "binance-usdm");
  }

  #spotAggregate(): Frame | null {
    return this.#aggregate(SPOT_AGGREGATE, "binance-spot");
  }

  #usdmAggregate(): Frame | null {
    return this.#aggregate(USDM_AGGREGATE, "binance-usdm");
  }

  /** The two markets differ in where `a` stands. */
  #aggregate(expected: RegExp, market: BinanceMarket): Frame | null {
    const c = this.#cursor;
    if (!c.is(expected) || expected.lastIndex !== c.text.length) return null;
    this.#toEvent('@aggTrade","data":{"e":"aggTrade","E":');
    const eventTimeMs = c.whole();
    if (market === "binance-usdm") c.over(',"a":');
    if (market === "binance-usdm") c.whole();
    c.over(',"s":"');
    const symbol = c.upTo();
    c.over('"');
    if (market === "binance-spot") c.over(',"a":');
    if (market === "binance-spot") c.whole();
    c.over(',"p":"');
    const price = c.upTo();
    c.over('","q":"');
    const quantity = c.upTo();
    c.over('","f":');
    const id = c.whole();
    c.over(',"l":');
    const lastId = c.whole();
    c.over(',"T":');
    const timeMs = c.whole();
    c.over(',"m":');
    const buyerIsMaker = c.truth();
    if (lastId < id) return null;
    return framed({ symbol, id, price, quantity, timeMs, buyerIsMaker, lastId }, eventTimeMs, market);
  }

  /** Over the stream's name, which the data repeats. */
  #toEvent(known: string): void {
    const c = this.#cursor;
    c.over('{"stream":"');
    c.at = c.text.indexOf("@", c.at);
    c.over(known);
  }
}

function framed(trade: Trade, eventTimeMs: number, market: BinanceMarket): Frame | null {
  if (!isPlausible(trade.timeMs) || !isPlausible(eventTimeMs)) return null;
  return tradeFrame(trade, market);
}
