import type { StoredCandle } from "../core/candle.ts";
import { decisionFault, MAX_REASON_LENGTH, type Position } from "../core/decision.ts";
import type { DeliveryCursor } from "../core/delivery.ts";
import { EMPTY_DIGEST, extendDigest } from "../core/digest.ts";
import type { Log } from "../core/env.ts";
import { assert } from "../core/errors.ts";
import type { Broker } from "./broker.ts";
import { clientOrderId } from "./client-order-id.ts";
import { decimal, decimalText } from "./decimal.ts";
import type { BarDecisions, Decided } from "./decision-maker.ts";
import type { Journal, OrderChange } from "./journal.ts";
import type { CursorRow, FillRow, IntentRow } from "./journal-rows.ts";
import { fillRow, Ledger } from "./ledger.ts";
import { brokerOrder, OrderDesk } from "./order-desk.ts";

export interface HandlerDeps {
  readonly journal: Journal;
  readonly broker: Broker;
  /** The venue's clock now, epoch ms; null while it is not known. */
  readonly exchangeNowMs: () => number | null;
  readonly log: Log;
}

export interface HandlerOptions {
  /** Exchange ms after a bar's end in which its decisions may be sent (default 2 minutes). Where the broker catches up: no limit. */
  readonly maxDecisionAgeMs?: number;
  /** Orders of one symbol that are not final (default 8); one more is journaled as rejected. */
  readonly maxInFlightPerSymbol?: number;
  /** Orders waiting for the broker (default 1,000); one more is journaled as rejected. */
  readonly maxUnsent?: number;
}

const DEFAULTS: Required<HandlerOptions> = { maxDecisionAgeMs: 120_000, maxInFlightPerSymbol: 8, maxUnsent: 1000 };

/**
 * Decides each candle once. One journal transaction holds the fills due at the candle, the intents, the cursor and the
 * digest; sending follows it. Whatever stops the journal stops the handler: it throws, and nothing has advanced.
 */
export class ExecutionHandler {
  readonly ledger: Ledger;
  readonly desk: OrderDesk;
  readonly #journal: Journal;
  readonly #broker: Broker;
  readonly #limits: Required<HandlerOptions>;
  #refused = 0;

  constructor(deps: HandlerDeps, options: HandlerOptions = {}) {
    this.#journal = deps.journal;
    this.#broker = deps.broker;
    this.#limits = { ...DEFAULTS, ...options };
    assert(deps.broker.mode === deps.journal.binding.mode, "the broker's mode is the journal's");
    this.ledger = new Ledger(deps.journal);
    this.desk = new OrderDesk({ ...deps, ledger: this.ledger }, this.#limits.maxDecisionAgeMs);
  }

  /** Decisions not sent because a limit on orders in flight was reached. */
  get refused(): number {
    return this.#refused;
  }

  /** Looks up every order that is not final, before anything goes out. Throws what stopped it. */
  recover(): Promise<void> {
    return this.desk.recover();
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
    const decided = decide(this.ledger.book(candle.symbol).after(fills).position());
    const intents = this.#intents(candle.symbol, decided.bars, fills.length);
    this.ledger.commitCandle({
      cursor: after,
      throughSeq: cursor.throughSeq,
      anchor: before === null ? anchorAt(candle) : null,
      fills,
      changes: fills.map((fill) => this.#filled(fill)),
      intents,
      saved: decided.saved,
    });
    this.ledger.notePrice(candle.symbol, candle.close);
    this.desk.place(intents.filter((intent) => intent.status === "pending"));
  }

  /** Fills of a simulation are of whole orders. */
  #fillsAt(candle: StoredCandle): readonly FillRow[] {
    const open = this.ledger.active(candle.symbol).filter((intent) => intent.status === "open");
    if (open.length === 0) return [];
    return this.#broker.fillsAt(candle, open.map(brokerOrder)).map((fill) => {
      const intent = this.ledger.find(candle.symbol, fill.clientOrderId);
      assert(intent && decimal(fill.quantity).eq(intent.quantity), `fill ${fill.fillId} is of a whole open order`);
      return fillRow(fill, intent, candle.openTime);
    });
  }

  #filled(fill: FillRow): OrderChange {
    const intent = this.ledger.find(fill.symbol, fill.clientOrderId);
    assert(intent, `order ${fill.clientOrderId} is open`);
    return { clientOrderId: fill.clientOrderId, status: "filled", reason: intent.reason, sentAt: intent.sentAt };
  }

  #intents(symbol: string, bars: readonly BarDecisions[], filled: number): readonly IntentRow[] {
    let inFlight = this.ledger.active(symbol).length - filled;
    let unsent = this.desk.unsent;
    return bars.flatMap((bar) =>
      bar.decisions.map((decision, ordinal): IntentRow => {
        const fault = decisionFault(decision);
        assert(fault === null, `a decision reaches execution sound: ${fault}`);
        const refusal = this.#refusal(symbol, bar, inFlight, unsent);
        if (refusal === null) {
          inFlight++;
          unsent++;
        }
        const { storeId, mode, runner, timeframe } = this.#journal.binding;
        const { openTime, closedAtMs } = bar;
        return {
          clientOrderId: clientOrderId({ storeId, mode, runner, symbol, timeframe, openTime, ordinal }),
          symbol,
          openTime,
          ordinal,
          side: decision.side,
          quantity: decimalText(decimal(decision.quantity)),
          status: refusal?.status ?? "pending",
          reason: refusal?.reason ?? decision.reason?.slice(0, MAX_REASON_LENGTH) ?? null,
          decidedAt: closedAtMs,
          sentAt: null,
        };
      }),
    );
  }

  #refusal(
    symbol: string,
    bar: BarDecisions,
    inFlight: number,
    unsent: number,
  ): { readonly status: "expired" | "rejected"; readonly reason: string } | null {
    if (this.desk.tooOld(bar.closedAtMs)) {
      this.desk.noteExpired();
      return { status: "expired", reason: `its candle closed over ${this.#limits.maxDecisionAgeMs} ms ago` };
    }
    const full =
      inFlight >= this.#limits.maxInFlightPerSymbol
        ? `refused: ${inFlight} orders of ${symbol} are in flight already`
        : unsent >= this.#limits.maxUnsent
          ? `refused: ${unsent} orders wait for the broker already`
          : null;
    if (full === null) return null;
    this.#refused++;
    return { status: "rejected", reason: full };
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
