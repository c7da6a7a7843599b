import type { Candle } from "../core/candle.ts";
import type { Side } from "../core/decision.ts";
import { type DecimalValue, decimal } from "./decimal.ts";
import type { DayRow, FillRow, IntentRow } from "./journal-rows.ts";
import type { Ledger } from "./ledger.ts";
import type { PositionBook } from "./position-book.ts";
import { type PriceReference, PriceWindows } from "./price-window.ts";
import { RATE_WINDOW_MS, type Refused, type RiskLimits, refusalOf, type Wish } from "./risk-limits.ts";

const DAY_MS = 86_400_000;

/**
 * Holds decisions against the risk limits. What it knows comes from the journal and the delivered candles, in the order in which
 * they came, so that a restart decides the same. Limits on the whole runner (orders per minute, daily loss) see the other
 * symbols as far as they were delivered by then.
 */
export class RiskDesk {
  readonly #ledger: Ledger;
  readonly #limits: RiskLimits;
  readonly #prices = new PriceWindows();

  constructor(ledger: Ledger, limits: RiskLimits) {
    this.#ledger = ledger;
    this.#limits = limits;
  }

  /** Whether the closes before a symbol's next candle are needed: `note` takes them at start. */
  get wantsCloses(): boolean {
    return this.#limits.priceCollarPercent !== null;
  }

  /** Takes a candle once it is journaled, or at start one that was. */
  note(candle: Candle): void {
    this.#ledger.notePrice(candle.symbol, candle.close);
    if (this.wantsCloses) this.#prices.note(candle);
  }

  /**
   * The row of the candle's UTC day (that of its openTime), where it begins the day or brings the loss to its limit; null where
   * nothing changes. A candle of an earlier day counts to the newest one.
   */
  dayAt(candle: Candle, book: PositionBook): DayRow | null {
    const before = this.#today(candle);
    if (before.hitAt === null && this.#limits.maxDailyLoss !== null) {
      const loss = decimal(before.equity).minus(this.#ledger.equityWith(book, candle.close));
      if (loss.gte(this.#limits.maxDailyLoss)) return { ...before, hitAt: candle.openTime };
    }
    return before.day === this.#ledger.day?.day ? null : before;
  }

  /** The check of the decisions made at one candle, one after the other; `fills` are those due at it. */
  forCandle(candle: Candle, fills: readonly FillRow[]): CandleCheck {
    const book = this.#ledger.book(candle.symbol).after(fills);
    const lossReached = (this.dayAt(candle, book) ?? this.#today(candle)).hitAt !== null;
    const reference = this.wantsCloses ? this.#prices.before(candle) : { median: null, traded: true };
    return new CandleCheck({ ledger: this.#ledger, limits: this.#limits, candle, fills, book, reference, lossReached });
  }

  /**
   * Holds an order that has waited against position, notional and daily loss once more, as they are now: what was right when it was
   * decided may not be after a restart with other limits or a loss. Null where it may go out.
   */
  refusalNow(intent: IntentRow): Refused | null {
    const { symbol, clientOrderId } = intent;
    const ledger = this.#ledger;
    const underway: Record<Side, DecimalValue> = { buy: decimal("0"), sell: decimal("0") };
    for (const other of ledger.active(symbol)) {
      if (other.clientOrderId === clientOrderId || other.status === "pending") continue;
      const left = decimal(other.quantity).minus(ledger.filledOf(other.clientOrderId));
      underway[other.side] = underway[other.side].plus(left);
    }
    const lastClose = ledger.lastPrice(symbol);
    const limits = { ...this.#limits, priceCollarPercent: null, maxOrdersPerMinute: null };
    if (lastClose === null && limits.maxNotional !== null)
      return { refusal: "notional", reason: `refused: no close of ${symbol} is known to value the order at` };
    return refusalOf(limits, intent, {
      held: ledger.book(symbol).quantity,
      underway,
      lastClose: lastClose ?? 0,
      reference: { median: null, traded: true },
      ordersInWindow: 0,
      lossReached: this.#isLossReached(),
    });
  }

  #isLossReached(): boolean {
    const { day, equity } = this.#ledger;
    const { maxDailyLoss } = this.#limits;
    if (day === null || maxDailyLoss === null) return false;
    return day.hitAt !== null || decimal(day.equity).minus(equity).gte(maxDailyLoss);
  }

  #today(candle: Candle): DayRow {
    const day = Math.floor(candle.openTime / DAY_MS) * DAY_MS;
    const newest = this.#ledger.day;
    if (newest && newest.day >= day) return newest;
    return { day, equity: this.#ledger.equity.toFixed(), hitAt: null };
  }
}

interface CheckParts {
  readonly ledger: Ledger;
  readonly limits: RiskLimits;
  readonly candle: Candle;
  readonly fills: readonly FillRow[];
  readonly book: PositionBook;
  readonly reference: PriceReference;
  readonly lossReached: boolean;
}

/** What is known at one candle, and what its own decisions add one by one. */
class CandleCheck {
  readonly #parts: CheckParts;
  readonly #underway: Record<Side, DecimalValue> = { buy: decimal("0"), sell: decimal("0") };
  readonly #taken: number[] = [];
  #inFlight = 0;

  constructor(parts: CheckParts) {
    this.#parts = parts;
    const filledNow = new Set(parts.fills.map(({ clientOrderId }) => clientOrderId));
    for (const intent of parts.ledger.active(parts.candle.symbol)) {
      if (filledNow.has(intent.clientOrderId)) continue;
      this.#inFlight++;
      const left = decimal(intent.quantity).minus(parts.ledger.filledOf(intent.clientOrderId));
      this.#underway[intent.side] = this.#underway[intent.side].plus(left);
    }
  }

  /** Orders of the symbol that are not final, those taken included. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Orders taken at this candle. */
  get placed(): number {
    return this.#taken.length;
  }

  refusal(wish: Wish, decidedAt: number): Refused | null {
    const { ledger, limits, candle, book, reference, lossReached } = this.#parts;
    const from = decidedAt - RATE_WINDOW_MS;
    const ordersInWindow =
      limits.maxOrdersPerMinute === null
        ? 0
        : ledger.decidedBetween(from, decidedAt) +
          this.#taken.filter((takenAt) => takenAt > from && takenAt <= decidedAt).length;
    const held = book.quantity;
    const underway = this.#underway;
    return refusalOf(limits, wish, { held, underway, lastClose: candle.close, reference, ordersInWindow, lossReached });
  }

  /** The order goes on its way. */
  take({ side, quantity }: Wish, decidedAt: number): void {
    this.#inFlight++;
    this.#taken.push(decidedAt);
    this.#underway[side] = this.#underway[side].plus(quantity);
  }
}
