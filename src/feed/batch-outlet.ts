import type { CloseBatch } from "../core/delivery.ts";
import type { Timers } from "../core/env.ts";
import type { MarketIngestOptions } from "./ingest-state.ts";

/** A held batch is offered again after this long (wall). */
const OFFER_AGAIN_MS = 2;

export interface BatchOutletDeps {
  readonly emit: MarketIngestOptions["emit"];
  readonly timers: Timers;
  /** Keep a batch that found no room and offer it again, rather than report it. */
  readonly holds: boolean;
  onTaken(batch: CloseBatch): void;
  /** Only where it does not hold. The batch is dropped. */
  onFull(): void;
  onClosed(): void;
}

/**
 * Hands batches on, in order. For a recording, which can wait, it holds what finds no room: at most what one line of input
 * closes, since the reader waits on `room` before the next.
 */
export class BatchOutlet {
  readonly #deps: BatchOutletDeps;
  #held: CloseBatch[] = [];
  #room: { readonly promise: Promise<void>; readonly resolve: () => void } | null = null;

  constructor(deps: BatchOutletDeps) {
    this.#deps = deps;
  }

  /** Resolves when nothing is held any more; null where that is so. */
  get room(): Promise<void> | null {
    return this.#room?.promise ?? null;
  }

  offer(batch: CloseBatch): void {
    if (this.#held.length > 0) {
      this.#held.push(batch);
      return;
    }
    const answer = this.#deps.emit(batch);
    if (answer === "accepted") {
      this.#deps.onTaken(batch);
    } else if (answer === "closed") {
      this.#deps.onClosed();
    } else if (this.#deps.holds) {
      this.#held.push(batch);
      this.#room = Promise.withResolvers<void>();
      this.#offerAgain();
    } else {
      this.#deps.onFull();
    }
  }

  /** Drops what is held and lets the reader go on. */
  clear(): void {
    this.#held = [];
    this.#room?.resolve();
    this.#room = null;
  }

  #offerAgain(): void {
    this.#deps.timers.after(OFFER_AGAIN_MS, () => {
      for (let batch = this.#held[0]; batch !== undefined; batch = this.#held[0]) {
        const answer = this.#deps.emit(batch);
        if (answer === "full") {
          this.#offerAgain();
          return;
        }
        if (answer === "closed") {
          this.#deps.onClosed();
          break;
        }
        this.#deps.onTaken(batch);
        this.#held.shift();
      }
      this.clear();
    });
  }
}
