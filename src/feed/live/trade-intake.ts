import type { Clock } from "../../core/env.ts";
import type { FeedSink, Trade } from "../contract.ts";
import type { TradesFrame, VenueTrade } from "../venues/contract.ts";
import type { HoleRepair } from "./hole-repair.ts";
import type { SymbolEar } from "./symbol-ear.ts";
import type { VenueClock } from "./venue-clock.ts";

/**
 * A trade this far ahead of the venue's clock (exchange ms; and what a second of ours is there) is a fault in the data, not the
 * future. Less than the rows that a track remembers: minutes that close too early for such a trade are still corrected.
 */
const MAX_AHEAD_MS = 300_000;
const IMPLAUSIBLE = "a trade of another symbol or far ahead of the venue's clock";

export interface TradeCounters {
  "trades.total": number;
  "omitted.total": number;
  "implausible.total": number;
  "history.total": number;
}

export interface TradeIntakeDeps {
  readonly clock: Clock;
  readonly venueClock: VenueClock;
  readonly counters: TradeCounters;
  /** Null where nothing can be asked for by id. */
  readonly repair: HoleRepair | null;
  /** It cannot be believed, or nothing proves that it was traded while we listened. `symbol` null: any of them. */
  onDoubt(symbol: string | null, reason: string, isUnreadable: boolean): void;
}

/** Takes one connection's trades: checks each, notes what was heard of its symbol, and hands it on. */
export class TradeIntake {
  readonly #ears: ReadonlyMap<string, SymbolEar>;
  readonly #idsCount: boolean;
  readonly #sink: FeedSink;
  readonly #deps: TradeIntakeDeps;
  #newestMs = Number.NEGATIVE_INFINITY;

  constructor(ears: ReadonlyMap<string, SymbolEar>, idsCount: boolean, sink: FeedSink, deps: TradeIntakeDeps) {
    this.#ears = ears;
    this.#idsCount = idsCount;
    this.#sink = sink;
    this.#deps = deps;
  }

  /** False where some of it was not believed. `repeats`: symbols whose next row may be one of before the subscription. */
  take(frame: TradesFrame, repeats: Set<string> | null): boolean {
    let isRead = true;
    this.#deps.counters["history.total"] += frame.history.length;
    // Oldest first: what stays told is each symbol's newest.
    for (const trade of frame.history) this.#tellBefore(trade);
    for (const trade of frame.trades) {
      if (repeats?.delete(trade.symbol) === true) {
        if (!this.#takeRepeat(trade)) isRead = false;
      } else if (!this.#take(trade)) isRead = false;
    }
    if (frame.omitted.length > 0 && !this.#omit(frame)) isRead = false;
    return isRead;
  }

  #take(trade: VenueTrade): boolean {
    const { counters, venueClock } = this.#deps;
    const ear = this.#ears.get(trade.symbol);
    const { timeMs } = trade;
    if (ear === undefined || this.#isImplausible(timeMs) || (trade.id === null && this.#idsCount)) {
      counters["implausible.total"]++;
      this.#deps.onDoubt(trade.symbol, IMPLAUSIBLE, true);
      return false;
    }
    counters["trades.total"]++;
    ear.count++;
    ear.heardAt = this.#deps.clock.monotonicMs();
    if (timeMs > this.#newestMs) {
      this.#newestMs = timeMs;
      venueClock.note(timeMs);
    }
    if (hasId(trade)) {
      this.#noteIds(ear, trade.id, trade.lastId ?? trade.id, timeMs);
      if (ear.heardMs === null || timeMs > ear.heardMs) ear.heardMs = timeMs;
      this.#sink.onTrade(trade);
    } else {
      if (ear.heardMs === null || timeMs > ear.heardMs) ear.heardMs = timeMs;
      this.#sink.onTrade({ ...trade, id: ear.count });
    }
    return true;
  }

  /**
   * The first row after a subscription: as a rule the last trade before it, sent again. It is left out; what is known already costs
   * nothing, else its minute must not pass for whole, and the next trade's id shows that this one is missing.
   */
  #takeRepeat(trade: VenueTrade): boolean {
    this.#deps.counters["history.total"]++;
    const ear = this.#ears.get(trade.symbol);
    if (ear === undefined) return true;
    const isKnown = ear.lastId !== null && trade.id !== null && trade.id <= ear.lastId;
    if (!isKnown) {
      ear.lastId ??= trade.id;
      this.#deps.onDoubt(trade.symbol, "the first row after a subscription may be of before it", false);
    }
    // Behind the doubt, which starts the chain of ids anew.
    this.#tellBefore(trade);
    return isKnown;
  }

  #tellBefore(trade: VenueTrade): void {
    if (!this.#ears.has(trade.symbol) || trade.id === null || this.#isImplausible(trade.timeMs)) return;
    this.#sink.onBefore?.(trade.symbol, trade.lastId ?? trade.id, trade.timeMs);
  }

  #omit(frame: TradesFrame): boolean {
    let isRead = true;
    for (const { symbol, firstId, lastId, timeMs } of frame.omitted) {
      const ear = this.#ears.get(symbol);
      if (ear === undefined) {
        this.#deps.counters["implausible.total"]++;
        this.#deps.onDoubt(symbol, IMPLAUSIBLE, true);
        isRead = false;
        continue;
      }
      this.#deps.counters["omitted.total"]++;
      if (firstId === null || lastId === null) continue;
      this.#noteIds(ear, firstId, lastId, timeMs);
      this.#sink.onOmitted?.(symbol, firstId, lastId, timeMs);
    }
    return isRead;
  }

  #noteIds(ear: SymbolEar, firstId: number, lastId: number, timeMs: number): void {
    const before = ear.lastId;
    if (before !== null && firstId > before + 1)
      this.#deps.repair?.hole(ear, { fromId: before + 1, throughId: firstId - 1 }, timeMs);
    if (before === null || lastId > before) ear.lastId = lastId;
  }

  #isImplausible(timeMs: number): boolean {
    if (timeMs <= this.#newestMs) return false;
    const { venueClock } = this.#deps;
    const now = venueClock.running ? venueClock.now() : null;
    return now !== null && timeMs > now + MAX_AHEAD_MS + venueClock.speed * 1000;
  }
}

function hasId(trade: VenueTrade): trade is Trade {
  return trade.id !== null;
}
