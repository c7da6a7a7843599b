const MOST_NAMES = 10;

/** The symbols that the venue refused, and why. */
export class Refusals {
  readonly #reasons = new Map<string, string>();

  get size(): number {
    return this.#reasons.size;
  }

  add(symbols: readonly string[], reason: string): void {
    for (const symbol of symbols) this.#reasons.set(symbol, reason);
  }

  has(symbol: string): boolean {
    return this.#reasons.has(symbol);
  }

  /** Of the first of them. */
  reasonOf(symbols: readonly string[]): string {
    return this.#reasons.get(symbols[0] ?? "") ?? "no reason given";
  }

  /** For the operator; null where nothing was refused. */
  get trouble(): string | null {
    const symbols = [...this.#reasons.keys()];
    return symbols.length === 0 ? null : `the venue refused ${namesOf(symbols)}: ${this.reasonOf(symbols)}`;
  }
}

/** The first ten, and how many more. */
export function namesOf(symbols: readonly string[]): string {
  const more = symbols.length - MOST_NAMES;
  return symbols.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
