import type { Candle, FeedGap } from "../core/candle.ts";
import { MINUTE_MS } from "../core/time.ts";
import { type ClosedMinute, MinuteAggregator } from "./minute-aggregator.ts";
import { flatCandle } from "./minute-fold.ts";

/** What the store knows of a symbol: its newest row. */
export interface TrackHead {
  readonly lastOpenTime: number;
  readonly lastClose: number;
  readonly lastTradeId: number | null;
}

/** Minutes that wait for the venue's klines; where `seen` is set they are one, and that is what we saw of it. */
export interface MissingSlot {
  readonly type: "missing";
  from: number;
  through: number;
  readonly seen: Candle | null;
  readonly endHeard: boolean;
  /** The last trade id before `from`, where it is known for certain. */
  idBefore: number | null;
}

type Slot =
  | { readonly type: "traded"; readonly candle: Candle }
  | { readonly type: "empty"; readonly openTime: number }
  | MissingSlot;

/** Rows that were committed lately, kept to tell whether a re-check changes anything. */
export const RECENT_ROWS = 16;

/**
 * One symbol's minutes on their way to the store: closed in order, held behind a minute that waits for the venue, then put
 * out as rows and gaps, each minute once and none at or below the head. The caller bounds how many may wait (`waiting`).
 */
export class SymbolTrack {
  readonly symbol: string;
  readonly head: TrackHead | null;
  /** Null until `begin`. */
  aggregator: MinuteAggregator | null = null;
  connected = false;
  /** Every minute up to this one has its row or gap, or lies before the symbol's first. */
  resolvedThrough: number | null;
  /** The last minute of history that a fresh symbol starts with; null where it has a head, or before `begin`. */
  historyThrough: number | null = null;
  readonly #recording: boolean;
  readonly #idsCount: boolean;
  #queue: Slot[] = [];
  #candles: Candle[] = [];
  #gaps: FeedGap[] = [];
  #recent: Candle[] = [];
  /** The newest row; `sure` where its close is the minute's real one, so that a quiet minute may continue from it. */
  #last: { readonly openTime: number; readonly close: number; readonly sure: boolean } | null;
  #previousWhole = false;
  #doubt: { from: number; through: number } | null = null;
  /** Told before `begin`. */
  #before: { readonly id: number; readonly timeMs: number } | null = null;

  /** `recording`, `idsCount`: as of the feed. */
  constructor(symbol: string, head: TrackHead | null, recording: boolean, idsCount = true) {
    this.symbol = symbol;
    this.head = head;
    this.#recording = recording;
    this.#idsCount = idsCount;
    this.resolvedThrough = head?.lastOpenTime ?? null;
    this.#last = head === null ? null : { openTime: head.lastOpenTime, close: head.lastClose, sure: true };
  }

  /**
   * The symbol's newest rows as the store holds them, oldest first. Whoever made them may have died with doubts about them, so
   * those that are not the venue's own are to be re-checked.
   */
  recall(rows: readonly Candle[]): void {
    this.#recent = rows.slice(-RECENT_ROWS);
    const last = this.#recent.at(-1);
    // The head's close is the one that was delivered; the row's may have been corrected since.
    if (last !== undefined && last.openTime === this.#last?.openTime) this.#last = { ...this.#last, close: last.close };
    const own = this.#recent.filter(({ provenance }) => provenance !== "backfilled");
    const [first, newest] = [own[0], own.at(-1)];
    if (first !== undefined && newest !== undefined) this.doubt(first.openTime, newest.openTime);
  }

  /** The venue's time is known: what lies between the head (or the wanted history) and `minute` has to be fetched. */
  begin(minute: number, historyMinutes: number): void {
    const next = this.head === null ? minute - historyMinutes * MINUTE_MS : this.head.lastOpenTime + MINUTE_MS;
    this.aggregator = new MinuteAggregator(this.symbol, next, this.head?.lastTradeId ?? null, this.#idsCount);
    if (this.#before !== null) this.aggregator.continuesFrom(this.#before.id, this.#before.timeMs);
    this.resolvedThrough = next - MINUTE_MS;
    if (this.head === null) this.historyThrough = minute - MINUTE_MS;
    if (next >= minute) return;
    this.#pushMissing(next, minute - MINUTE_MS, null, false, this.head?.lastTradeId ?? null);
    this.aggregator.skipTo(minute);
  }

  /** The venue told the newest trade of before its connection: what is lost after that one leaves a hole in the ids. */
  continuesFrom(id: number, timeMs: number): void {
    if (!this.#idsCount) return;
    if (this.aggregator === null) this.#before = { id, timeMs };
    else this.aggregator.continuesFrom(id, timeMs);
  }

  /** Closes every open minute up to this one. */
  closeThrough(minute: number): void {
    const aggregator = this.aggregator;
    while (aggregator !== null && aggregator.nextClose <= minute) this.#queueClosed(aggregator.close());
  }

  /** The input is over: whatever is still open was seen in part. */
  closeRest(): void {
    while (this.aggregator?.hasOpenTrades()) {
      const closed = this.aggregator.close();
      this.#pushMissing(closed.openTime, closed.openTime, closed.candle, closed.endHeard, null);
    }
  }

  /** Nothing was ever put out, and the store has nothing either: what is missing now is no gap. */
  get fresh(): boolean {
    return this.#last === null;
  }

  /** Minutes queued, whether waiting or not. */
  get waiting(): number {
    return this.#queue.reduce((sum, slot) => sum + (slot.type === "missing" ? minutesIn(slot) : 1), 0);
  }

  /** The missing minutes that everything newer waits for, or null. */
  get front(): MissingSlot | null {
    const slot = this.#queue[0];
    return slot?.type === "missing" ? slot : null;
  }

  /** The first trade id after the front's minutes, where it is certain. */
  idAfterFront(): number | null {
    for (const slot of this.#queue.slice(1)) {
      if (slot.type === "traded") return slot.candle.firstTradeId;
      if (slot.type === "missing") return null;
    }
    return this.aggregator?.firstOpenId() ?? null;
  }

  /** Moves what is ready to the output, up to the first minute that waits. */
  advance(): void {
    for (let slot = this.#queue[0]; slot !== undefined; slot = this.#queue[0]) {
      if (slot.type === "missing") {
        if (!this.#recording) return;
        this.giveUp("the recording does not hold these minutes");
        continue;
      }
      if (slot.type === "traded") {
        this.#put(slot.candle, true);
      } else if (this.#last?.openTime === slot.openTime - MINUTE_MS && this.#last.sure) {
        this.#put(flatCandle(this.symbol, slot.openTime, this.#last.close), true);
      } else if (this.#last === null) {
        this.resolvedThrough = slot.openTime;
      } else {
        // A quiet minute continues from the one before; without that one's close it has to come from the venue, too.
        this.#queue[0] = missing(slot.openTime, slot.openTime, null, false, null);
        continue;
      }
      this.#queue.shift();
    }
  }

  /** `advance`, and gives up the front until at most `most` entries are queued (a stretch of missing minutes is one); tells how often it had to. */
  advanceWithin(most: number): number {
    let overflows = 0;
    for (this.advance(); this.#queue.length > most && this.front !== null; this.advance()) {
      overflows++;
      this.giveUp(`more than ${most} minutes waited behind them`);
    }
    return overflows;
  }

  /** Takes the venue's candles (in order) for the front's first minutes, through `through`; skipped minutes are gaps. */
  resolve(klines: readonly Candle[], skippedReason: string): void {
    for (const kline of klines) {
      const slot = this.front;
      if (slot === null || kline.openTime < slot.from || kline.openTime > slot.through) continue;
      if (kline.openTime > slot.from) this.#gap(slot.from, kline.openTime - MINUTE_MS, skippedReason);
      this.#put(kline, true);
      slot.from = kline.openTime + MINUTE_MS;
      slot.idBefore = null;
      if (slot.from > slot.through) this.#queue.shift();
    }
  }

  /** The venue has nothing of the front's minutes through `through`, which lie before the symbol's first trade. */
  skip(through: number): void {
    const slot = this.front;
    if (slot === null) return;
    this.resolvedThrough = through;
    slot.from = through + MINUTE_MS;
    if (slot.from > slot.through) this.#queue.shift();
  }

  /** The wait is over: what was seen of the front becomes a partial row, and what was not a gap. */
  giveUp(reason: string): void {
    const slot = this.front;
    if (slot === null) return;
    if (slot.seen === null) this.#gap(slot.from, slot.through, reason);
    else this.#put({ ...slot.seen, provenance: "partial" }, slot.endHeard);
    this.#queue.shift();
  }

  /** The output since the last call. */
  take(): { readonly candles: readonly Candle[]; readonly gaps: readonly FeedGap[] } {
    const out = { candles: this.#candles, gaps: this.#gaps };
    this.#candles = [];
    this.#gaps = [];
    return out;
  }

  /** Committed minutes that a hole in the trade ids put in doubt, once. */
  takeDoubt(): { readonly from: number; readonly through: number } | null {
    const doubt = this.#doubt;
    this.#doubt = null;
    return doubt;
  }

  /** A row put out lately, or undefined. */
  recent(openTime: number): Candle | undefined {
    return this.#recent.find((candle) => candle.openTime === openTime);
  }

  /** Whether this minute, queued or put out lately, was taken from the trades alone. */
  tookFromTrades(openTime: number): boolean {
    const row = this.recent(openTime);
    if (row !== undefined) return row.provenance !== "backfilled";
    return this.#queue.some((slot) => closedAt(slot) === openTime);
  }

  /** The last minute before this one known by its trades, over quiet ones; itself where the venue's own (or nothing known) lies before. */
  lastTradedBefore(openTime: number): number {
    let from = openTime;
    while (this.tookFromTrades(from - MINUTE_MS)) {
      from -= MINUTE_MS;
      if (this.recent(from)?.provenance !== "empty") break;
    }
    return from;
  }

  /** Whether a row was put out lately between these minutes, both inclusive. */
  hasRecent(from: number, through: number): boolean {
    return this.#recent.some(({ openTime }) => openTime >= from && openTime <= through);
  }

  /** A row put out lately is corrected to this: quiet minutes behind it stood on its close, and are in doubt with it. */
  correct(candle: Candle): void {
    const at = this.#recent.findIndex(({ openTime }) => openTime === candle.openTime);
    if (at < 0) return;
    this.#recent[at] = candle;
    if (this.#last?.openTime === candle.openTime) this.#last = { ...this.#last, close: candle.close, sure: true };
    const next = this.#recent[at + 1];
    if (next?.provenance === "empty" && next.close !== candle.close) this.doubt(next.openTime, next.openTime);
  }

  /**
   * Minutes that were taken for whole may lack trades: rows put out lately are to be re-checked (`takeDoubt`), and those
   * still queued wait for the venue instead. A recording has nobody to ask.
   */
  doubt(from: number, through: number): void {
    if (!this.#recording) this.#reopen(from, through);
    const first = Math.max(from, this.#recent[0]?.openTime ?? Number.POSITIVE_INFINITY);
    if (first > through) return;
    const old = this.#doubt;
    this.#doubt = { from: Math.min(first, old?.from ?? first), through: Math.max(through, old?.through ?? through) };
  }

  #reopen(from: number, through: number): void {
    for (const [at, slot] of this.#queue.entries()) {
      const openTime = closedAt(slot);
      if (openTime === null || openTime < from || openTime > through) continue;
      this.#queue[at] = missing(openTime, openTime, slot.type === "traded" ? slot.candle : null, false, null);
    }
  }

  #queueClosed(closed: ClosedMinute): void {
    const { openTime, candle } = closed;
    if (closed.doubtFrom !== null) this.doubt(closed.doubtFrom, openTime - MINUTE_MS);
    if (!closed.whole) {
      const certain = this.#previousWhole && closed.doubtFrom === null;
      this.#pushMissing(openTime, openTime, candle, closed.endHeard, certain ? closed.idBefore : null);
    } else if (candle === null) {
      this.#queue.push({ type: "empty", openTime });
    } else {
      this.#queue.push({ type: "traded", candle });
    }
    this.#previousWhole = closed.whole;
  }

  #pushMissing(from: number, through: number, seen: Candle | null, endHeard: boolean, idBefore: number | null): void {
    // Never onto the front, whose wait has begun and whose request may be under way.
    const before = this.#queue.length > 1 ? this.#queue.at(-1) : undefined;
    if (seen === null && before?.type === "missing" && before.seen === null && before.through === from - MINUTE_MS) {
      before.through = through;
    } else {
      this.#queue.push(missing(from, through, seen, endHeard, idBefore));
    }
  }

  #put(candle: Candle, sure: boolean): void {
    this.#last = { openTime: candle.openTime, close: candle.close, sure };
    this.resolvedThrough = candle.openTime;
    this.#candles.push(candle);
    this.#recent.push(candle);
    if (this.#recent.length > RECENT_ROWS) this.#recent.shift();
  }

  /** Before a symbol's first row there is nothing that could be missing. */
  #gap(fromOpenTime: number, toOpenTime: number, reason: string): void {
    this.resolvedThrough = toOpenTime;
    if (this.#last !== null) this.#gaps.push({ symbol: this.symbol, fromOpenTime, toOpenTime, reason });
  }
}

function missing(
  from: number,
  through: number,
  seen: Candle | null,
  endHeard: boolean,
  idBefore: number | null,
): MissingSlot {
  return { type: "missing", from, through, seen, endHeard, idBefore };
}

/** The minute of a slot that waits for nothing but its turn, else null. */
function closedAt(slot: Slot): number | null {
  if (slot.type === "missing") return null;
  return slot.type === "traded" ? slot.candle.openTime : slot.openTime;
}

/** What these tracks have ready, rows and gaps. */
export function takeReady(tracks: Iterable<SymbolTrack>): { candles: Candle[]; gaps: FeedGap[] } {
  const candles: Candle[] = [];
  const gaps: FeedGap[] = [];
  for (const track of tracks) {
    const out = track.take();
    // Not spread into one call: a long silence gives more rows than a call takes arguments.
    for (const candle of out.candles) candles.push(candle);
    for (const gap of out.gaps) gaps.push(gap);
  }
  return { candles, gaps };
}

export function minutesIn(slot: MissingSlot): number {
  return (slot.through - slot.from) / MINUTE_MS + 1;
}
