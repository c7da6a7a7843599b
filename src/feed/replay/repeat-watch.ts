/**
 * Where a venue sends a symbol's last trade anew when its subscription is taken: which row that may be. One a symbol and
 * connection.
 */
export class RepeatWatch {
  /** By connection: symbols whose subscription was seen to be taken; true while their next row may be one of before it. */
  readonly #connections = new Map<number, Map<string, boolean>>();

  taken(symbols: readonly string[], connection: number): void {
    const seen = this.#connections.get(connection) ?? new Map<string, boolean>();
    this.#connections.set(connection, seen);
    for (const symbol of symbols) if (!seen.has(symbol)) seen.set(symbol, true);
  }

  /** True once: for the first row after the subscription. */
  isRepeat(symbol: string, connection: number): boolean {
    const seen = this.#connections.get(connection);
    if (seen?.get(symbol) !== true) return false;
    seen.set(symbol, false);
    return true;
  }

  forget(connection: number): void {
    this.#connections.delete(connection);
  }
}
