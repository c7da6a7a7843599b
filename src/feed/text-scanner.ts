const QUOTE = 0x22;
const LONGEST_SYMBOL = 40;
const LONGEST_DECIMAL = 40;

/**
 * Moves over a text of which the exact shape is expected. Each step either takes what it expects or clears `ok`, after which what it
 * gives is void: check once, at the end. Where a frame is not of the shape, the caller's JSON.parse judges it.
 */
export class TextScanner {
  text = "";
  at = 0;
  /** Whether everything so far was as expected. */
  ok = true;

  begin(text: string, from: number): void {
    this.text = text;
    this.at = from;
    this.ok = true;
  }

  /** Character by character: the engine compiles this to less than a call of startsWith costs. */
  literal(expected: string): void {
    const text = this.text;
    const from = this.at;
    for (let at = 0; at < expected.length; at++) {
      if (text.charCodeAt(from + at) !== expected.charCodeAt(at)) {
        this.ok = false;
        return;
      }
    }
    this.at = from + expected.length;
  }

  /** Moves over `expected` where it stands here; whether it did. */
  optional(expected: string): boolean {
    if (!this.text.startsWith(expected, this.at)) return false;
    this.at += expected.length;
    return true;
  }

  /** A whole number as JSON writes it, at most 15 digits. */
  number(): number {
    const text = this.text;
    const from = this.at;
    let value = 0;
    let at = from;
    for (; ; at++) {
      const digit = text.charCodeAt(at) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    const digits = at - from;
    if (digits === 0 || digits > 15 || (digits > 1 && text.charCodeAt(from) === 48)) this.ok = false;
    this.at = at;
    return value;
  }

  /** Upper-case letters and digits, 1 to 40: what `isSymbol` certainly takes. */
  symbol(): string {
    const text = this.text;
    const from = this.at;
    let at = from;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (!((code >= 65 && code <= 90) || (code >= 48 && code <= 57))) break;
    }
    if (at === from || at - from > LONGEST_SYMBOL) this.ok = false;
    this.at = at;
    return text.slice(from, at);
  }

  /** Digits, a point, digits, up to the quote; at least one digit other than 0. */
  decimal(): string {
    const text = this.text;
    const from = this.at;
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
    if (!whole || !positive || at - from > LONGEST_DECIMAL || text.charCodeAt(at) !== QUOTE) this.ok = false;
    this.at = at;
    return text.slice(from, at);
  }

  boolean(): boolean {
    const yes = this.text.startsWith("true", this.at);
    if (yes) this.at += 4;
    else this.literal("false");
    return yes;
  }

  /** Lower-case letters, digits and underscores: the name of a stream. */
  streamName(): void {
    const text = this.text;
    let at = this.at;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (!((code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95)) break;
    }
    this.at = at;
  }
}
