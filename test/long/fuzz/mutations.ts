import type { Dice } from "../dice.ts";

/** What was done to a sound input. Inputs are bytes in the end, so that broken UTF-8 is among them. */
export const MUTATIONS = [
  "none",
  "flip",
  "truncate",
  "splice",
  "repeat",
  "number",
  "huge-number",
  "unicode",
  "nesting",
  "reorder",
  "prototype",
  "retype",
  "drop",
  "twin-key",
  "giant",
] as const;

export type Mutation = (typeof MUTATIONS)[number];

export interface Mutated {
  /** The first thing that was done; a quarter of the cases have a second. */
  readonly kind: Mutation;
  readonly bytes: Uint8Array;
}

/** Seldom kinds cost much for each case; they come once in so many cases that they otherwise would. */
const SELDOM: ReadonlySet<Mutation> = new Set(["giant", "nesting", "huge-number"]);
const SELDOM_ONE_IN = 8;
const MAX_GIANT_CHARS = 300_000;
const MAX_DEPTH = 20_000;

const EXTREMES = [
  "0",
  "-0",
  "-1",
  "1",
  "0.1",
  "-0.00000001",
  "1e308",
  "1e309",
  "-1e309",
  "5e-324",
  "1e-400",
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "-9007199254740993",
  "9223372036854775807",
  "18446744073709551616",
  "4294967296",
  "2147483648",
  "60000",
  "59999",
  "4000000000001",
  "NaN",
  "Infinity",
  "007",
  "0x10",
  "1_000",
  "1.",
  ".5",
  "1e5",
  "1E+2",
  "+1",
  "٣",
] as const;

const ODD_TEXT = [
  "\u0000",
  "\u0001",
  "\u001f",
  "\u007f",
  "\ufeff",
  "\u2028",
  "\u2029",
  "\u202e",
  "\u200b",
  "\ud83d\ude00",
  "\ud800",
  "\udc00",
  "e\u0301\u0301\u0301",
  "\uffff",
  "İ",
  "ß",
  "\r\n",
  "\n\ndata: x\n\n",
  "\\u0000",
  "\\",
  '"',
  "'",
  " ",
] as const;

const ODD_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "then",
  "length",
  "",
] as const;
const OTHER_VALUES = [
  "null",
  "true",
  "false",
  '""',
  '"x"',
  "[]",
  "{}",
  "[[]]",
  "[1,2]",
  '{"a":1}',
  "-1",
  '"1"',
] as const;

const encoder = new TextEncoder();

/** One sound input made unsound (or left alone) in one or two ways; `other` is what splices take their second half from. */
export function mutated(text: string, other: string, dice: Dice): Mutated {
  const kind = pickKind(dice);
  let done = applied(text, other, kind, dice);
  if (kind !== "none" && dice.oneIn(4)) {
    const again = pickKind(dice);
    if (again !== "flip") done = applied(done, other, again, dice);
  }
  const bytes = encoder.encode(done);
  if (kind === "flip") flip(bytes, dice);
  return { kind, bytes };
}

function pickKind(dice: Dice): Mutation {
  const kind = dice.pick(MUTATIONS);
  return SELDOM.has(kind) && !dice.oneIn(SELDOM_ONE_IN) ? "number" : kind;
}

function applied(text: string, other: string, kind: Mutation, dice: Dice): string {
  switch (kind) {
    case "none":
    case "flip":
      return text;
    case "truncate":
      return dice.oneIn(4) ? text.slice(dice.below(text.length)) : text.slice(0, dice.below(text.length));
    case "splice":
      return text.slice(0, dice.below(text.length)) + other.slice(dice.below(other.length));
    case "repeat":
      return repeated(text, dice);
    case "number":
      return replaceOne(text, /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi, () => dice.pick(EXTREMES), dice);
    case "huge-number":
      return replaceOne(text, /\d+/g, () => hugeNumber(dice), dice);
    case "unicode":
      return inserted(text, dice.pick(ODD_TEXT), dice);
    case "nesting":
      return replaceOne(text, /"[^"\\]*"|-?\d+|null|true|false/g, () => bomb(dice), dice);
    case "reorder":
      return asObject(text, (keys) => dice.shuffled(keys));
    case "prototype":
      return withKey(text, dice.pick(ODD_KEYS), dice);
    case "retype":
      return replaceOne(
        text,
        /(?<=:\s*)(?:"[^"\\]*"|-?\d[\d.]*|null|true|false)/g,
        () => dice.pick(OTHER_VALUES),
        dice,
      );
    case "drop":
      return asObject(text, (entries) => {
        const gone = dice.below(Math.max(1, entries.length));
        return entries.filter((_, at) => at !== gone);
      });
    case "twin-key":
      return twin(text, dice);
    case "giant":
      return replaceOne(text, /(?<=")[^"\\]+(?=")/g, (found) => giant(found, dice), dice);
  }
}

function flip(bytes: Uint8Array, dice: Dice): void {
  if (bytes.length === 0) return;
  for (let flips = 1 + dice.below(3); flips > 0; flips--) {
    const at = dice.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
  }
}

function repeated(text: string, dice: Dice): string {
  const from = dice.below(text.length);
  const to = from + dice.below(Math.min(200, text.length - from) + 1);
  return text.slice(0, to) + text.slice(from, to).repeat(1 + dice.below(3)) + text.slice(to);
}

function inserted(text: string, what: string, dice: Dice): string {
  const at = dice.below(text.length + 1);
  return text.slice(0, at) + what + text.slice(at);
}

function replaceOne(text: string, pattern: RegExp, by: (found: string) => string, dice: Dice): string {
  const found = [...text.slice(0, 20_000).matchAll(pattern)];
  if (found.length === 0) return text;
  const match = dice.pick(found);
  return text.slice(0, match.index) + by(match[0]) + text.slice(match.index + match[0].length);
}

function hugeNumber(dice: Dice): string {
  const digits = 1 + dice.below(400);
  const whole = String(1 + dice.below(9)) + "0123456789".repeat(Math.ceil(digits / 10)).slice(0, digits);
  return dice.oneIn(2) ? whole : `${whole}.${whole}`;
}

function bomb(dice: Dice): string {
  const depth = 1 + dice.below(dice.oneIn(4) ? MAX_DEPTH : 60);
  if (dice.oneIn(3)) return "[".repeat(depth);
  return dice.oneIn(2) ? "[".repeat(depth) + "]".repeat(depth) : `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
}

function giant(found: string, dice: Dice): string {
  const unit = dice.oneIn(3) ? dice.pick(ODD_TEXT).replace(/["\n\r\\]/g, "x") : found;
  return unit.repeat(Math.ceil((1 + dice.below(MAX_GIANT_CHARS)) / unit.length));
}

/** The first JSON object in the text with its members changed; as it was where there is none. */
function asObject(text: string, change: (entries: [string, unknown][]) => [string, unknown][]): string {
  const from = text.indexOf("{");
  if (from < 0) return text;
  try {
    const value: unknown = JSON.parse(text.slice(from));
    if (typeof value !== "object" || value === null) return text;
    return text.slice(0, from) + JSON.stringify(Object.fromEntries(change(Object.entries(value))));
  } catch {
    return text;
  }
}

function withKey(text: string, key: string, dice: Dice): string {
  const value = dice.oneIn(2) ? '{"polluted":true,"length":1e9}' : dice.pick(OTHER_VALUES);
  const at = [...text.slice(0, 20_000).matchAll(/\{/g)];
  if (at.length === 0) return inserted(text, key, dice);
  const place = dice.pick(at).index + 1;
  return `${text.slice(0, place)}${JSON.stringify(key)}:${value},${text.slice(place)}`;
}

/** A key for the second time, with another value. */
function twin(text: string, dice: Dice): string {
  const keys = [...text.slice(0, 20_000).matchAll(/"([A-Za-z]+)":/g)];
  if (keys.length === 0) return text;
  const key = dice.pick(keys);
  const value = dice.oneIn(2) ? dice.pick(OTHER_VALUES) : dice.pick(EXTREMES);
  return `${text.slice(0, key.index)}"${key[1]}":${value},${text.slice(key.index)}`;
}
