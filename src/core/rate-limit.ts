import type { Clock } from "./env.ts";

/** Most kinds that are told apart; further ones share one allowance. */
const MAX_KINDS = 64;
const OTHER_KIND = "other";

/** Lets one event per kind through each period and counts the rest: for log lines that a fault could repeat without end. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #kinds = new Map<string, { nextMs: number; suppressed: number }>();

  constructor(clock: Clock, periodMs = 1000) {
    this.#clock = clock;
    this.#periodMs = periodMs;
  }

  /** Null where this kind must be silent now; else how many of it were suppressed since it last spoke. */
  allow(kind: string): number | null {
    const state = this.#state(kind);
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < state.nextMs) {
      state.suppressed++;
      return null;
    }
    const suppressed = state.suppressed;
    state.nextMs = nowMs + this.#periodMs;
    state.suppressed = 0;
    return suppressed;
  }

  #state(kind: string): { nextMs: number; suppressed: number } {
    const key = this.#kinds.has(kind) || this.#kinds.size < MAX_KINDS ? kind : OTHER_KIND;
    let state = this.#kinds.get(key);
    if (!state) {
      state = { nextMs: Number.NEGATIVE_INFINITY, suppressed: 0 };
      this.#kinds.set(key, state);
    }
    return state;
  }
}
