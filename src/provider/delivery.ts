import type { StoredCandle } from "../core/candle.ts";
import type { DeliveryCursor, SymbolCursor } from "../core/delivery.ts";
import { EMPTY_DIGEST, extendDigest } from "../core/digest.ts";
import type { Clock } from "../core/env.ts";
import { MINUTE_MS } from "../core/time.ts";
import type { StoreView } from "../store/contract.ts";
import type { Breather } from "./breather.ts";
import {
  AHEAD_BOUND,
  type DeliveredSample,
  type DeliveryConsumer,
  FAST_SYMBOLS_BOUND,
  type ProviderOptions,
} from "./options.ts";
import { SeqWindow } from "./seq-window.ts";
import { type FastCandle, SymbolTrack, storedCandleOf } from "./symbol-track.ts";

type Brought = Omit<DeliveredSample, "candle">;

/**
 * Hands rows to the consumer and keeps where it stands: digest, count and gap per symbol, and which rows were dealt with.
 * It trusts its caller that a row follows the symbol's last one; nothing here waits but for the consumer.
 */
export class Delivery {
  readonly #clock: Clock;
  readonly #breather: Breather;
  readonly #includePartial: boolean;
  readonly #onDelivered: ((sample: DeliveredSample) => void) | undefined;
  readonly #tracks = new Map<string, SymbolTrack>();
  readonly #positions: Map<string, SymbolCursor>;
  readonly #cursor: DeliveryCursor;
  readonly #counts = { FAST: 0, FALLBACK: 0, duplicates: 0, gaps: 0, partials: 0, refusedSymbols: 0 };
  #consumer: DeliveryConsumer = () => {};
  #window: SeqWindow;
  #storeId: string | null;
  #ended = false;

  constructor(clock: Clock, breather: Breather, options: ProviderOptions) {
    this.#clock = clock;
    this.#breather = breather;
    this.#includePartial = options.includePartial ?? false;
    this.#onDelivered = options.onDelivered;
    this.#storeId = options.cursor?.storeId ?? null;
    this.#window = new SeqWindow(options.cursor?.throughSeq ?? 0, AHEAD_BOUND);
    this.#positions = new Map(options.cursor?.symbols ?? []);
    for (const symbol of this.#positions.keys()) this.trackFromStore(symbol);
    if (options.symbols !== "all") for (const symbol of options.symbols) this.trackFromStore(symbol);
    this.#cursor = liveCursor(
      () => this.#storeId ?? "",
      () => this.#window.through,
      this.#positions,
    );
  }

  get storeId(): string | null {
    return this.#storeId;
  }

  /** Every row of the store up to here was dealt with. */
  get throughSeq(): number {
    return this.#window.through;
  }

  begin(consumer: DeliveryConsumer): void {
    this.#consumer = consumer;
  }

  /** No event is handed out after it. */
  end(): void {
    this.#ended = true;
  }

  /** Places a new consumer at the view's end. */
  startAt(view: StoreView): void {
    this.#storeId = view.storeId;
    this.#window = new SeqWindow(view.throughSeq, AHEAD_BOUND);
  }

  /** With every row of the view dealt with, its heads tell what each symbol's next row will follow. */
  adoptHeads(view: StoreView, symbols: ReadonlySet<string> | "all"): void {
    for (const [symbol, head] of view.heads) {
      if (symbols !== "all" && !symbols.has(symbol)) continue;
      const track = this.trackFromStore(symbol);
      if (head.lastCommitSeq > track.chainSeq) track.link(head.lastOpenTime, head.lastCommitSeq);
    }
  }

  tracks(): Iterable<SymbolTrack> {
    return this.#tracks.values();
  }

  /** The symbol's track, made where there is none: the store bounds how many there are. */
  trackFromStore(symbol: string): SymbolTrack {
    let track = this.#tracks.get(symbol);
    if (!track) {
      track = new SymbolTrack(symbol, this.#positions.get(symbol) ?? null);
      this.#tracks.set(symbol, track);
    }
    return track;
  }

  /** The same, but null (counted) where the wire would bring in more symbols than the bound. */
  trackFromWire(symbol: string): SymbolTrack | null {
    const track = this.#tracks.get(symbol);
    if (track) return track;
    if (this.#tracks.size < FAST_SYMBOLS_BOUND) return this.trackFromStore(symbol);
    this.#counts.refusedSymbols++;
    return null;
  }

  hasHandled(track: SymbolTrack, row: StoredCandle): boolean {
    return row.commitSeq <= this.#window.through || track.hasHandled(row);
  }

  /** The row needs no delivery. */
  pass(commitSeq: number): void {
    this.#window.add(commitSeq);
  }

  /** Every row up to here was dealt with. */
  passAll(commitSeq: number): void {
    this.#window.advanceTo(commitSeq);
  }

  /** After a page: forgets what `passAll` overtook. */
  prune(): void {
    this.#window.prune();
  }

  countDuplicates(count: number): void {
    this.#counts.duplicates += count;
  }

  deliverFast(track: SymbolTrack, item: FastCandle): void | Promise<void> {
    const { receivedMs, body } = item;
    return this.#deliver(track, storedCandleOf(body), {
      rail: "FAST",
      receivedMonotonicMs: receivedMs,
      sentAt: body.sentAt,
    });
  }

  deliverStored(track: SymbolTrack, row: StoredCandle, receivedMonotonicMs: number): void | Promise<void> {
    return this.#deliver(track, row, { rail: "FALLBACK", receivedMonotonicMs, sentAt: null });
  }

  /** A copy of where the consumer stands; null before the store is known. */
  snapshot(): DeliveryCursor | null {
    if (this.#storeId === null) return null;
    return { storeId: this.#storeId, throughSeq: this.#window.through, symbols: new Map(this.#positions) };
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "fast.delivered.total": this.#counts.FAST,
      "fallback.delivered.total": this.#counts.FALLBACK,
      "duplicates.total": this.#counts.duplicates,
      "gaps.total": this.#counts.gaps,
      "partial.skipped.total": this.#counts.partials,
      "symbols.refused.total": this.#counts.refusedSymbols,
      "cursor.throughSeq": this.#window.through,
      "cursor.ahead": this.#window.aheadSize,
    };
  }

  #deliver(track: SymbolTrack, row: StoredCandle, brought: Brought): void | Promise<void> {
    if (this.#ended) return;
    if (row.provenance === "partial" && !this.#includePartial) {
      this.#counts.partials++;
      track.link(row.openTime, row.commitSeq);
      this.#window.add(row.commitSeq);
      return;
    }
    const last = track.position;
    if (last !== null && row.openTime > last.lastOpenTime + MINUTE_MS)
      return this.#deliverAfterGap(track, last, row, brought);
    return this.#deliverCandle(track, row, brought);
  }

  // A gap's position ends at its last minute and does not cover the row that told of it: a consumer that stops between
  // the two gets the candle next, and not the gap again.
  async #deliverAfterGap(track: SymbolTrack, last: SymbolCursor, row: StoredCandle, brought: Brought): Promise<void> {
    const { symbol } = track;
    const fromOpenTime = last.lastOpenTime + MINUTE_MS;
    const toOpenTime = row.openTime - MINUTE_MS;
    this.#counts.gaps++;
    this.#moveTo(track, { ...last, lastOpenTime: toOpenTime });
    await this.#consumer({ type: "gap", symbol, fromOpenTime, toOpenTime }, this.#cursor);
    if (!this.#ended) await this.#deliverCandle(track, row, brought);
  }

  #deliverCandle(track: SymbolTrack, candle: StoredCandle, brought: Brought): void | Promise<void> {
    const last = track.position;
    this.#moveTo(track, {
      lastOpenTime: candle.openTime,
      digest: extendDigest(last?.digest ?? EMPTY_DIGEST, candle),
      delivered: (last?.delivered ?? 0) + 1,
    });
    track.link(candle.openTime, candle.commitSeq);
    track.lastCandleOpenTime = candle.openTime;
    track.rail = brought.rail;
    track.progressMs = this.#clock.monotonicMs();
    this.#window.add(candle.commitSeq);
    this.#counts[brought.rail]++;
    const pending = this.#consumer({ type: "candle", candle }, this.#cursor);
    if (pending) return this.#afterwards(pending, candle, brought);
    this.#onDelivered?.({ candle, ...brought });
    return this.#breather.breath() ?? undefined;
  }

  async #afterwards(pending: Promise<void>, candle: StoredCandle, brought: Brought): Promise<void> {
    await pending;
    this.#onDelivered?.({ candle, ...brought });
    await this.#breather.breath();
  }

  #moveTo(track: SymbolTrack, position: SymbolCursor): void {
    track.position = position;
    this.#positions.set(track.symbol, position);
  }
}

function liveCursor(
  storeId: () => string,
  throughSeq: () => number,
  symbols: ReadonlyMap<string, SymbolCursor>,
): DeliveryCursor {
  return {
    get storeId() {
      return storeId();
    },
    get throughSeq() {
      return throughSeq();
    },
    symbols,
  };
}
