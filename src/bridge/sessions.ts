import type { Clock, Random } from "../core/env.ts";
import { hexDigestOf } from "../core/secret.ts";

export interface SessionLimits {
  /** Sessions at once; at the bound the one unused for longest ends. */
  readonly sessions: number;
  /** A session not used for this long ends. */
  readonly idleMs: number;
  /** A session ends this long after its login, used or not. */
  readonly lifeMs: number;
}

const HOUR_MS = 3_600_000;

export const SESSION_LIMITS: SessionLimits = { sessions: 200, idleMs: 24 * HOUR_MS, lifeMs: 7 * 24 * HOUR_MS };

interface Session {
  readonly openedAtMs: number;
  usedAtMs: number;
  readonly end: AbortController;
}

/** Browsers that have logged in, by the digest of a random secret that only the browser keeps. All end with the process. */
export class Sessions {
  readonly #limits: SessionLimits;
  readonly #deps: { readonly clock: Clock; readonly random: Random };
  /** The one used last is last. */
  readonly #sessions = new Map<string, Session>();

  constructor(limits: SessionLimits, deps: { readonly clock: Clock; readonly random: Random }) {
    this.#limits = limits;
    this.#deps = deps;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Opens one and gives its secret: 244 random bits in hex. */
  open(): string {
    const secret = `${this.#deps.random.uuid()}${this.#deps.random.uuid()}`.replaceAll("-", "");
    const now = this.#deps.clock.monotonicMs();
    this.#sessions.set(hexDigestOf(secret), { openedAtMs: now, usedAtMs: now, end: new AbortController() });
    if (this.#sessions.size > this.#limits.sessions) {
      const [oldest] = this.#sessions.keys();
      if (oldest !== undefined) this.#end(oldest);
    }
    return secret;
  }

  /** Marks the session as used and gives a signal that fires when it ends; null where there is none (any more). */
  use(secret: string): AbortSignal | null {
    const key = hexDigestOf(secret);
    const session = this.#sessions.get(key);
    if (!session) return null;
    const now = this.#deps.clock.monotonicMs();
    if (this.#isOver(session, now)) {
      this.#end(key);
      return null;
    }
    session.usedAtMs = now;
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    return session.end.signal;
  }

  close(secret: string): void {
    this.#end(hexDigestOf(secret));
  }

  /** Ends those whose time is over: their streams end, too. */
  sweep(): void {
    const now = this.#deps.clock.monotonicMs();
    for (const [key, session] of this.#sessions) if (this.#isOver(session, now)) this.#end(key);
  }

  #isOver(session: Session, now: number): boolean {
    return now - session.usedAtMs >= this.#limits.idleMs || now - session.openedAtMs >= this.#limits.lifeMs;
  }

  #end(key: string): void {
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    session?.end.abort();
  }
}
