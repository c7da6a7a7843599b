import { MINUTE_MS, minuteOf } from "../core/time.ts";
import type { HeartbeatBody } from "../core/wire.ts";

/** How long after a minute's end its candle is due, in exchange ms: the default lateness allowance of the feeds. */
const DUE_LATENESS_MS = 500;

/** Exchange time as the newest heartbeat told it, moved along by wall time times speed. */
export class ExchangeClock {
  #exchangeMs: number | null = null;
  #atMs = 0;
  #speed = 1;

  /** Exchange ms per wall ms; 1 before the first heartbeat and where a heartbeat tells nonsense. */
  get speed(): number {
    return this.#speed;
  }

  /** How long one exchange minute takes, in wall ms. */
  get minuteWallMs(): number {
    return MINUTE_MS / this.#speed;
  }

  observe(heartbeat: HeartbeatBody, monotonicMs: number): void {
    this.#speed = heartbeat.speed > 0 && heartbeat.speed < Infinity ? heartbeat.speed : 1;
    if (heartbeat.exchangeTime === null) return;
    this.#exchangeMs = heartbeat.exchangeTime;
    this.#atMs = monotonicMs;
  }

  /** Null before a heartbeat told a time. */
  at(monotonicMs: number): number | null {
    return this.#exchangeMs === null ? null : this.#exchangeMs + (monotonicMs - this.#atMs) * this.#speed;
  }

  /** The newest minute whose candle was due by then; null where exchange time is not known. */
  dueMinute(monotonicMs: number): number | null {
    const exchangeMs = this.at(monotonicMs);
    return exchangeMs === null ? null : minuteOf(exchangeMs - DUE_LATENESS_MS) - MINUTE_MS;
  }

  /** Wall ms from then until the next minute falls due; null where exchange time is not known. */
  msToNextDue(monotonicMs: number): number | null {
    const exchangeMs = this.at(monotonicMs);
    if (exchangeMs === null) return null;
    const since = exchangeMs - DUE_LATENESS_MS;
    return (minuteOf(since) + MINUTE_MS - since) / this.#speed;
  }
}
