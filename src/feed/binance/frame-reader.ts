import { TextScanner } from "../text-scanner.ts";
import { type Frame, isPlausible } from "./frame.ts";
import { parseFrame } from "./frame-json.ts";

/**
 * Reads Binance's trade frames: a scanner for the exact field orders of the combined spot and USD-M trade and aggTrade streams, and
 * JSON.parse for whatever is not exactly that. Both give the same answer; the scanner only gives it sooner.
 */
export class FrameReader {
  readonly #scan = new TextScanner();

  /** Reads `text` from `from` on. Never throws. */
  read(text: string, from = 0): Frame {
    return this.#stream(text, from) ?? parseFrame(from === 0 ? text : text.slice(from));
  }

  /** A trade in one of the known orders, or null: anything else is JSON.parse's to judge. */
  #stream(text: string, from: number): Frame | null {
    const s = this.#scan;
    s.begin(text, from);
    s.literal('{"stream":"');
    if (!s.ok) return null;
    s.streamName();
    if (s.optional('@trade","data":{"e":"trade","E":')) return this.#trade();
    return s.optional('@aggTrade","data":{"e":"aggTrade","E":') ? this.#aggregate() : null;
  }

  #trade(): Frame | null {
    const s = this.#scan;
    const eventTimeMs = s.number();
    let timeMs = 0;
    const usdm = s.optional(',"T":');
    if (usdm) timeMs = s.number();
    s.literal(',"s":"');
    const symbol = s.symbol();
    s.literal('","t":');
    const id = s.number();
    s.literal(',"p":"');
    const price = s.decimal();
    s.literal('","q":"');
    const quantity = s.decimal();
    if (usdm) {
      s.literal('","X":"MARKET","m":');
    } else {
      s.literal('","T":');
      timeMs = s.number();
      s.literal(',"m":');
    }
    const buyerIsMaker = s.boolean();
    this.#end(usdm);
    if (!s.ok || s.at !== s.text.length || !isPlausible(timeMs) || !isPlausible(eventTimeMs)) return null;
    const trade = { symbol, id, price, quantity, timeMs, buyerIsMaker };
    return { type: "trade", trade, eventTimeMs, market: usdm ? "binance-usdm" : "binance-spot", aggregate: false };
  }

  /** The two markets differ in where `a` stands. */
  #aggregate(): Frame | null {
    const s = this.#scan;
    const eventTimeMs = s.number();
    const usdm = s.optional(',"a":');
    if (usdm) s.number();
    s.literal(',"s":"');
    const symbol = s.symbol();
    s.literal('"');
    if (!usdm) {
      s.literal(',"a":');
      s.number();
    }
    s.literal(',"p":"');
    const price = s.decimal();
    s.literal('","q":"');
    const quantity = s.decimal();
    s.literal('","f":');
    const id = s.number();
    s.literal(',"l":');
    const lastId = s.number();
    s.literal(',"T":');
    const timeMs = s.number();
    s.literal(',"m":');
    const buyerIsMaker = s.boolean();
    this.#end(usdm);
    if (!s.ok || s.at !== s.text.length || !isPlausible(timeMs) || !isPlausible(eventTimeMs) || lastId < id)
      return null;
    const trade = { symbol, id, price, quantity, timeMs, buyerIsMaker, lastId };
    return { type: "trade", trade, eventTimeMs, market: usdm ? "binance-usdm" : "binance-spot", aggregate: true };
  }

  /** Only spot's rows end with `M`. */
  #end(usdm: boolean): void {
    const s = this.#scan;
    if (!usdm) {
      s.literal(',"M":');
      s.boolean();
    }
    s.literal("}}");
  }
}
