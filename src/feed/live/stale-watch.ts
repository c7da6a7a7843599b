import type { Clock } from "../../core/env.ts";
import type { SymbolEar } from "./symbol-ear.ts";

/** Between two look-ups of one connection, and from a look-up that found a newer trade to the verdict. */
const LOOKUP_MS = 5000;

export interface StaleWatchDeps {
  readonly clock: Clock;
  /** The time of the symbol's newest trade by REST; null where that cannot be told now. */
  newestTradeMs(symbol: string): Promise<number | null>;
}

/**
 * Tells a dead feed from a quiet symbol, where heartbeats prove nothing: of the symbols without a trade for too long, the one that
 * most likely traded meanwhile is looked up by REST. A trade of the time of this connection that has not come some seconds later
 * means that the feed is dead. At most one look-up in 5 s.
 */
export class StaleWatch {
  readonly #staleAfterMs: number;
  readonly #spacingMs: number;
  readonly #deps: StaleWatchDeps;
  /** Exchange time since which this connection hears; null until known. */
  #sinceMs: number | null = null;
  #beganAt = 0;
  #nextAt = 0;
  #life = 0;
  #lookups = 0;
  #looking = false;
  readonly #lookedAt = new Map<SymbolEar, number>();
  #suspect: { readonly ear: SymbolEar; readonly tradedMs: number; readonly dueAt: number } | null = null;

  constructor(staleAfterMs: number, deps: StaleWatchDeps) {
    this.#staleAfterMs = staleAfterMs;
    this.#spacingMs = Math.min(LOOKUP_MS, staleAfterMs);
    this.#deps = deps;
  }

  get lookups(): number {
    return this.#lookups;
  }

  /** A connection begins. */
  begin(now: number): void {
    this.#life++;
    this.#sinceMs = null;
    this.#suspect = null;
    this.#looking = false;
    this.#beganAt = now;
    this.#nextAt = now;
    this.#lookedAt.clear();
  }

  heardSince(exchangeTimeMs: number): void {
    this.#sinceMs ??= exchangeTimeMs;
  }

  /** Why the feed is dead, or null. Asks where it is time to. */
  tick(now: number, ears: Iterable<SymbolEar>): string | null {
    const suspect = this.#suspect;
    if (suspect !== null && now >= suspect.dueAt) {
      this.#suspect = null;
      const { ear, tradedMs } = suspect;
      if ((ear.heardMs ?? 0) < tradedMs)
        return `${ear.symbol} traded at ${new Date(tradedMs).toISOString()} and it did not come`;
    }
    if (this.#sinceMs === null || this.#looking || this.#suspect !== null || now < this.#nextAt) return null;
    const ear = this.#likeliest(now, ears);
    if (ear !== null) this.#lookUp(ear, now, this.#sinceMs);
    return null;
  }

  /** The symbol idle for too long of which most trades are to be expected since it was heard or looked up. */
  #likeliest(now: number, ears: Iterable<SymbolEar>): SymbolEar | null {
    let found: SymbolEar | null = null;
    let most = 0;
    let soonest = Number.POSITIVE_INFINITY;
    for (const ear of ears) {
      const idleMs = now - Math.max(ear.heardAt, this.#beganAt, this.#lookedAt.get(ear) ?? 0);
      if (idleMs <= this.#staleAfterMs) soonest = Math.min(soonest, now + this.#staleAfterMs - idleMs);
      else if ((ear.count + 1) * idleMs > most) {
        most = (ear.count + 1) * idleMs;
        found = ear;
      }
    }
    if (found === null) this.#nextAt = Math.min(soonest, now + this.#spacingMs);
    return found;
  }

  #lookUp(ear: SymbolEar, now: number, sinceMs: number): void {
    const life = this.#life;
    this.#looking = true;
    this.#lookups++;
    this.#nextAt = now + this.#spacingMs;
    this.#lookedAt.set(ear, now);
    void this.#deps.newestTradeMs(ear.symbol).then((tradedMs) => {
      if (life !== this.#life) return;
      this.#looking = false;
      if (tradedMs === null || tradedMs <= Math.max(ear.heardMs ?? 0, sinceMs)) return;
      this.#suspect = { ear, tradedMs, dueAt: this.#deps.clock.monotonicMs() + this.#spacingMs };
    });
  }
}
