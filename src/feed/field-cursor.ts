const POINT = 46;
const LOWER_T = 116;

/** Parts of shapes, as sources of regular expressions. All of them are bounded, and none can be read in two ways. */
export const WHOLE = "(?:0|[1-9]\\d{0,14})";
/** Digits, a point, digits, in quotes; at least one of them other than 0. */
export const DECIMAL = '(?![0.]*")\\d{1,20}(?:\\.\\d{1,19})?';
/** The same as JSON writes a number, before a comma. */
export const JSON_DECIMAL = "(?![0.]*,)(?:0|[1-9]\\d{0,19})(?:\\.\\d{1,19})?";
export const TRUTH = "(?:true|false)";
export const SYMBOL = "[A-Z0-9][A-Z0-9/-]{0,39}";
export const SYMBOL_WORD = "[A-Z0-9]{1,40}";
/** A word that nobody looks at. */
export const WORD = "[0-9A-Za-z_-]{0,80}";
export const UUID = "[0-9a-f-]{36}";
export const RFC3339 = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,9})?Z";

/**
 * What stands between the parts is taken as it is: `shape`{"id":${WHOLE}}``. Matches where its `lastIndex` is set, and nowhere else.
 */
export function shape(between: TemplateStringsArray, ...parts: readonly string[]): RegExp {
  const source = between.map((text, at) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + (parts[at] ?? ""));
  return new RegExp(source.join(""), "y");
}

/** A part that may be absent. */
export function maybe(expression: RegExp): string {
  return `(?:${expression.source})?`;
}

/**
 * Walks over a text of which a stretch is known to be of a shape: the regular expression says so at once, in compiled code, and the
 * cursor then takes the fields without looking twice. A third faster than JSON.parse, and half as long as a scanner that checks as it
 * goes. Where `is` says no, the text is JSON.parse's to judge.
 */
export class FieldCursor {
  text = "";
  at = 0;

  begin(text: string, from: number): void {
    this.text = text;
    this.at = from;
  }

  get ended(): boolean {
    return this.at === this.text.length;
  }

  /** Whether what stands here is of the shape. */
  is(expected: RegExp): boolean {
    expected.lastIndex = this.at;
    return expected.test(this.text);
  }

  /** Moves by what is known to stand here. */
  over(known: string): void {
    this.at += known.length;
  }

  /** Moves over `expected` where it stands here; whether it did. */
  optional(expected: string): boolean {
    const { text, at } = this;
    // The first letter mostly tells, and spares the call.
    if (text.charCodeAt(at) !== expected.charCodeAt(0) || !text.startsWith(expected, at)) return false;
    this.at += expected.length;
    return true;
  }

  /** The digits that stand here. */
  whole(): number {
    const text = this.text;
    let value = 0;
    let at = this.at;
    for (; ; at++) {
      const digit = text.charCodeAt(at) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    this.at = at;
    return value;
  }

  /** Seconds with or without a fraction as whole ms, cut. */
  seconds(): number {
    const whole = this.whole();
    if (this.text.charCodeAt(this.at) !== POINT) return whole * 1000;
    let ms = 0;
    let at = this.at + 1;
    for (let unit = 100; ; at++) {
      const digit = this.text.charCodeAt(at) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      ms += digit * unit;
      unit = unit === 100 ? 10 : unit === 10 ? 1 : 0;
    }
    this.at = at;
    return whole * 1000 + ms;
  }

  truth(): boolean {
    const yes = this.text.charCodeAt(this.at) === LOWER_T;
    this.at += yes ? 4 : 5;
    return yes;
  }

  /** What stands here up to the next quote, or other character. */
  upTo(end = '"'): string {
    const from = this.at;
    this.at = this.text.indexOf(end, from);
    return this.text.slice(from, this.at);
  }

  /** Whether the word that stands here begins with this letter; moves to its end. Spares the word. */
  wordOf(letter: string): boolean {
    const yes = this.text.charCodeAt(this.at) === letter.charCodeAt(0);
    this.toQuote();
    return yes;
  }

  /** Moves to the next quote. */
  toQuote(): void {
    this.at = this.text.indexOf('"', this.at);
  }
}
