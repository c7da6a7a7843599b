import type { OrderStatus, Position } from "../core/decision.ts";
import type { DeliveryCursor } from "../core/delivery.ts";
import { assert } from "../core/errors.ts";
import { MINUTE_MS } from "../core/time.ts";
import type { OrderRow, PositionRow, ProfitAndLoss } from "../core/wire.ts";
import type { BrokerFill } from "./broker.ts";
import { type DecimalValue, decimal, decimalOfPrice } from "./decimal.ts";
import type { CandleEntry, Journal, OrderChange, Settlement } from "./journal.ts";
import type { CursorRow, DayRow, FillRow, IntentRow } from "./journal-rows.ts";
import { isFinal, type KnownOrder } from "./order-news.ts";
import { PositionBook } from "./position-book.ts";
import { profitOf } from "./profit.ts";
import type { NewestTrades } from "./recent-trades.ts";

/** Orders, fills and decisions shown in telemetry, of each. */
const NEWEST_SHOWN = 50;

/** What changes of an order; the rest stays. */
export type OrderPatch = { readonly status: OrderStatus } & Partial<
  Omit<OrderChange, "clientOrderId" | "status" | "was">
>;

/** When fills become known: exchange time (null while it is not known) and wall time, epoch ms. */
export interface Moment {
  readonly exchangeMs: number | null;
  readonly wallMs: number;
}

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
  /** Profit and loss by symbol at its last price, and their sum. */
  readonly #equities = new Map<string, DecimalValue>();
  #equity = decimal("0");
  #pending = 0;
  #day: DayRow | null;
  /** `#equities` before the day's first candle; null where that was not seen. */
  #dayStart: ReadonlyMap<string, DecimalValue> | null = null;
  #throughSeq: number;

  constructor(journal: Journal) {
    this.#journal = journal;
    this.#throughSeq = journal.throughSeq();
    this.#day = journal.newestDay();
    for (const cursor of journal.cursors()) this.#cursors.set(cursor.symbol, cursor);
    for (const symbol of journal.symbolsWithFills()) {
      let book = new PositionBook(symbol);
      for (const fill of journal.fillsOf(symbol)) {
        book = book.after([fill]);
        // Until its newest close is known.
        this.#lastPrices.set(symbol, Number(fill.price));
      }
      this.#setBook(book);
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

  /** Symbols with orders that are not final. */
  activeSymbols(): readonly string[] {
    return [...this.#active.keys()];
  }

  /** Orders that wait for the broker. */
  get pending(): number {
    return this.#pending;
  }

  /** An order as it stands, final or not; null where the journal does not know it. */
  find(clientOrderId: string): IntentRow | null {
    for (const orders of this.#active.values()) {
      const intent = orders.get(clientOrderId);
      if (intent) return intent;
    }
    return this.#journal.intent(clientOrderId);
  }

  /** An order with what was filled of it; null where the journal does not know it. */
  known(clientOrderId: string): KnownOrder | null {
    const intent = this.find(clientOrderId);
    if (!intent) return null;
    return {
      intent,
      fills: this.#journal.fillsOfOrder(clientOrderId),
      fill: (fillId) => this.#journal.fill(fillId),
    };
  }

  /** How much of an order was filled so far. Asks the journal. */
  filledOf(clientOrderId: string): DecimalValue {
    const fills = this.#journal.fillsOfOrder(clientOrderId);
    return fills.reduce((sum, fill) => sum.plus(fill.quantity), decimal("0"));
  }

  positionRows(): readonly PositionRow[] {
    const rows = [...this.#books.values()].map((book) => book.row(this.#lastPrices.get(book.symbol) ?? null));
    return rows.sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  }

  newestOrders(): readonly OrderRow[] {
    return this.#journal.newestOrders(NEWEST_SHOWN);
  }

  newestTrades(): NewestTrades {
    return this.#journal.newestTrades(NEWEST_SHOWN);
  }

  /** At each symbol's newest close; quote asset. */
  profit(): ProfitAndLoss {
    return profitOf({ equities: this.#equities, day: this.#day, dayStart: this.#dayStart });
  }

  lastPrice(symbol: string): number | null {
    return this.#lastPrices.get(symbol) ?? null;
  }

  /** The symbol's newest close, for profit and loss; not journaled. */
  notePrice(symbol: string, price: number): void {
    this.#lastPrices.set(symbol, price);
    const book = this.#books.get(symbol);
    if (book) this.#revalue(book);
  }

  /** Profit and loss of all symbols, realised and not, each at its newest close. Exact, quote asset. */
  get equity(): DecimalValue {
    return this.#equity;
  }

  /** The same with one symbol's book and price replaced. */
  equityWith(book: PositionBook, price: number): DecimalValue {
    return this.#equity.minus(this.#equities.get(book.symbol) ?? "0").plus(book.equity(decimalOfPrice(price)));
  }

  get day(): DayRow | null {
    return this.#day;
  }

  /** Decisions with a time in (`after`, `through`] that nothing kept from the broker. */
  decidedBetween(after: number, through: number): number {
    return this.#journal.decidedBetween(after, through);
  }

  /** Throws JournalHalted; then nothing has changed. */
  commitCandle(entry: CandleEntry): void {
    this.#journal.writeCandle({ ...entry, throughSeq: Math.max(entry.throughSeq, this.#throughSeq) });
    const { symbol } = entry.cursor;
    this.#cursors.set(symbol, entry.cursor);
    this.#throughSeq = Math.max(entry.throughSeq, this.#throughSeq);
    if (entry.day && entry.day.day !== this.#day?.day) this.#dayStart = new Map(this.#equities);
    if (entry.day) this.#day = entry.day;
    if (entry.fills.length > 0) this.#setBook(this.book(symbol).after(entry.fills));
    for (const change of entry.changes) this.#apply(symbol, change);
    for (const intent of entry.intents) this.#keep(intent);
  }

  /**
   * What became known of an order, with its fills that are new; they count from the symbol's next minute on. Throws
   * JournalHalted; then nothing has changed.
   */
  changeOrder(intent: IntentRow, patch: OrderPatch, fresh: readonly BrokerFill[], now: Moment): void {
    const { clientOrderId, symbol } = intent;
    const { reason, sentAt, sentWallAt, ackAt, ackWallAt } = intent;
    const was = intent.status;
    const change: OrderChange = { clientOrderId, was, reason, sentAt, sentWallAt, ackAt, ackWallAt, ...patch };
    const candleOpenTime = this.nextMinute(symbol) ?? intent.openTime + MINUTE_MS;
    const fills = fresh.map((fill) => fillRow(fill, intent, candleOpenTime, now));
    this.#journal.writeOrder(change, fills);
    if (fills.length > 0) this.#setBook(this.book(symbol).after(fills));
    this.#apply(symbol, change, intent);
  }

  /** What a reconciliation settles. Throws JournalHalted; then nothing has changed. */
  settle(settlement: Settlement): void {
    this.#journal.settle(settlement);
    for (const fill of settlement.adjustments) {
      if (!this.#lastPrices.has(fill.symbol)) this.#lastPrices.set(fill.symbol, Number(fill.price));
      this.#setBook(this.book(fill.symbol).after([fill]));
    }
  }

  /** openTime of the minute that follows the symbol's newest candle; null before its first. */
  nextMinute(symbol: string): number | null {
    const cursor = this.#cursors.get(symbol);
    return cursor ? cursor.lastOpenTime + MINUTE_MS : null;
  }

  #setBook(book: PositionBook): void {
    this.#books.set(book.symbol, book);
    this.#revalue(book);
  }

  #revalue(book: PositionBook): void {
    const price = this.#lastPrices.get(book.symbol);
    const equity = book.equity(price === undefined ? decimal("0") : decimalOfPrice(price));
    this.#equity = this.#equity.minus(this.#equities.get(book.symbol) ?? "0").plus(equity);
    this.#equities.set(book.symbol, equity);
  }

  #keep(intent: IntentRow): void {
    if (isFinal(intent.status)) return;
    const orders = this.#active.get(intent.symbol) ?? new Map<string, IntentRow>();
    if (orders.get(intent.clientOrderId)?.status === "pending") this.#pending--;
    if (intent.status === "pending") this.#pending++;
    this.#active.set(intent.symbol, orders.set(intent.clientOrderId, intent));
  }

  #apply(symbol: string, change: OrderChange, revived: IntentRow | null = null): void {
    const orders = this.#active.get(symbol);
    const intent = orders?.get(change.clientOrderId) ?? revived;
    assert(intent, `order ${change.clientOrderId} changes while it is known`);
    const { was: _was, ...now } = change;
    if (!isFinal(change.status)) this.#keep({ ...intent, ...now });
    else if (orders?.delete(change.clientOrderId)) {
      if (intent.status === "pending") this.#pending--;
      if (orders.size === 0) this.#active.delete(symbol);
    }
  }
}

/** A broker's fill of an order as the journal keeps it. */
export function fillRow(fill: BrokerFill, intent: IntentRow, candleOpenTime: number, now: Moment): FillRow {
  assert(fill.clientOrderId === intent.clientOrderId, `fill ${fill.fillId} belongs to ${intent.clientOrderId}`);
  assert(decimal(fill.quantity).gt("0") && decimal(fill.price).gt("0"), `fill ${fill.fillId} is above zero`);
  return {
    fillId: fill.fillId,
    clientOrderId: fill.clientOrderId,
    symbol: intent.symbol,
    side: intent.side,
    candleOpenTime,
    price: fill.price,
    quantity: fill.quantity,
    fee: fill.fee,
    baseFee: fill.baseFee ?? null,
    filledAt: fill.timeMs ?? now.exchangeMs,
    journaledAt: now.wallMs,
    reason: null,
  };
}
