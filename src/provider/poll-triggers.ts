import type { Clock, Timer, Timers } from "../core/env.ts";
import type { HeartbeatBody } from "../core/wire.ts";
import { ClosedWatch, type Promised } from "./closed-watch.ts";
import type { Delivery } from "./delivery.ts";
import { ExchangeClock } from "./exchange-clock.ts";
import type { ProviderTimes } from "./options.ts";
import type { PollTrigger } from "./store-poller.ts";

/**
 * What heartbeats, and their absence, set off: a poll where one tells of rows that were not seen, and a poll where a minute fell
 * due without its candles; candles in flight get `dueGraceMs` first. While a minute is overdue (its row may be long in coming,
 * and nothing would tell) or the fast rail is silent, the store is looked at every `lookMs`.
 */
export class PollTriggers {
  readonly watch = new ClosedWatch();
  readonly exchange = new ExchangeClock();
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #times: ProviderTimes;
  readonly #delivery: Delivery;
  readonly #followsAll: boolean;
  readonly #request: (trigger: PollTrigger) => void;
  #grace: Timer | null = null;
  #due: Timer | null = null;
  #looks: Timer | null = null;
  #heardMs: number;
  #closed = false;

  constructor(
    env: { readonly clock: Clock; readonly timers: Timers },
    times: ProviderTimes,
    delivery: Delivery,
    followsAll: boolean,
    request: (trigger: PollTrigger) => void,
  ) {
    this.#clock = env.clock;
    this.#timers = env.timers;
    this.#times = times;
    this.#delivery = delivery;
    this.#followsAll = followsAll;
    this.#request = request;
    this.#heardMs = env.clock.monotonicMs();
  }

  /** Begins to look out for silence. */
  open(): void {
    this.#heardMs = this.#clock.monotonicMs();
    this.#looks = this.#timers.every(this.#times.lookMs, () => this.#look());
  }

  /** False where the heartbeat is a repeat or outdated. */
  observe(heartbeat: HeartbeatBody): boolean {
    if (this.#closed || !this.watch.observe(heartbeat)) return false;
    this.#heardMs = this.#clock.monotonicMs();
    this.exchange.observe(heartbeat, this.#heardMs);
    this.#armDue();
    const { promised } = this.watch;
    if (!this.#grace && this.#isBehind(promised)) this.#armGrace(promised);
    return true;
  }

  /** Whether a heartbeat, its grace over, told of rows that neither rail brought and a store through `throughSeq` lacks. */
  awaits(throughSeq: number): boolean {
    const { overdue } = this.watch;
    return throughSeq < overdue.commitSeq && this.#isBehind(overdue);
  }

  close(): void {
    this.#closed = true;
    this.#grace?.cancel();
    this.#due?.cancel();
    this.#looks?.cancel();
  }

  #look(): void {
    if (this.#clock.monotonicMs() - this.#heardMs > this.#times.silentAfterMs) this.#request("silence");
    else if (this.#isOverdue()) this.#request("overdue");
  }

  #isOverdue(): boolean {
    const due = this.exchange.dueMinute(this.#clock.monotonicMs() - this.#times.dueGraceMs);
    return due !== null && this.#isMissing(due);
  }

  #armGrace(promised: Promised): void {
    this.#grace = this.#timers.after(this.#times.dueGraceMs, () => {
      this.#grace = null;
      if (!this.#isBehind(promised)) return;
      this.watch.confirmOverdue(promised);
      this.#request("heartbeat");
    });
  }

  #armDue(): void {
    const { dueGraceMs, pollMinGapMs } = this.#times;
    this.#due?.cancel();
    const nextMs = this.exchange.msToNextDue(this.#clock.monotonicMs() - dueGraceMs);
    if (nextMs === null || this.#closed) return;
    // At a very high speed minutes fall due faster than polls may follow each other.
    this.#due = this.#timers.after(Math.max(nextMs, pollMinGapMs), () => {
      if (this.#isOverdue()) this.#request("due");
      this.#armDue();
    });
  }

  #isBehind(promised: Promised): boolean {
    const { throughSeq } = this.#delivery;
    this.watch.cover(throughSeq, null);
    // A consumer of some symbols sees only their rows between polls, so its throughSeq lags by nature.
    return (this.#followsAll && throughSeq < promised.commitSeq) || this.#isMissing(promised.closedThrough);
  }

  #isMissing(through: number): boolean {
    if (through <= this.watch.coveredThrough) return false;
    for (const track of this.#delivery.tracks())
      if ((track.chainOpenTime ?? Number.NEGATIVE_INFINITY) < through) return true;
    return false;
  }
}
