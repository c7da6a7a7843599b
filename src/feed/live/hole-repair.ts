import type { Timers } from "../../core/env.ts";
import { minuteOf } from "../../core/time.ts";
import type { TradeRange, VenueTrade } from "../venues/contract.ts";
import type { SymbolEar } from "./symbol-ear.ts";

/** Requests under way at once, over all symbols. */
const CONCURRENCY = 2;
/** What only came out of order is here by then (wall ms). */
const PATIENCE_MS = 100;
/** More than these ids are the klines' to fill. */
const MAX_IDS = 20_000;
/** After a request that failed no other is begun for this long: klines need the venue's patience, too. */
const REST_MS = 2000;

export interface HoleRepairDeps {
  readonly timers: Timers;
  tradesById(symbol: string, range: TradeRange): Promise<readonly VenueTrade[]>;
  onTrade(trade: VenueTrade): void;
  /** Exchange ms per wall ms. */
  speed(): number;
}

interface Hole {
  fromId: number;
  throughId: number;
  fromTimeMs: number;
}

/**
 * Asks for trades by their ids where a live id shows that some before it did not come, also across a reconnect: their ids then prove
 * the minute whole before it closes. Where the minute is closed by then, the range is too long, or the venue does not help, nothing is
 * lost: the klines fill it. One request a symbol at a time, two in all; holes of a symbol that waits are asked for together.
 */
export class HoleRepair {
  readonly counters = { requests: 0, trades: 0, failures: 0, skipped: 0 };
  readonly #lateAllowanceMs: number;
  readonly #deps: HoleRepairDeps;
  /** By symbol, in the order of their turns. */
  readonly #waiting = new Map<string, Hole>();
  readonly #busy = new Set<string>();
  #life = 0;
  #resting = false;

  constructor(lateAllowanceMs: number, deps: HoleRepairDeps) {
    this.#lateAllowanceMs = lateAllowanceMs;
    this.#deps = deps;
  }

  /** These ids did not come before a trade of `timeMs`. */
  hole(ear: SymbolEar, ids: { readonly fromId: number; readonly throughId: number }, timeMs: number): void {
    const fromTimeMs = ear.heardMs;
    const isOpen = fromTimeMs !== null && minuteOf(fromTimeMs) >= minuteOf(timeMs - this.#lateAllowanceMs);
    const waiting = this.#waiting.get(ear.symbol);
    if (!isOpen || ids.throughId - (waiting?.fromId ?? ids.fromId) >= MAX_IDS) {
      this.counters.skipped++;
      return;
    }
    if (waiting !== undefined) {
      waiting.throughId = ids.throughId;
      return;
    }
    this.#waiting.set(ear.symbol, { ...ids, fromTimeMs });
    const life = this.#life;
    this.#deps.timers.after(PATIENCE_MS / Math.max(1, this.#deps.speed()), () => {
      if (life === this.#life) this.#next();
    });
  }

  /** Forgets everything; answers under way are ignored. */
  reset(): void {
    this.#life++;
    this.#waiting.clear();
    this.#busy.clear();
    this.#resting = false;
  }

  #next(): void {
    if (this.#resting) return;
    for (const [symbol, hole] of this.#waiting) {
      if (this.#busy.size >= CONCURRENCY) return;
      if (this.#busy.has(symbol)) continue;
      this.#waiting.delete(symbol);
      this.#busy.add(symbol);
      void this.#ask(symbol, hole);
    }
  }

  async #ask(symbol: string, hole: Hole): Promise<void> {
    const life = this.#life;
    this.counters.requests++;
    try {
      const trades = await this.#deps.tradesById(symbol, hole);
      if (life !== this.#life) return;
      for (const trade of trades) {
        if (trade.id === null || trade.id < hole.fromId || (trade.lastId ?? trade.id) > hole.throughId) continue;
        this.counters.trades++;
        this.#deps.onTrade(trade);
      }
    } catch {
      if (life !== this.#life) return;
      this.counters.failures++;
      this.#resting = true;
      this.#deps.timers.after(REST_MS, () => {
        if (life !== this.#life) return;
        this.#resting = false;
        this.#next();
      });
    }
    this.#busy.delete(symbol);
    this.#next();
  }
}
