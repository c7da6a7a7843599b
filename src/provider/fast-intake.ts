import { BoundedQueue } from "../core/bounded-queue.ts";
import { isDelivered } from "../core/delivery.ts";
import type { CandleBody } from "../core/wire.ts";
import type { Delivery } from "./delivery.ts";
import { HoleStash } from "./hole-stash.ts";
import { DRAIN_BATCH, INBOX_BOUND, STASH_BOUND, STASH_SYMBOL_BOUND } from "./options.ts";
import type { PollTrigger } from "./store-poller.ts";
import { refuseOtherStore } from "./store-refusal.ts";
import type { FastCandle, SymbolTrack } from "./symbol-track.ts";

/**
 * The fast rail's side: gathers candles as they come, hands on those that follow the last row seen, drops what overlaps,
 * and holds what stands behind a hole until the store has filled it.
 */
export class FastIntake {
  readonly #delivery: Delivery;
  readonly #symbols: ReadonlySet<string> | "all";
  readonly #request: (trigger: PollTrigger) => void;
  readonly #inbox = new BoundedQueue<FastCandle>(INBOX_BOUND);
  readonly #stash = new HoleStash(STASH_SYMBOL_BOUND, STASH_BOUND);
  readonly #counts = { holes: 0, notDelivered: 0, unwanted: 0 };
  #hasOverflowed = false;
  #closed = false;

  constructor(delivery: Delivery, symbols: ReadonlySet<string> | "all", request: (trigger: PollTrigger) => void) {
    this.#delivery = delivery;
    this.#symbols = symbols;
    this.#request = request;
  }

  /** Candles held behind holes. */
  get heldCount(): number {
    return this.#stash.size;
  }

  hasHole(symbol: string): boolean {
    return this.#stash.has(symbol);
  }

  /** Takes a candle in without looking at it; at the inbox's bound it is dropped and counted. */
  gather(body: CandleBody, receivedMs: number): void {
    if (this.#inbox.offer({ body, receivedMs }) === "full") this.#hasOverflowed = true;
  }

  /** Deals with a batch of what was gathered; false where there was nothing. Throws "refused" on another store's candle. */
  async drain(): Promise<boolean> {
    for (let handled = 0; handled < DRAIN_BATCH && !this.#closed; handled++) {
      const item = this.#inbox.poll();
      if (!item) {
        if (this.#hasOverflowed) this.#request("overflow");
        this.#hasOverflowed = false;
        return handled > 0;
      }
      const pending = this.#accept(item);
      if (pending) await pending;
    }
    return true;
  }

  /** Every row up to a view's end was dealt with: hands on what now follows, drops what the store brought meanwhile. */
  async settleHoles(): Promise<void> {
    for (const symbol of this.#stash.symbols()) {
      const track = this.#delivery.trackFromStore(symbol);
      const overlap = this.#stash.discard(symbol, (item) => this.#delivery.hasHandled(track, item.body));
      this.#delivery.countDuplicates(overlap);
      await this.#follow(track, undefined);
    }
  }

  close(): void {
    this.#closed = true;
    this.#inbox.close();
    this.#stash.clear();
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "holes.total": this.#counts.holes,
      "notDelivered.total": this.#counts.notDelivered,
      "unwanted.total": this.#counts.unwanted,
      "inbox.size": this.#inbox.size,
      "inbox.dropped.total": this.#inbox.refused,
      "stash.size": this.#stash.size,
      "stash.dropped.total": this.#stash.dropped,
    };
  }

  #accept(item: FastCandle): void | Promise<void> {
    const { body } = item;
    const delivery = this.#delivery;
    if (body.storeId !== delivery.storeId)
      refuseOtherStore(body.storeId, delivery.storeId, `A candle of ${body.symbol} from node "${body.node}"`);
    const isWanted = this.#symbols === "all" || this.#symbols.has(body.symbol);
    const track = isWanted ? delivery.trackFromWire(body.symbol) : null;
    if (!track) {
      this.#counts.unwanted++;
      return;
    }
    if (!isDelivered(body)) {
      this.#counts.notDelivered++;
      return delivery.pass(body.commitSeq);
    }
    if (delivery.hasHandled(track, body)) {
      delivery.countDuplicates(1);
      return delivery.pass(body.commitSeq);
    }
    if (body.prevOpenTime !== track.chainOpenTime) return this.#hold(item);
    const pending = delivery.deliverFast(track, item);
    return pending || this.#stash.has(track.symbol) ? this.#follow(track, pending) : undefined;
  }

  /** A hole: the row this candle follows was not seen. The store has it, or will in a moment. */
  #hold(item: FastCandle): void {
    const held = this.#stash.offer(item);
    if (held === "repeated") this.#delivery.countDuplicates(1);
    if (held !== "opened") return;
    this.#counts.holes++;
    this.#request("hole");
  }

  /** Hands on the held candles that now follow. */
  async #follow(track: SymbolTrack, pending: void | Promise<void>): Promise<void> {
    await pending;
    while (!this.#closed) {
      const next = this.#stash.takeAfter(track.symbol, track.chainOpenTime);
      if (!next) return;
      await this.#delivery.deliverFast(track, next);
    }
  }
}
