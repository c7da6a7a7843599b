import type { StoredCandle } from "../core/candle.ts";
import { type Decision, decisionFault, MAX_REASON_LENGTH, type Position } from "../core/decision.ts";
import type { DeliveryCursor } from "../core/delivery.ts";
import { EMPTY_DIGEST, extendDigest } from "../core/digest.ts";
import type { Clock, Log, Timers } from "../core/env.ts";
import { assert } from "../core/errors.ts";
import type { Broker } from "./broker.ts";
import { brokerOrder } from "./broker-calls.ts";
import { clientOrderId } from "./client-order-id.ts";
import { decimal, decimalText } from "./decimal.ts";
import type { BarDecisions, Decided } from "./decision-maker.ts";
import type { Journal, OrderChange } from "./journal.ts";
import type { CursorRow, FillRow, IntentRow, Refusal } from "./journal-rows.ts";
import { fillRow, Ledger } from "./ledger.ts";
import { OrderDesk } from "./order-desk.ts";
import { RiskDesk } from "./risk-desk.ts";
import { NO_LIMITS, type Refused, type RiskLimits } from "./risk-limits.ts";

export interface HandlerDeps {
  readonly journal: Journal;
  readonly broker: Broker;
  /** The venue's clock now, epoch ms; null while it is not known. */
  readonly exchangeNowMs: () => number | null;
  /** Why nothing may be sent now ("halted: …"); null where it may. */
  readonly halted: () => string | null;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

export interface HandlerOptions {
  /** Exchange ms after a bar's end in which its decisions may be sent (default 2 minutes). Where the broker catches up: no limit. */
  readonly maxDecisionAgeMs?: number;
  /** Orders of one symbol that are not final (default 8); one more is journaled as rejected. */
  readonly maxInFlightPerSymbol?: number;
  /** Orders waiting for the broker (default 1,000); one more is journaled as rejected. */
  readonly maxUnsent?: number;
  /** Default: none. */
  readonly limits?: RiskLimits;
}

const DEFAULTS: Required<HandlerOptions> = {
  maxDecisionAgeMs: 120_000,
  maxInFlightPerSymbol: 8,
  maxUnsent: 1000,
  limits: NO_LIMITS,
};

/**
 * Decides each candle once. One journal transaction holds the fills due at the candle, the intents, the cursor and the
 * digest; sending follows it. Whatever stops the journal stops the handler: it throws, and nothing has advanced.
 */
export class ExecutionHandler {
  readonly ledger: Ledger;
  readonly desk: OrderDesk;
  readonly risk: RiskDesk;
  readonly #deps: HandlerDeps;
  readonly #options: Required<HandlerOptions>;
  readonly #refused = new Map<Refusal, number>();

  constructor(deps: HandlerDeps, onFault: (error: unknown) => void, options: HandlerOptions = {}) {
    this.#deps = deps;
    this.#options = { ...DEFAULTS, ...options };
    assert(deps.broker.mode === deps.journal.binding.mode, "the broker's mode is the journal's");
    this.ledger = new Ledger(deps.journal);
    this.risk = new RiskDesk(this.ledger, this.#options.limits);
    const refusal = (intent: IntentRow) => this.#refusalNow(intent);
    this.desk = new OrderDesk({ ...deps, ledger: this.ledger, onFault, refusal }, this.#options.maxDecisionAgeMs);
  }

  /** Decisions that were journaled and not sent, by what kept them from the broker. */
  refused(refusal: Refusal): number {
    return this.#refused.get(refusal) ?? 0;
  }

  /**
   * Takes the symbol's next candle; `cursor` is the delivery's position after it, `decide` is called once with the position
   * after the fills due. Throws "internal" where the candle is not above the journal's cursor or the digests differ, and
   * JournalHalted where it cannot be journaled; then nothing has advanced.
   */
  onCandle(candle: StoredCandle, cursor: DeliveryCursor, decide: (position: Position) => Decided): void {
    if (this.desk.fault !== null) throw this.desk.fault;
    const before = this.ledger.cursor(candle.symbol);
    assert(
      before === null || candle.openTime > before.lastOpenTime,
      `${candle.symbol} ${candle.openTime} was not decided before (cursor ${before?.lastOpenTime})`,
    );
    const after = cursorAfter(before, candle);
    assert(
      cursor.symbols.get(candle.symbol)?.digest === after.digest,
      `${candle.symbol}: the delivery's digest is the journal's, extended`,
    );
    const fills = this.#fillsAt(candle);
    const book = this.ledger.book(candle.symbol).after(fills);
    const decided = decide(book.position());
    const day = this.risk.dayAt(candle, book);
    const intents = this.#intents(candle, decided.bars, fills);
    this.ledger.commitCandle({
      cursor: after,
      throughSeq: cursor.throughSeq,
      anchor: before === null ? anchorAt(candle) : null,
      fills,
      changes: fills.map((fill) => this.#filled(fill)),
      intents,
      saved: decided.saved,
      day,
    });
    this.risk.note(candle);
    for (const { refusal } of intents) if (refusal !== null) this.#countRefused(refusal);
    if (intents.some(({ status }) => status === "pending")) this.desk.place(candle.symbol);
  }

  #countRefused(refusal: Refusal): void {
    this.#refused.set(refusal, this.refused(refusal) + 1);
  }

  /** Where the broker catches up, an order is held against the limits of its own time alone. */
  #refusalNow(intent: IntentRow): string | null {
    const refused = this.#deps.broker.catchesUp ? null : this.risk.refusalNow(intent);
    if (refused !== null) this.#countRefused(refused.refusal);
    return refused?.reason ?? null;
  }

  /** Fills of a simulation are of whole orders. */
  #fillsAt(candle: StoredCandle): readonly FillRow[] {
    const open = this.ledger.active(candle.symbol).filter((intent) => intent.status === "open");
    if (open.length === 0) return [];
    const now = { exchangeMs: candle.openTime, wallMs: this.#deps.clock.nowMs() };
    return this.#deps.broker.fillsAt(candle, open.map(brokerOrder)).map((fill) => {
      const intent = open.find((order) => order.clientOrderId === fill.clientOrderId);
      assert(intent && decimal(fill.quantity).eq(intent.quantity), `fill ${fill.fillId} is of a whole open order`);
      return fillRow(fill, intent, candle.openTime, now);
    });
  }

  #filled(fill: FillRow): OrderChange {
    const intent = fill.clientOrderId === null ? null : this.ledger.find(fill.clientOrderId);
    assert(intent, `order ${fill.clientOrderId} is open`);
    return { ...intent, was: intent.status, status: "filled" };
  }

  #intents(candle: StoredCandle, bars: readonly BarDecisions[], fills: readonly FillRow[]): readonly IntentRow[] {
    if (bars.length === 0) return [];
    const halted = this.#deps.halted();
    const check = this.risk.forCandle(candle, fills);
    const rows: IntentRow[] = [];
    for (const bar of bars) {
      for (const [ordinal, decision] of bar.decisions.entries()) {
        const fault = decisionFault(decision);
        assert(fault === null, `a decision reaches execution sound: ${fault}`);
        const wish = { symbol: candle.symbol, side: decision.side, quantity: decimalText(decimal(decision.quantity)) };
        const refused =
          (halted === null ? null : ({ refusal: "halted", reason: halted } as const)) ??
          this.#ageRefusal(bar) ??
          this.#boundRefusal(candle.symbol, check.inFlight, check.placed) ??
          check.refusal(wish, bar.closedAtMs);
        if (refused === null) check.take(wish, bar.closedAtMs);
        rows.push(this.#intent({ ...wish, bar, ordinal, decision, refused }));
      }
    }
    return rows;
  }

  #intent(parts: {
    readonly symbol: string;
    readonly quantity: string;
    readonly bar: BarDecisions;
    readonly ordinal: number;
    readonly decision: Decision;
    readonly refused: Refused | null;
  }): IntentRow {
    const { storeId, mode, runner, timeframe } = this.#deps.journal.binding;
    const { symbol, quantity, bar, ordinal, decision, refused } = parts;
    const { openTime, closedAtMs } = bar;
    const wish = decision.reason?.slice(0, MAX_REASON_LENGTH) ?? null;
    return {
      clientOrderId: clientOrderId({ storeId, mode, runner, symbol, timeframe, openTime, ordinal }),
      symbol,
      openTime,
      ordinal,
      side: decision.side,
      quantity,
      status: refused === null ? "pending" : refused.refusal === "age" ? "expired" : "rejected",
      reason: refused?.reason ?? wish,
      decidedAt: closedAtMs,
      sentAt: null,
      refusal: refused?.refusal ?? null,
      wish,
      journaledAt: this.#deps.clock.nowMs(),
      sentWallAt: null,
      ackAt: null,
      ackWallAt: null,
    };
  }

  /** An unknown clock makes a decision too old: better late than wrong. */
  #ageRefusal(bar: BarDecisions): Refused | null {
    const age = this.desk.age(bar.closedAtMs);
    if (age === "young") return null;
    if (age === "untold")
      return { refusal: "age", reason: "the venue's clock is not known yet, so neither is its age" };
    return { refusal: "age", reason: `its candle closed over ${this.#options.maxDecisionAgeMs} ms ago` };
  }

  #boundRefusal(symbol: string, inFlight: number, placed: number): Refused | null {
    if (inFlight >= this.#options.maxInFlightPerSymbol)
      return { refusal: "in-flight", reason: `refused: ${inFlight} orders of ${symbol} are in flight already` };
    const unsent = this.ledger.pending + placed;
    if (unsent >= this.#options.maxUnsent)
      return { refusal: "queue", reason: `refused: ${unsent} orders wait for the broker already` };
    return null;
  }
}

function cursorAfter(before: CursorRow | null, candle: StoredCandle): CursorRow {
  return {
    symbol: candle.symbol,
    lastOpenTime: candle.openTime,
    digest: extendDigest(before?.digest ?? EMPTY_DIGEST, candle),
    delivered: (before?.delivered ?? 0) + 1,
    commitSeq: candle.commitSeq,
  };
}

function anchorAt(candle: StoredCandle): { symbol: string; openTime: number; commitSeq: number } {
  return { symbol: candle.symbol, openTime: candle.openTime, commitSeq: candle.commitSeq };
}
