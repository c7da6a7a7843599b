/** Greetings remembered: one comes every 5 s, so some two minutes. */
const REMEMBERED = 24;

/**
 * The bridge's clock as this page can tell it. Each greeting says what time it was when it was sent; the least delayed one of the
 * last two minutes tells the clocks' distance best. Not the best one ever: clocks drift apart by seconds a day, and a page that stays
 * open for days would take fresh values for old ones.
 */
export class BridgeClock {
  #distances: number[] = [];
  #distanceMs: number;

  /** Until the first greeting: the page's own idea of the wall clock, less its monotonic one. */
  constructor(distanceMs: number) {
    this.#distanceMs = distanceMs;
  }

  /** A new connection: what was measured over the last one does not count any more, but goes on until the next greeting. */
  forget(): void {
    this.#distances = [];
  }

  hear(bridgeMs: number, monotonicMs: number): void {
    this.#distances = [...this.#distances, bridgeMs - monotonicMs].slice(-REMEMBERED);
    this.#distanceMs = Math.max(...this.#distances);
  }

  at(monotonicMs: number): number {
    return monotonicMs + this.#distanceMs;
  }
}
