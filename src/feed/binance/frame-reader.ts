import { type Frame, isPlausible } from "./frame.ts";
import { parseFrame } from "./frame-json.ts";

const QUOTE = 0x22;

/**
 * Reads Binance's trade frames: a scanner for the exact field order of the combined spot and USD-M trade streams, and
 * JSON.parse for whatever is not exactly that. Both give the same answer; the scanner only gives it sooner.
 */
export class FrameReader {
  #text = "";
  #at = 0;
  /** Whether everything so far was as expected. */
  #ok = true;

  /** Reads `text` from `from` on. Never throws. */
  read(text: string, from = 0): Frame {
    return this.#scan(text, from) ?? parseFrame(from === 0 ? text : text.slice(from));
  }

  /** A trade in one of the two known orders, or null: anything else is JSON.parse's to judge. */
  #scan(text: string, from: number): Frame | null {
    this.#text = text;
    this.#at = from;
    this.#ok = true;
    this.#literal('{"stream":"');
    if (!this.#ok) return null;
    this.#stream();
    this.#literal('@trade","data":{"e":"trade","E":');
    const eventTimeMs = this.#number();
    let timeMs = 0;
    const usdm = text.startsWith(',"T":', this.#at);
    if (usdm) {
      this.#at += 5;
      timeMs = this.#number();
    }
    this.#literal(',"s":"');
    const symbol = this.#symbol();
    this.#literal('","t":');
    const id = this.#number();
    this.#literal(',"p":"');
    const price = this.#decimal();
    this.#literal('","q":"');
    const quantity = this.#decimal();
    if (usdm) {
      this.#literal('","X":"MARKET","m":');
    } else {
      this.#literal('","T":');
      timeMs = this.#number();
      this.#literal(',"m":');
    }
    const buyerIsMaker = this.#boolean();
    if (usdm) {
      this.#literal("}}");
    } else {
      this.#literal(',"M":');
      this.#boolean();
      this.#literal("}}");
    }
    if (!this.#ok || this.#at !== text.length || !isPlausible(timeMs) || !isPlausible(eventTimeMs)) return null;
    const trade = { symbol, id, price, quantity, timeMs, buyerIsMaker };
    return { type: "trade", trade, eventTimeMs, market: usdm ? "binance-usdm" : "binance-spot", aggregate: false };
  }

  /** Character by character: the engine compiles this to less than a call of startsWith costs. */
  #literal(expected: string): void {
    const text = this.#text;
    const from = this.#at;
    for (let at = 0; at < expected.length; at++) {
      if (text.charCodeAt(from + at) !== expected.charCodeAt(at)) {
        this.#ok = false;
        return;
      }
    }
    this.#at = from + expected.length;
  }

  /** Moves to the `@` of the stream's name: lower-case letters, digits and underscores. */
  #stream(): void {
    const text = this.#text;
    for (; ; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if ((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95) continue;
      return;
    }
  }

  /** A whole number as JSON writes it, at most 15 digits. */
  #number(): number {
    const text = this.#text;
    const from = this.#at;
    let value = 0;
    let at = from;
    for (; ; at++) {
      const digit = text.charCodeAt(at) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    const digits = at - from;
    if (digits === 0 || digits > 15 || (digits > 1 && text.charCodeAt(from) === 48)) this.#ok = false;
    this.#at = at;
    return value;
  }

  /** Upper-case letters and digits, 1 to 40: what `isSymbol` certainly takes. */
  #symbol(): string {
    const text = this.#text;
    const from = this.#at;
    let at = from;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (!((code >= 65 && code <= 90) || (code >= 48 && code <= 57))) break;
    }
    if (at === from || at - from > 40) this.#ok = false;
    this.#at = at;
    return text.slice(from, at);
  }

  /** Digits, a point, digits, up to the quote; at least one digit other than 0. */
  #decimal(): string {
    const text = this.#text;
    const from = this.#at;
    let point = -1;
    let positive = false;
    let at = from;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (code > 48 && code <= 57) positive = true;
      else if (code === 48) continue;
      else if (code === 46 && point < 0) point = at;
      else break;
    }
    const whole = at > from && point !== from && point !== at - 1;
    if (!whole || !positive || at - from > 40 || text.charCodeAt(at) !== QUOTE) this.#ok = false;
    this.#at = at;
    return text.slice(from, at);
  }

  #boolean(): boolean {
    const yes = this.#text.startsWith("true", this.#at);
    if (yes) this.#at += 4;
    else this.#literal("false");
    return yes;
  }
}
