import type { Clock, Log, Random, Timer, Timers } from "../core/env.ts";
import { digestOf, hexDigestOf, isSameDigest } from "../core/secret.ts";
import { networkOf } from "./peer.ts";
import { SESSION_LIMITS, type SessionLimits, Sessions } from "./sessions.ts";
import { type BucketLimits, TokenBuckets } from "./token-buckets.ts";

export interface AccessDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly sessionLimits?: SessionLimits;
}

/** Wrong tokens that an address may try: ten at once, then two a minute. */
export const FAILURES_PER_ADDRESS: BucketLimits = { perSecond: 1 / 30, burst: 10, keys: 10_000 };
/** And all addresses together: a hundred at once, then one a second. */
export const FAILURES_IN_ALL: BucketLimits = { perSecond: 1, burst: 100, keys: 1 };
/** Wrong tokens remembered, so that the same one again (a scraper with an old token) uses up nobody's tries. */
const WRONG_TOKENS = 1000;
const SWEEP_EVERY_MS = 60_000;
/** Failed logins are logged at most this often, with their number. */
const LOG_EVERY_MS = 10_000;

export type Attempt =
  | { readonly outcome: "right" | "wrong" }
  /** Not looked at: too many wrong ones came before it. */
  | { readonly outcome: "wait"; readonly seconds: number };

/**
 * Who may read: whoever shows the token, or a session that was opened with it. Of the token only its digest is kept, and a
 * comparison takes the same time whatever is shown. Wrong tokens are bounded per address and in all; while an address has used up
 * its tries, no token of its is looked at, the right one neither. Sessions never wait.
 */
export class Access {
  readonly sessions: Sessions;
  readonly #digest: Uint8Array;
  readonly #deps: AccessDeps;
  readonly #perAddress: TokenBuckets;
  readonly #inAll: TokenBuckets;
  readonly #wrong = new Set<string>();
  readonly #sweep: Timer;
  readonly #counts = { logins: 0, failed: 0, limited: 0 };
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(token: string, deps: AccessDeps) {
    this.#digest = digestOf(token);
    this.#deps = deps;
    this.sessions = new Sessions(deps.sessionLimits ?? SESSION_LIMITS, deps);
    this.#perAddress = new TokenBuckets(FAILURES_PER_ADDRESS, deps.clock);
    this.#inAll = new TokenBuckets(FAILURES_IN_ALL, deps.clock);
    this.#sweep = deps.timers.every(SWEEP_EVERY_MS, () => this.sessions.sweep());
  }

  /** Whether a client that shows this token may read. `peer`: its address; null where unknown. */
  attempt(token: string, peer: string | null): Attempt {
    const who = peer === null ? "unknown" : networkOf(peer);
    const known = hexDigestOf(token);
    if (this.#wrong.has(known)) return this.#fail(peer);
    const seconds = Math.max(this.#perAddress.wait(who), this.#inAll.wait("all"));
    if (seconds > 0) {
      this.#counts.limited++;
      return { outcome: "wait", seconds };
    }
    if (isSameDigest(digestOf(token), this.#digest)) return { outcome: "right" };
    this.#perAddress.take(who);
    this.#inAll.take("all");
    this.#wrong.add(known);
    const [oldest] = this.#wrong;
    if (this.#wrong.size > WRONG_TOKENS && oldest !== undefined) this.#wrong.delete(oldest);
    return this.#fail(peer);
  }

  /** Opens a session for a browser that showed the token; its secret. */
  logIn(): string {
    this.#counts.logins++;
    return this.sessions.open();
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "bridge.sessions": this.sessions.size,
      "bridge.logins.total": this.#counts.logins,
      "bridge.logins.failed.total": this.#counts.failed,
      "bridge.logins.limited.total": this.#counts.limited,
    };
  }

  close(): void {
    this.#sweep.cancel();
  }

  #fail(peer: string | null): Attempt {
    this.#counts.failed++;
    this.#unlogged++;
    const now = this.#deps.clock.monotonicMs();
    if (now - this.#loggedAtMs >= LOG_EVERY_MS) {
      this.#deps.log.warn("A wrong token was shown", { address: peer, times: this.#unlogged });
      this.#loggedAtMs = now;
      this.#unlogged = 0;
    }
    return { outcome: "wrong" };
  }
}
