import { messageOf } from "../core/errors.ts";
import type { IndicatorTable } from "../core/wire.ts";

/** Symbols whose indicators are kept: the first ones seen; a later one is left out and counted. */
export const MAX_INDICATOR_SYMBOLS = 64;
export const MAX_INDICATOR_ROWS = 120;
export const MAX_INDICATOR_SERIES = 8;
const MAX_NAME_LENGTH = 40;

interface Kept {
  readonly names: string[];
  /** openTime, then the values by the order of `names`; an early row may be shorter. */
  readonly rows: (readonly (number | null)[])[];
}

/**
 * The newest values of a strategy's indicators by symbol, as charts show them. Whatever a strategy gives or throws here changes
 * nothing but this record: the first fault is kept for people, and after a throw it is not asked any more.
 */
export class IndicatorRecord {
  readonly #symbols = new Map<string, Kept>();
  readonly #omitted = new Set<string>();
  #version = 0;
  #fault: string | null = null;
  #broken = false;

  /** Rises with each bar noted. */
  get version(): number {
    return this.#version;
  }

  /** What was wrong with what the strategy gave; null while all is well. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Symbols left out at the bound. */
  get omitted(): number {
    return this.#omitted.size;
  }

  /** By symbol. */
  tables(): readonly IndicatorTable[] {
    return [...this.#symbols]
      .map(([symbol, { names, rows }]) => ({ symbol, names: [...names], rows: rows.map((row) => filled(row, names)) }))
      .sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  }

  /** Takes the values of one bar; bars come in order of openTime. Never throws. */
  note(bar: { readonly symbol: string; readonly openTime: number }, ask: () => unknown): void {
    if (this.#broken) return;
    const kept = this.#keptOf(bar.symbol);
    if (!kept) return;
    try {
      const values = this.#valuesOf(kept, ask());
      kept.rows.push([bar.openTime, ...values]);
      if (kept.rows.length > MAX_INDICATOR_ROWS) kept.rows.shift();
      this.#version++;
    } catch (error) {
      this.#broken = true;
      this.#fault = `its indicators are not asked for any more: ${messageOf(error)}`;
    }
  }

  #keptOf(symbol: string): Kept | null {
    const known = this.#symbols.get(symbol);
    if (known) return known;
    if (this.#symbols.size >= MAX_INDICATOR_SYMBOLS) {
      this.#omitted.add(symbol);
      return null;
    }
    const kept = { names: [], rows: [] };
    this.#symbols.set(symbol, kept);
    return kept;
  }

  #valuesOf({ names }: Kept, given: unknown): readonly (number | null)[] {
    if (typeof given !== "object" || given === null) throw new Error("they are no object of numbers by name");
    const entries = Object.entries(given);
    for (const [name] of entries) {
      if (names.includes(name)) continue;
      if (names.length < MAX_INDICATOR_SERIES && name !== "" && name.length <= MAX_NAME_LENGTH) names.push(name);
      else
        this.#fault ??= `an indicator is left out: at most ${MAX_INDICATOR_SERIES} are kept, with names of 1 to ${MAX_NAME_LENGTH} characters`;
    }
    const values = new Map<string, unknown>(entries);
    return names.map((name) => finite(values.get(name)));
  }
}

function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function filled(row: readonly (number | null)[], names: readonly string[]): readonly (number | null)[] {
  return row.length > names.length ? row : [...row, ...Array<null>(names.length + 1 - row.length).fill(null)];
}
