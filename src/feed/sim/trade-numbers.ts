/** Ids that are given to something else than a trade: after each `every` trades, the next `skipped` ids. */
export interface NumberHoles {
  readonly every: number;
  readonly skipped: number;
}

/** The ids of a venue whose trades do not count on without holes, from the market's own, which do. Pure. */
export class TradeNumbers {
  readonly #holes: readonly NumberHoles[];

  constructor(holes: readonly NumberHoles[]) {
    this.#holes = holes;
  }

  /** The venue's id of the market's trade. */
  venueId(marketId: number): number {
    return this.#holes.reduce((id, { every, skipped }) => id + Math.floor(id / every) * skipped, marketId);
  }

  /** The market's id of the first trade whose id at the venue is this one or a later one. */
  marketId(venueId: number): number {
    return this.#holes.reduceRight((id, { every, skipped }) => {
      const block = Math.floor(id / (every + skipped));
      return block * every + Math.min(every, id - block * (every + skipped));
    }, venueId);
  }
}
