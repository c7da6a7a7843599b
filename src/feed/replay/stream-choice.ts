import type { VenueId } from "../venues/contract.ts";

const MAX_OTHERS = 5;

/** Where a recorded row comes from. */
export interface RowSource {
  readonly venue: VenueId;
  readonly stream: string;
  readonly idsCount: boolean;
}

/**
 * Which of a recording's trades are played: one venue a replay, one kind of stream a symbol (whichever came first), because the
 * others' ids count otherwise.
 */
export class StreamChoice {
  readonly #venue: VenueId;
  readonly #idsCount: boolean;
  readonly #symbols: ReadonlySet<string>;
  readonly #streams = new Map<string, string>();
  readonly #others = new Set<string>();

  constructor(venue: VenueId, idsCount: boolean, symbols: readonly string[]) {
    this.#venue = venue;
    this.#idsCount = idsCount;
    this.#symbols = new Set(symbols);
  }

  /** Some symbols that were not taken, for the message where nothing else was found. */
  get others(): readonly string[] {
    return [...this.#others];
  }

  /** `source`: null for a trade of whichever stream the symbol's trades come from. */
  takes(symbol: string, source: RowSource | null): boolean {
    if (source === null) return this.#symbols.has(symbol);
    const { venue, stream, idsCount } = source;
    if (venue === this.#venue && idsCount === this.#idsCount && this.#symbols.has(symbol)) {
      const taken = this.#streams.get(symbol);
      if (taken === stream) return true;
      if (taken === undefined) {
        this.#streams.set(symbol, stream);
        return true;
      }
    }
    if (this.#others.size < MAX_OTHERS) this.#others.add(symbol);
    return false;
  }
}
