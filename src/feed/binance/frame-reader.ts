import { TextScanner } from "../text-scanner.ts";
import { type Frame, isPlausible } from "./frame.ts";
import { parseFrame } from "./frame-json.ts";

/**
 * Reads Binance's trade frames: a scanner for the exact field order of the combined spot and USD-M trade streams, and
 * JSON.parse for whatever is not exactly that. Both give the same answer; the scanner only gives it sooner.
 */
export class FrameReader extends TextScanner {
  /** Reads `text` from `from` on. Never throws. */
  read(text: string, from = 0): Frame {
    return this.#scan(text, from) ?? parseFrame(from === 0 ? text : text.slice(from));
  }

  /** A trade in one of the two known orders, or null: anything else is JSON.parse's to judge. */
  #scan(text: string, from: number): Frame | null {
    this.begin(text, from);
    this.literal('{"stream":"');
    if (!this.ok) return null;
    this.#stream();
    this.literal('@trade","data":{"e":"trade","E":');
    const eventTimeMs = this.number();
    let timeMs = 0;
    const usdm = text.startsWith(',"T":', this.at);
    if (usdm) {
      this.at += 5;
      timeMs = this.number();
    }
    this.literal(',"s":"');
    const symbol = this.symbol();
    this.literal('","t":');
    const id = this.number();
    this.literal(',"p":"');
    const price = this.decimal();
    this.literal('","q":"');
    const quantity = this.decimal();
    if (usdm) {
      this.literal('","X":"MARKET","m":');
    } else {
      this.literal('","T":');
      timeMs = this.number();
      this.literal(',"m":');
    }
    const buyerIsMaker = this.boolean();
    if (usdm) {
      this.literal("}}");
    } else {
      this.literal(',"M":');
      this.boolean();
      this.literal("}}");
    }
    if (!this.ok || this.at !== text.length || !isPlausible(timeMs) || !isPlausible(eventTimeMs)) return null;
    const trade = { symbol, id, price, quantity, timeMs, buyerIsMaker };
    return { type: "trade", trade, eventTimeMs, market: usdm ? "binance-usdm" : "binance-spot", aggregate: false };
  }

  /** Moves to the `@` of the stream's name: lower-case letters, digits and underscores. */
  #stream(): void {
    const text = this.text;
    for (; ; this.at++) {
      const code = text.charCodeAt(this.at);
      if ((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95) continue;
      return;
    }
  }
}
