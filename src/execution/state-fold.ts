import type { StoredCandle } from "../core/candle.ts";
import { isDelivered } from "../core/delivery.ts";
import { EMPTY_DIGEST, extendDigest } from "../core/digest.ts";
import type { Log, Timers } from "../core/env.ts";
import { assert, FabricError } from "../core/errors.ts";
import { MINUTE_MS, toRfc3339 } from "../core/time.ts";
import type { DecisionMaker, MarketHistory } from "./decision-maker.ts";
import type { Journal } from "./journal.ts";
import type { AnchorRow, CursorRow, FillRow } from "./journal-rows.ts";
import { PositionBook } from "./position-book.ts";

export interface FoldDeps {
  readonly journal: Journal;
  readonly maker: DecisionMaker;
  /** A read that rejects ends the fold: the one given waits where waiting helps. */
  readonly market: MarketHistory;
  readonly timers: Timers;
  readonly log: Log;
}

/** Minutes of history asked for at once: a week. */
const CHUNK_MS = 10_080 * MINUTE_MS;
/** Wall ms between two looks at a store that has not published what is needed yet, and how many of them go unsaid. */
const RETRY_MS = 100;
const RETRIES_PER_WARNING = 50;

/** Brings a strategy's state of one symbol to where the journal's cursor stands, from nothing but the store and the journal. */
export class StateFold {
  readonly #deps: FoldDeps;
  #closed = false;

  constructor(deps: FoldDeps) {
    this.#deps = deps;
  }

  /**
   * The fold of a restart: the saved state where there is one, else warm-up; then every candle delivered since, with the
   * positions of then and decisions discarded. Waits while the store has not published them. Throws FabricError "refused"
   * where the store's candles are not those the journal counted.
   */
  async refold(cursor: CursorRow): Promise<void> {
    const { journal, maker } = this.#deps;
    const { symbol } = cursor;
    const anchor = journal.anchor(symbol);
    assert(anchor, `${symbol} has a cursor, hence an anchor`);
    const saved = journal.savedState(symbol);
    let at = { digest: EMPTY_DIGEST, delivered: 0, fromOpenTime: anchor.openTime };
    if (saved && maker.restore(symbol, saved.saved)) {
      at = { digest: saved.digest, delivered: saved.delivered, fromOpenTime: saved.openTime + MINUTE_MS };
    } else await this.warm(anchor);
    await this.#published(symbol, cursor.commitSeq);
    const positions = new PositionReplay(symbol, journal.fillsOf(symbol));
    for await (const row of this.#rows(symbol, at.fromOpenTime, cursor.lastOpenTime)) {
      if (row.commitSeq < anchor.commitSeq || !this.#isOurs(row)) continue;
      at.digest = extendDigest(at.digest, row);
      at.delivered++;
      maker.refold(row, positions.at(row.openTime));
    }
    if (at.digest !== cursor.digest || at.delivered !== cursor.delivered) throw differentStore(cursor, at.delivered);
  }

  /**
   * Warm-up: history strictly before the anchor, as it stood when the anchor came (later imports change nothing). Waits while
   * the store has not published it.
   */
  async warm(anchor: AnchorRow): Promise<void> {
    const { maker } = this.#deps;
    await this.#published(anchor.symbol, anchor.commitSeq - 1);
    const from = Math.max(0, maker.warmupFrom(anchor.openTime));
    for await (const row of this.#rows(anchor.symbol, from, anchor.openTime - MINUTE_MS)) {
      if (row.commitSeq < anchor.commitSeq) maker.warm(row);
    }
  }

  /** The symbol's rows of the minutes up to this one, as far as the runner was or would have been given them. */
  async recent(anchor: AnchorRow, throughOpenTime: number, minutes: number): Promise<readonly StoredCandle[]> {
    const from = throughOpenTime - (minutes - 1) * MINUTE_MS;
    const rows = await this.#deps.market.history(anchor.symbol, from, throughOpenTime);
    return rows.filter((row) => this.#isGiven(row) && (row.commitSeq < anchor.commitSeq || isDelivered(row)));
  }

  /** Ends any waiting: what waited rejects with FabricError "try-again". */
  close(): void {
    this.#closed = true;
  }

  #isOurs(row: StoredCandle): boolean {
    return isDelivered(row) && this.#isGiven(row);
  }

  #isGiven(row: StoredCandle): boolean {
    return row.provenance !== "partial" || this.#deps.maker.includePartial;
  }

  async *#rows(symbol: string, from: number, to: number): AsyncGenerator<StoredCandle> {
    for (let start = from; start <= to; start += CHUNK_MS) {
      yield* await this.#deps.market.history(symbol, start, Math.min(to, start + CHUNK_MS - MINUTE_MS));
    }
  }

  async #published(symbol: string, commitSeq: number): Promise<void> {
    const { market, log } = this.#deps;
    for (let tries = 0; ; tries++) {
      if (this.#closed) throw new FabricError("try-again", `Stopped while waiting for the history of ${symbol}`);
      const view = await market.view();
      if (view && view.throughSeq >= commitSeq) return;
      if (tries % RETRIES_PER_WARNING === RETRIES_PER_WARNING - 1)
        log.warn(`Waiting for the store to publish row ${commitSeq} (${symbol}); it is at ${view?.throughSeq ?? 0}`);
      await new Promise<void>((resolve) => this.#deps.timers.after(RETRY_MS, resolve));
    }
  }
}

/** Walks a symbol's fills along ascending minutes: the position that a decision on each of them saw. */
export class PositionReplay {
  readonly #fills: Iterator<FillRow>;
  #next: FillRow | undefined;
  #book: PositionBook;

  constructor(symbol: string, fills: Iterable<FillRow>) {
    this.#book = new PositionBook(symbol);
    this.#fills = fills[Symbol.iterator]();
    this.#next = this.#take();
  }

  /** As of the decision on the minute opening at `openTime`, that minute's fills included. Ask in ascending order. */
  at(openTime: number): ReturnType<PositionBook["position"]> {
    while (this.#next && this.#next.candleOpenTime <= openTime) {
      this.#book = this.#book.after([this.#next]);
      this.#next = this.#take();
    }
    return this.#book.position();
  }

  #take(): FillRow | undefined {
    const { done, value } = this.#fills.next();
    return done ? undefined : value;
  }
}

function differentStore(cursor: CursorRow, found: number): FabricError {
  return new FabricError(
    "refused",
    `Cannot continue ${cursor.symbol}: the store's candles up to ${toRfc3339(cursor.lastOpenTime)} are not those this ` +
      `runner decided on (${cursor.delivered} journaled, ${found} found, or other figures); ` +
      "restore the store, or start the runner under another --name",
  );
}
