/** The venue's JSON has not the form its documents give it. */
export class Unreadable extends Error {
  constructor(what: string) {
    super(`What the venue says cannot be used: ${what}`);
    this.name = "Unreadable";
  }
}

export type Row = Readonly<Record<string, unknown>>;

export function rowOf(value: unknown): Row {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Row;
  throw new Unreadable("no object where one was expected");
}

export function rowsOf(value: unknown): readonly Row[] {
  if (Array.isArray(value)) return value.map(rowOf);
  throw new Unreadable("no list where one was expected");
}

export function textOf(row: Row, name: string): string {
  const value = row[name];
  if (typeof value === "string") return value;
  throw new Unreadable(`no text "${name}"`);
}

/** A plain decimal, zero or more: digits, at most one point. */
export function decimalOf(row: Row, name: string): string {
  const text = textOf(row, name);
  if (/^\d{1,30}(?:\.\d{1,30})?$/.test(text)) return text;
  throw new Unreadable(`no decimal "${name}"`);
}

export function wholeOf(row: Row, name: string): number {
  const value = row[name];
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new Unreadable(`no whole number "${name}"`);
}
