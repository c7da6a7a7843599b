import type { Candle } from "../core/candle.ts";
import { MINUTE_MS, minuteOf } from "../core/time.ts";
import type { Trade } from "./contract.ts";
import { DecimalReader } from "./decimal.ts";
import { IdRuns } from "./id-runs.ts";
import { MinuteFold } from "./minute-fold.ts";

/** What became of a trade: `late` belongs to a minute that is closed; `invalid` has no readable positive decimals. */
export type Taken = "taken" | "duplicate" | "late" | "ahead" | "invalid";

/** Minutes that may be open at once: a trade further ahead of the oldest open one answers "ahead" and is left out. */
export const MAX_OPEN_MINUTES = 64;

export interface ClosedMinute {
  readonly openTime: number;
  /** What we saw of it (provenance as `whole` says); null where no trade was seen. */
  readonly candle: Candle | null;
  /** Nothing of this minute was missed, as far as connection and trade ids tell. */
  readonly whole: boolean;
  /** Its close is the minute's real last trade, also where its beginning was missed. */
  readonly endHeard: boolean;
  /** The last trade id before the minute, and the first after it, where known. */
  readonly idBefore: number | null;
  readonly idAfter: number | null;
  /** Ids are missing although the connection seemed whole: closed minutes from this one on may lack trades, too. */
  readonly doubtFrom: number | null;
}

/**
 * Folds one symbol's trades into minutes and judges, minute by minute, whether anything was missed. Pure: it is told of
 * trades, of connections and of the close of each minute in turn. Two kinds of evidence: what the connection carried
 * (`interrupt`, `heardSince`), and the trade ids, which count on Binance and outrank it.
 */
export class MinuteAggregator {
  readonly symbol: string;
  readonly #idsCount: boolean;
  readonly #runs = new IdRuns();
  readonly #folds = new Map<number, MinuteFold>();
  readonly #price = new DecimalReader();
  readonly #quantity = new DecimalReader();
  /** The next minute to close; trades before it are late. */
  #nextClose: number;
  /** The minutes we may not have heard, both ends inclusive; none where from is above through. */
  #unheardFrom = Number.NEGATIVE_INFINITY;
  #unheardThrough = Number.POSITIVE_INFINITY;
  /** The highest id when the connection was lost: ids above it were heard since. */
  #cutId: number | null;
  /** The newest trade of before the connection, where the venue told it. */
  #before: { readonly id: number; readonly minute: number } | null = null;
  /** The highest id seen in minutes closed so far, and its minute. Null where the chain of ids starts anew. */
  #lastId: number | null;
  #lastIdMinute: number;
  #omitted = 0;
  #newest: { minute: number; fold: MinuteFold } | null = null;

  /** Starts unheard. `lastTradeId`: of the row before `nextClose`, where known, so that a restart can be proven whole. `idsCount`: as of the feed. */
  constructor(symbol: string, nextClose: number, lastTradeId: number | null, idsCount = true) {
    this.symbol = symbol;
    this.#idsCount = idsCount;
    this.#nextClose = nextClose;
    this.#cutId = lastTradeId;
    this.#lastId = lastTradeId;
    this.#lastIdMinute = nextClose - MINUTE_MS;
    if (lastTradeId !== null) this.#runs.add(lastTradeId, lastTradeId);
  }

  get nextClose(): number {
    return this.#nextClose;
  }

  get forgottenRuns(): number {
    return this.#runs.forgotten;
  }

  add(trade: Trade): Taken {
    const minute = minuteOf(trade.timeMs);
    const lastId = trade.lastId ?? trade.id;
    if (minute < this.#nextClose) return this.#runs.touches(trade.id, lastId) ? "duplicate" : "late";
    if (minute >= this.#nextClose + MAX_OPEN_MINUTES * MINUTE_MS) return "ahead";
    if (!this.#price.read(trade.price) || !this.#quantity.read(trade.quantity)) return "invalid";
    if (!(this.#price.value > 0 && this.#quantity.value > 0)) return "invalid";
    if (!this.#runs.add(trade.id, lastId)) return "duplicate";
    this.#foldOf(minute).add(trade, this.#price, this.#quantity);
    return "taken";
  }

  /** Ids that are no trades: they leave no hole. */
  omit(firstId: number, lastId: number): void {
    if (this.#runs.add(firstId, lastId)) this.#omitted += lastId - firstId + 1;
  }

  /** Ids left out so far: the venue's trade count is smaller than the ids suggest. */
  get omitted(): number {
    return this.#omitted;
  }

  /** The connection is gone; everything traded at or before `heardThroughMs` had been heard. */
  interrupt(heardThroughMs: number): void {
    const pending = this.#unheardThrough >= this.#nextClose && this.#unheardFrom <= this.#unheardThrough;
    const from = minuteOf(heardThroughMs);
    this.#unheardFrom = pending ? Math.min(this.#unheardFrom, from) : from;
    this.#unheardThrough = Number.POSITIVE_INFINITY;
    this.#cutId = this.#runs.highest;
    this.#before = null;
  }

  /** The venue told the newest trade of before its connection: whatever comes next on it continues from there. */
  continuesFrom(id: number, timeMs: number): void {
    this.#before = { id, minute: minuteOf(timeMs) };
  }

  /** The connection carries the symbol: whatever was traded after `timeMs` is heard. `anew`: what was said of it before is void. */
  heardSince(timeMs: number, anew = false): void {
    this.#unheardThrough = anew ? minuteOf(timeMs) : Math.min(this.#unheardThrough, minuteOf(timeMs));
  }

  /** Forgets what lies before `openTime` without closing it: that stretch will come from the venue. */
  skipTo(openTime: number): void {
    for (const minute of this.#folds.keys()) if (minute < openTime) this.#folds.delete(minute);
    if (openTime > this.#nextClose) this.#nextClose = openTime;
    this.#lastId = null;
  }

  /** The first trade id of the open minutes where they were heard from their beginning and had one, else null. */
  firstOpenId(): number | null {
    return this.#isUnheard(this.#nextClose) || !this.#idsCount ? null : this.#firstSeenId();
  }

  /** Whether a minute that is not closed yet holds a trade. */
  hasOpenTrades(): boolean {
    return this.#folds.size > 0;
  }

  #firstSeenId(): number | null {
    let first: number | null = null;
    for (const fold of this.#folds.values()) if (first === null || fold.firstId < first) first = fold.firstId;
    return first;
  }

  /** Closes the next minute. Without ids that count nothing says that no trade is missing: it is never whole. */
  close(): ClosedMinute {
    const closed = this.#close();
    if (this.#idsCount) return closed;
    const candle = closed.candle && {
      ...closed.candle,
      firstTradeId: null,
      lastTradeId: null,
      provenance: "partial" as const,
    };
    return { ...closed, candle, whole: false, idBefore: null, idAfter: null, doubtFrom: null };
  }

  #close(): ClosedMinute {
    const openTime = this.#nextClose;
    const fold = this.#folds.get(openTime) ?? null;
    this.#folds.delete(openTime);
    if (this.#newest?.minute === openTime) this.#newest = null;
    this.#nextClose = openTime + MINUTE_MS;
    const idBefore = this.#lastId !== null && this.#runs.covers(this.#lastId, this.#lastId) ? this.#lastId : null;
    const idAfter = this.#firstSeenId();
    const unheard = this.#isUnheard(openTime);
    const lowest = idBefore ?? fold?.firstId ?? idAfter;
    const highest = idAfter ?? fold?.lastId ?? idBefore;
    const contiguous = lowest === null || highest === null || lowest > highest || this.#runs.covers(lowest, highest);
    // Every id from one before the minute to one after it was seen: that outranks what the connection carried.
    const proven = idBefore !== null && idAfter !== null;
    const whole = contiguous && (!unheard || proven);
    const beforeMissing =
      idBefore !== null && !this.#runs.covers(idBefore, Math.max(idBefore, fold?.firstId ?? idAfter ?? idBefore));
    const doubtFrom = !unheard && beforeMissing ? this.#lastIdMinute : null;
    const heardAfterCut = this.#cutId === null || (fold !== null && fold.lastId > this.#cutId);
    const afterMissing =
      fold !== null && idAfter !== null && !this.#runs.covers(fold.lastId, Math.max(fold.lastId, idAfter));
    const endHeard = fold !== null && !afterMissing && (!unheard || (heardAfterCut && this.#heardAgain()));
    this.#advanceChain(openTime, fold, unheard && !whole);
    return {
      openTime,
      candle: fold?.candle(this.symbol, openTime, whole ? "complete" : "partial") ?? null,
      whole,
      endHeard,
      idBefore,
      idAfter,
      doubtFrom,
    };
  }

  #isUnheard(minute: number): boolean {
    return minute >= this.#unheardFrom && minute <= this.#unheardThrough;
  }

  #heardAgain(): boolean {
    return this.#unheardThrough !== Number.POSITIVE_INFINITY;
  }

  /** Behind a cut that ids did not bridge the chain starts anew: what was lost there is the venue's to fill. */
  #advanceChain(openTime: number, fold: MinuteFold | null, unheard: boolean): void {
    if (fold !== null) {
      this.#lastId = Math.max(fold.lastId, this.#lastId ?? fold.lastId);
      this.#lastIdMinute = openTime;
      this.#runs.forgetBefore(this.#lastId);
    }
    if (!unheard) return;
    if (this.#lastId === null) {
      this.#continue(openTime);
      return;
    }
    if (!this.#heardAgain() || (this.#cutId !== null && this.#lastId <= this.#cutId)) this.#lastId = null;
    this.#continue(openTime);
  }

  /** Of a chain that starts anew the venue may have told the last trade before: one that is lost from then on leaves a hole. */
  #continue(openTime: number): void {
    const before = this.#before;
    if (this.#lastId !== null || before === null || !this.#heardAgain() || openTime < before.minute) return;
    if (this.#cutId !== null && before.id < this.#cutId) return;
    this.#lastId = before.id;
    this.#lastIdMinute = openTime;
    this.#runs.add(before.id, before.id);
  }

  #foldOf(minute: number): MinuteFold {
    if (this.#newest?.minute === minute) return this.#newest.fold;
    let fold = this.#folds.get(minute);
    if (fold === undefined) {
      fold = new MinuteFold();
      this.#folds.set(minute, fold);
    }
    this.#newest = { minute, fold };
    return fold;
  }
}
