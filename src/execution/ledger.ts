import type { OrderStatus, Position } from "../core/decision.ts";
import type { DeliveryCursor } from "../core/delivery.ts";
import { assert } from "../core/errors.ts";
import { MINUTE_MS } from "../core/time.ts";
import type { OrderRow, PositionRow } from "../core/wire.ts";
import type { BrokerFill } from "./broker.ts";
import { decimal } from "./decimal.ts";
import type { CandleEntry, Journal, OrderChange } from "./journal.ts";
import type { CursorRow, FillRow, IntentRow } from "./journal-rows.ts";
import { PositionBook } from "./position-book.ts";

/** Orders shown in telemetry. */
const NEWEST_ORDERS = 50;

/**
 * What the journal says, held in memory: cursors, positions and the orders that are not final. It changes only after the
 * journal has taken the change, so the two cannot disagree. Bounded by the symbols (5,000) and the orders in flight.
 */
export class Ledger {
  readonly #journal: Journal;
  readonly #cursors = new Map<string, CursorRow>();
  readonly #books = new Map<string, PositionBook>();
  readonly #active = new Map<string, Map<string, IntentRow>>();
  readonly #lastPrices = new Map<string, number>();
  #throughSeq: number;

  constructor(journal: Journal) {
    this.#journal = journal;
    this.#throughSeq = journal.throughSeq();
    for (const cursor of journal.cursors()) this.#cursors.set(cursor.symbol, cursor);
    for (const symbol of journal.symbolsWithFills()) {
      let book = new PositionBook(symbol);
      for (const fill of journal.fillsOf(symbol)) book = book.after([fill]);
      this.#books.set(symbol, book);
    }
    for (const intent of journal.activeIntents()) this.#keep(intent);
  }

  /** Where a new runner begins; an old one began already, and this changes nothing. Throws JournalHalted. */
  begin(startSeq: number): void {
    if (this.#journal.startSeq() !== null) return;
    this.#journal.begin(startSeq);
    this.#throughSeq = startSeq;
  }

  cursor(symbol: string): CursorRow | null {
    return this.#cursors.get(symbol) ?? null;
  }

  cursors(): readonly CursorRow[] {
    return [...this.#cursors.values()];
  }

  deliveryCursor(): DeliveryCursor {
    return { storeId: this.#journal.binding.storeId, throughSeq: this.#throughSeq, symbols: new Map(this.#cursors) };
  }

  book(symbol: string): PositionBook {
    return this.#books.get(symbol) ?? new PositionBook(symbol);
  }

  position(symbol: string): Position {
    return this.book(symbol).position();
  }

  /** A symbol's orders that are not final, oldest first. */
  active(symbol: string): readonly IntentRow[] {
    return [...(this.#active.get(symbol)?.values() ?? [])];
  }

  allActive(): readonly IntentRow[] {
    return [...this.#active.keys()].flatMap((symbol) => this.active(symbol));
  }

  find(symbol: string, clientOrderId: string): IntentRow | null {
    return this.#active.get(symbol)?.get(clientOrderId) ?? null;
  }

  positionRows(): readonly PositionRow[] {
    const rows = [...this.#books.values()].map((book) => book.row(this.#lastPrices.get(book.symbol) ?? null));
    return rows.sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  }

  newestOrders(): readonly OrderRow[] {
    return this.#journal.newestOrders(NEWEST_ORDERS);
  }

  /** A price for unrealised PnL; not journaled. */
  notePrice(symbol: string, price: number): void {
    this.#lastPrices.set(symbol, price);
  }

  /** Throws JournalHalted; then nothing has changed. */
  commitCandle(entry: CandleEntry): void {
    this.#journal.writeCandle({ ...entry, throughSeq: Math.max(entry.throughSeq, this.#throughSeq) });
    const { symbol } = entry.cursor;
    this.#cursors.set(symbol, entry.cursor);
    this.#throughSeq = Math.max(entry.throughSeq, this.#throughSeq);
    if (entry.fills.length > 0) this.#books.set(symbol, this.book(symbol).after(entry.fills));
    for (const change of entry.changes) this.#apply(symbol, change);
    for (const intent of entry.intents) this.#keep(intent);
  }

  /**
   * What became known of an order. Fills journaled before are left out; the others count from the symbol's next minute on.
   * Throws JournalHalted; then nothing has changed.
   */
  changeOrder(
    intent: IntentRow,
    status: OrderStatus,
    more: { readonly reason?: string; readonly sentAt?: number | null; readonly fills?: readonly BrokerFill[] } = {},
  ): void {
    const change: OrderChange = {
      clientOrderId: intent.clientOrderId,
      status,
      reason: more.reason ?? intent.reason,
      sentAt: more.sentAt === undefined ? intent.sentAt : more.sentAt,
    };
    const fresh = (more.fills ?? []).filter((fill) => !this.#journal.hasFill(fill.fillId));
    const candleOpenTime = (this.#cursors.get(intent.symbol)?.lastOpenTime ?? intent.openTime) + MINUTE_MS;
    const fills = fresh.map((fill) => fillRow(fill, intent, candleOpenTime));
    this.#journal.writeOrder(change, fills);
    if (fills.length > 0) this.#books.set(intent.symbol, this.book(intent.symbol).after(fills));
    this.#apply(intent.symbol, change);
  }

  #keep(intent: IntentRow): void {
    if (!isActive(intent.status)) return;
    const orders = this.#active.get(intent.symbol) ?? new Map<string, IntentRow>();
    this.#active.set(intent.symbol, orders.set(intent.clientOrderId, intent));
  }

  #apply(symbol: string, change: OrderChange): void {
    const orders = this.#active.get(symbol);
    const intent = orders?.get(change.clientOrderId);
    assert(orders && intent, `order ${change.clientOrderId} changes while it is not final`);
    if (isActive(change.status)) orders.set(change.clientOrderId, { ...intent, ...change });
    else orders.delete(change.clientOrderId);
    if (orders.size === 0) this.#active.delete(symbol);
  }
}

/** A broker's fill of an order as the journal keeps it. */
export function fillRow(fill: BrokerFill, intent: IntentRow, candleOpenTime: number): FillRow {
  assert(fill.clientOrderId === intent.clientOrderId, `fill ${fill.fillId} belongs to ${intent.clientOrderId}`);
  const { symbol, side } = intent;
  assert(decimal(fill.quantity).gt("0") && decimal(fill.price).gt("0"), `fill ${fill.fillId} is above zero`);
  return { ...fill, symbol, side, candleOpenTime };
}

function isActive(status: OrderStatus): boolean {
  return status === "pending" || status === "unknown" || status === "open";
}
