import type { Clock, Log } from "../core/env.ts";

const PERIOD_MS = 1000;

/** Says each kind of trouble at most once a second, with how often it was left unsaid in between. Never throws. */
export class RateLimitedLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { nextAtMs: number; unsaid: number }>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** `kind` is one of the caller's few literals: each is remembered for ever. */
  warn(kind: string, message: string): void {
    const nowMs = this.#clock.monotonicMs();
    const entry = this.#kinds.get(kind) ?? { nextAtMs: nowMs, unsaid: 0 };
    this.#kinds.set(kind, entry);
    if (nowMs < entry.nextAtMs) {
      entry.unsaid++;
      return;
    }
    this.#log.warn(message, { kind, unsaid: entry.unsaid });
    entry.nextAtMs = nowMs + PERIOD_MS;
    entry.unsaid = 0;
  }
}
